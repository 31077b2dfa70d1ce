"""The faults, as `with` blocks: the fault is there inside the block and gone after it. Signals go to our own children only."""

import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import redis

from tests.support.servers import Postgres, Process, Valkey

# --- processes ---


@contextmanager
def killed(process: Process) -> Iterator[None]:
    """kill -9; started again after the block."""
    process.kill()
    try:
        yield
    finally:
        process.start()


@contextmanager
def stopped(process: Process) -> Iterator[None]:
    """SIGSTOP, and SIGCONT after the block."""
    os.killpg(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGCONT)


# --- Valkey ---


def _client(valkey: Valkey) -> redis.Redis:
    return redis.Redis(port=valkey.port, socket_timeout=5)


def flush(valkey: Valkey) -> None:
    """FLUSHALL: everything that it knew is gone."""
    with _client(valkey) as client:
        client.flushall()


def cut_subscribers(valkey: Valkey) -> None:
    """CLIENT KILL TYPE pubsub: every hub's connection ends."""
    with _client(valkey) as client:
        client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")


@contextmanager
def asleep(valkey: Valkey) -> Iterator[None]:
    """It answers nothing, as with DEBUG SLEEP; by SIGSTOP, so that it ends with the block."""
    with stopped(valkey):
        yield


@contextmanager
def out_of_memory(valkey: Valkey) -> Iterator[None]:
    with _client(valkey) as client:
        client.config_set("maxmemory", "1")
        try:
            yield
        finally:
            client.config_set("maxmemory", "0")


# --- Postgres ---


def restart_at_once(postgres: Postgres) -> None:
    """As `pg_ctl restart -m immediate`: no checkpoint, every connection dropped, recovery on start."""
    postgres.send(signal.SIGQUIT)
    assert postgres.child is not None
    postgres.child.wait(20)
    postgres.start()


_END_ALL = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend' AND application_name <> 'chaos'"
)


def terminate_backends(postgres: Postgres) -> None:
    """End everybody's connections but the checker's own."""
    postgres.run(_END_ALL)


@contextmanager
def exhausted(postgres: Postgres) -> Iterator[None]:
    """Every connection is taken, those that others had too."""
    with ExitStack() as stack:
        # Over one of ours: a place that is left free to ask is taken by whoever waits for one.
        _take_all(postgres, stack)[-1].execute(_END_ALL)
        _take_all(postgres, stack)
        yield


def _take_all(postgres: Postgres, stack: ExitStack) -> list[psycopg.Connection[Any]]:
    taken: list[psycopg.Connection[Any]] = []
    with suppress(psycopg.OperationalError):
        while True:
            taken.append(psycopg.connect(postgres.url(), connect_timeout=5, application_name="chaos"))
            stack.callback(taken[-1].close)
    return taken


# --- disks ---


@contextmanager
def small_disk(folder: Path, *, megabytes: int, owner: str = "") -> Iterator[Path]:
    """A file system of that size in a folder below. Raises PermissionError where we may not mount one."""
    place = Path(tempfile.mkdtemp(prefix="small-", dir=folder))
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs", str(place)], capture_output=True)
    if done.returncode:
        raise PermissionError("mounting takes root")
    try:
        if owner:
            shutil.chown(place, owner)
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@contextmanager
def full(place: Path) -> Iterator[None]:
    """Not a byte is left on this file system, however much is freed inside the block."""
    ballast = place / "ballast"
    try:
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(b"\0" * 65536)
        with suppress(OSError), ballast.open("ab", buffering=0) as file:
            while True:
                file.write(b"\0" * 512)
        yield
    finally:
        ballast.unlink(missing_ok=True)


@contextmanager
def marked(flag: Path) -> Iterator[None]:
    """A file that is there as long as the block: what CHAOS_FULL watches for."""
    flag.touch()
    try:
        yield
    finally:
        flag.unlink()


# --- clocks ---


@contextmanager
def clock_moved(file: Path, hours: int) -> Iterator[None]:
    """The wall clock of the processes that watch this file is hours away."""
    file.write_text(str(hours * 3600))
    try:
        yield
    finally:
        file.write_text("0")


# --- transactions ---


@contextmanager
def long_transaction(address: str, file: Path, statements: list[tuple[str, tuple[Any, ...]]]) -> Iterator[None]:
    """A transaction of somebody else's that has written and does not end before the block does; then it commits."""
    if address:
        with psycopg.connect(address) as connection:
            for statement, values in statements:
                connection.execute(statement, values)  # type: ignore[call-overload]
            yield
        return
    holder = sqlite3.connect(file, timeout=20, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    for statement, values in statements:
        holder.execute(statement.replace("%s", "?"), values)
    yield
    holder.execute("COMMIT")
    holder.close()
