"""`python -m core.run`, the end of `make run`: look at the machine, prepare, make the demo, keep everything running: docs/running.md."""

import os
import socket
import sys
from pathlib import Path
from typing import IO

import django
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command

from core import beside, databases, embedded, redis_addresses, server
from core.supervisor import Program, Supervisor

QUEUES = "live,delivery,bulk"
# Celery says at every start that root is not wise because of pickle, which we never read.
NO_SERMON = {"PYTHONWARNINGS": "ignore:You're running the worker"}


class CannotStart(Exception):
    """One sentence about what is in the way."""


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")
    try:
        django.setup()
        code = run()
    except (ImproperlyConfigured, CannotStart, CommandError, server.PortTaken) as error:
        sys.exit(f"signalbox: {error}")
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


def run() -> int:
    """Everything in order: what can stop us is found before anything is made."""
    from django.conf import settings

    lock = _lock(settings.DATA_DIR)
    server.listen(host=settings.HOST, port=settings.PORT).close()
    if settings.REDIS_URL:
        check_redis(settings.REDIS_URL)
    call_command("prepare")
    call_command("demo")
    databases.close()
    with lock:
        kept = programs(data_dir=settings.DATA_DIR, redis_url=settings.REDIS_URL)
        where = {"HOST": settings.HOST, "PORT": str(settings.PORT), "BASE_URL": settings.BASE_URL, "REDIS_URL": settings.REDIS_URL}
        beside.tell(lock, where | kept[-1].environment)
        return Supervisor(kept).run()


def _lock(folder: Path) -> IO[str]:
    """Hold the folder for as long as this file is open: two supervisors on one database would start two of everything."""
    file = beside.hold(folder)
    if file is None:
        raise CannotStart(f"DATA_DIR={folder} is in use by another Signalbox. Set DATA_DIR to another folder.")
    return file


def check_redis(url: str) -> None:
    """Raise CannotStart unless somebody answers a ping there. The sentence does not repeat the address, which may hold a password."""
    import redis

    try:
        with redis_addresses.read(url).client(socket_connect_timeout=2, socket_timeout=2) as client:
            client.ping()
    except (redis.RedisError, OSError, ValueError) as error:
        raise CannotStart(f"REDIS_URL cannot be reached: {' '.join(str(error).split())}") from error


def programs(*, data_dir: Path, redis_url: str) -> list[Program]:
    """The same processes as in compose.yaml, and a Valkey where no REDIS_URL is set."""
    manage, celery = [sys.executable, "manage.py"], [sys.executable, "-m", "celery", "--quiet", "-A", "workers.celery"]
    environment = {"DATA_DIR": str(data_dir)}
    valkey = []
    if not redis_url:
        path = _new_socket(data_dir)
        environment["REDIS_URL"] = f"unix://{path}"
        command = embedded.command(folder=data_dir / "valkey", socket=path, log="valkey.log")
        valkey = [Program("valkey", command, ready=lambda: answers(path), last=True)]
    worker = [*celery, "worker", "-Q", QUEUES, "--concurrency", "2", "--loglevel", "WARNING", "--without-gossip", "--without-mingle"]
    return [
        *valkey,
        Program("web", [*manage, "serve"], environment),
        Program("worker", worker, environment | NO_SERMON),
        Program("beat", [*celery, "beat", "--loglevel", "WARNING"], environment),
    ]


def _new_socket(data_dir: Path) -> Path:
    """A socket path of this run's own: a server of the last run that is still ending removes its own file, not ours."""
    for old in data_dir.glob("valkey*.sock"):
        old.unlink(missing_ok=True)
    path = embedded.socket_path(data_dir)
    return path.with_name(f"valkey-{os.getpid()}.sock")


def answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


if __name__ == "__main__":
    main()
