"""What this machine has for tests, and what to install where it has not."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from core import embedded, frontend


def chromium() -> str | None:
    """The browser's program, by CHROMIUM or one of its usual names."""
    given = os.environ.get("CHROMIUM", "")
    return given or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"))), None)


def postgres_program(name: str) -> str | None:
    """One of the server's programs: on the PATH, else where Debian keeps the newest version."""
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: float(path.parent.parent.name))
    return shutil.which(name) or (str(versions[-1]) if versions else None)


def valkey_program() -> str | None:
    try:
        return embedded.program()
    except Exception:  # noqa: BLE001 (whatever it is, there is none)
        return None


def nginx_program() -> str | None:
    """nginx, which Debian keeps where only root looks."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


def redis_program() -> str | None:
    """Debian's Redis, which speaks TLS and can be a Sentinel; the wheel's Valkey does not."""
    return shutil.which("redis-server")


def pgbouncer_program() -> str | None:
    """pgbouncer, which Debian keeps where only root looks."""
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")


NEEDS: dict[str, tuple[Callable[[], str | None], str]] = {
    "browser": (chromium, "apt install chromium"),
    "postgres": (lambda: postgres_program("initdb"), "apt install postgresql"),
    "valkey": (valkey_program, "pip install -r requirements-embedded.txt"),
    "redis": (redis_program, "apt install redis-server"),
    "pgbouncer": (pgbouncer_program, "apt install pgbouncer"),
    "nginx": (nginx_program, "apt install nginx"),
    "node": (frontend.node_program, "apt install nodejs npm"),
}


def missing() -> dict[str, str]:
    """What is not here -> how to get it."""
    return {name: how for name, (find, how) in NEEDS.items() if not find()}


def required() -> set[str]:
    """What REQUIRE= says must be here. Raises ValueError for a word that nobody knows."""
    words = {word.strip() for word in os.environ.get("REQUIRE", "").split(",") if word.strip()}
    if unknown := words - set(NEEDS):
        raise ValueError(f"REQUIRE names {', '.join(sorted(unknown))}; it knows {', '.join(NEEDS)}.")
    return words
