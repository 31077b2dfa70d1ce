"""Real servers for tests, each on a free port, each ended by its `with`: Postgres, Valkey, and Signalbox itself.

with start_valkey() as valkey, make_site(folder, redis=valkey.url).web(server="uvicorn") as web:
    httpx.get(web.url + "/healthz")
    valkey.kill(); valkey.start()
"""

import atexit
import itertools
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from core import embedded
from tests.support import machine

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 30.0


class NotThere(AssertionError):
    """What a test waited for did not happen; says what, and shows the end of the server's log."""


def wait_until(what: Callable[[], Any], *, described: str, patience: float = PATIENCE, log: Path | None = None) -> Any:
    """Ask again and again until the answer is true, and return it. Raises NotThere when patience ends."""
    deadline = time.monotonic() + patience
    while not (answer := what()):
        if time.monotonic() > deadline:
            tail = log.read_text(errors="replace")[-4000:] if log and log.exists() else ""
            raise NotThere(f"waited {patience:.0f} s for {described}\n{tail}")
        time.sleep(0.02)
    return answer


def free_port() -> int:
    """A port that nobody listens on, below those that the kernel gives to whoever connects: a client could take one of these meanwhile."""
    for _ in range(100):
        with socket.socket() as probe, suppress(OSError):
            port = random.randrange(10_000, 32_000)
            probe.bind(("127.0.0.1", port))
            return port
    raise NotThere("no port is free")


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class Process:
    """A child in a session of its own, with its output in a file."""

    arguments: list[str]
    log: Path
    environment: dict[str, str] | None = None
    user: str | None = None
    child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.child = subprocess.Popen(
                self.arguments,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self.environment,
                cwd=ROOT if self.user is None else "/",
                start_new_session=True,
                user=self.user,
            )

    @property
    def pid(self) -> int:
        assert self.child is not None
        return self.child.pid

    @property
    def running(self) -> bool:
        return self.child is not None and self.child.poll() is None

    def send(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        """kill -9, the whole group, and wait for it."""
        if self.child is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait()

    def stop(self, *, by: int = signal.SIGTERM, patience: float = 20) -> int:
        """Ask it to end, and kill what has not ended in time. Returns the exit code."""
        assert self.child is not None
        if self.running:
            self.send(by)
        try:
            return self.child.wait(patience)
        except subprocess.TimeoutExpired:
            return -signal.SIGKILL
        finally:
            self.kill()

    def output(self) -> str:
        return self.log.read_text(errors="replace")


# Valkey


@dataclass
class Valkey(Process):
    port: int = 0

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it (again), on the same port, empty, and wait until it answers."""
        super().start()
        wait_until(lambda: accepts(self.port), described="Valkey to answer", log=self.log)


@contextmanager
def start_valkey() -> Iterator[Valkey]:
    folder = Path(tempfile.mkdtemp(prefix="sb-valkey-"))
    port = free_port()
    server = Valkey(embedded.command(folder=folder, port=port), folder / "log", port=port)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


# Postgres


@dataclass
class Postgres(Process):
    port: int = 0

    def url(self, database: str = "postgres") -> str:
        return f"postgres://signalbox@127.0.0.1:{self.port}/{database}"

    def run(self, statement: str) -> None:
        """Run one statement outside a transaction."""
        import psycopg

        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)

    def new_database(self, *, like: str = "template1") -> str:
        """Make a database, as a copy of another where that is given, and return its address."""
        name = f"t{uuid.uuid4().hex[:12]}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {like}")
        return self.url(name)

    def ready(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def start(self) -> None:
        super().start()
        wait_until(self.ready, described="Postgres to answer", log=self.log)


@contextmanager
def start_postgres(*, fsync: str = "off", within: str | None = None) -> Iterator[Postgres]:
    """A cluster of its own, by the user `postgres` where we are root (Postgres refuses to run as root); its files in a folder `within`."""
    user = "postgres" if os.getuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="sb-postgres-", dir=within))
    if user:
        shutil.chown(folder, user=pwd.getpwnam(user).pw_uid)
    data, port = folder / "data", free_port()
    initdb, server_program = machine.postgres_program("initdb"), machine.postgres_program("postgres")
    assert initdb and server_program, "apt install postgresql"
    init = [initdb, "-D", str(data), "-U", "signalbox", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
    subprocess.run(init, check=True, capture_output=True, user=user, cwd="/")
    options = {"listen_addresses": "127.0.0.1", "unix_socket_directories": str(folder), "fsync": fsync}
    options |= {"max_connections": "200", "min_wal_size": "1GB", "max_wal_size": "2GB"}  # as in compose.yaml
    arguments = [server_program, "-D", str(data), "-p", str(port), *(f"--{name}={value}" for name, value in options.items())]
    server = Postgres(arguments, folder / "log", user=user, port=port)
    try:
        server.start()
        yield server
    finally:
        server.stop(by=signal.SIGQUIT, patience=5)
        shutil.rmtree(folder, ignore_errors=True)


# Signalbox


@dataclass
class Web(Process):
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def socket_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/live/ws"

    def healthy(self) -> bool:
        if not self.running:
            raise NotThere(f"the web process ended with {self.child.returncode if self.child else None}:\n{self.output()[-4000:]}")
        try:
            with urllib.request.urlopen(self.url + "/healthz", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def start(self) -> None:
        super().start()
        wait_until(self.healthy, described=f"{self.url}/healthz", log=self.log)


@dataclass
class Site:
    """One Signalbox: a data folder, a database and perhaps a Redis, on which any number of its processes run."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def env(self, **more: str) -> dict[str, str]:
        return {**clean_environment(), "DATA_DIR": str(self.folder), "SECRET_KEY": "only for tests", **self.environment, **more}

    def manage(self, *arguments: str, check: bool = True, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a management command to its end. Raises NotThere with its output when it fails and `check` is on."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments], cwd=ROOT, env=self.env(**more), capture_output=True, text=True, timeout=120
        )
        if check and done.returncode:
            raise NotThere(f"manage.py {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    @contextmanager
    def web(self, *, server: str = "daphne", port: int = 0, **more: str) -> Iterator[Web]:
        """A web process, `manage.py serve`, that answers /healthz."""
        port = port or free_port()
        with self._running(
            Web(
                [sys.executable, "manage.py", "serve"],
                self.folder / f"web-{port}.log",
                self.env(PORT=str(port), BASE_URL=f"http://127.0.0.1:{port}", SERVER=server, **more),
                port=port,
            )
        ) as process:
            yield process

    @contextmanager
    def worker(self, **more: str) -> Iterator[Process]:
        """A Celery worker of all queues. It takes tasks as soon as it is up; wait for what the task does."""
        arguments = [sys.executable, "-m", "celery", "-A", "workers.celery", "worker", "-Q", "live,delivery,bulk"]
        quick = ["--concurrency", "1", "--without-gossip", "--without-mingle", "--loglevel", "WARNING"]
        with self._running(Process([*arguments, *quick], self.folder / "worker.log", self.env(**more))) as process:
            yield process

    @contextmanager
    def _running(self, process: Any) -> Iterator[Any]:
        try:
            process.start()
            yield process
        finally:
            if process.child is not None:
                process.stop()


def clean_environment() -> dict[str, str]:
    """Ours without what would lead a test to somebody else's servers."""
    led_elsewhere = {
        "DATABASE_URL",
        "REDIS_URL",
        "CHANNEL_REDIS_URLS",
        "CELERY_BROKER_URL",
        "PORT",
        "BASE_URL",
        "SERVER",
        "DEBUG",
        "DATA_DIR",
    }
    return {name: value for name, value in os.environ.items() if name not in led_elsewhere} | {"PYTHONUNBUFFERED": "1"}


def make_site(folder: Path, *, database: str = "", redis: str = "", **environment: str) -> Site:
    """A Signalbox in this folder whose tables are there. `database` and `redis` are addresses; without them SQLite and none.

    In a Redis that others use too it has a database of its own: a worker of one site takes no jobs that another left.
    """
    given = {"DATABASE_URL": database, "REDIS_URL": _own_database(redis), **environment}
    site = Site(folder, {name: value for name, value in given.items() if value})
    fill(site)
    return site


_databases = itertools.cycle(range(1, 16))


def _own_database(address: str) -> str:
    """The next database of that Redis, emptied."""
    if not address.endswith("/0"):
        return address
    import redis

    address = f"{address.removesuffix('/0')}/{next(_databases)}"
    with redis.Redis.from_url(address) as client:
        client.flushdb()
    return address


_filled: dict[tuple[str, str], Site] = {}  # by server (none: SQLite) and settings: one with its tables, empty


def fill(site: Site) -> None:
    """Give a site its tables, as a copy of what `migrate` made for the first of its kind: seconds of a core less for each other one."""
    address = urlsplit(site.environment.get("DATABASE_URL", ""))
    kind = (address.netloc, site.environment.get("DJANGO_SETTINGS_MODULE", ""))
    if kind not in _filled:
        folder = Path(tempfile.mkdtemp(prefix="sb-filled-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        name = f"filled_{uuid.uuid4().hex[:12]}"
        first = Site(folder, site.environment | ({"DATABASE_URL": _new_database(address, name)} if address.netloc else {}))
        first.manage("migrate", "--verbosity", "0")
        _filled[kind] = first
    if address.netloc:
        _new_database(address, address.path[1:], like=urlsplit(_filled[kind].environment["DATABASE_URL"]).path[1:])
    else:
        site.folder.mkdir(exist_ok=True)
        shutil.copy(_filled[kind].folder / "signalbox.sqlite3", site.folder)


def _new_database(address: SplitResult, name: str, *, like: str = "template1") -> str:
    """Make a database anew, empty or as a copy, on the server of this address. Returns its address."""
    import psycopg

    with psycopg.connect(address._replace(path="/postgres").geturl(), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{like}"')
    return address._replace(path=f"/{name}").geturl()
