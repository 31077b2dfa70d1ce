"""What we are measured against: a server that takes a message and sends it to every socket. Each peer is a file of this folder."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.processes import SERVER, as_urgent_as_we_are, on_core
from tests.support.servers import Process, accepts, wait_until


class Missing(Exception):
    """The peer is not on this machine; the text says how to get it."""


@dataclass(frozen=True, slots=True)
class Running:
    """A peer that runs: its process, where its sockets are, and by which way (publisher.py) it is published to."""

    pid: int
    url: str
    publishing: dict[str, Any]
    speaks: str = "plain"
    environment: dict[str, str] | None = None  # of the publisher


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer: `start` yields it running, or raises Missing."""

    name: str
    start: Callable[[Path], AbstractContextManager[Running]]
    options: dict[str, Any] = field(default_factory=dict)


@contextmanager
def served(arguments: Sequence[str], *, port: int, folder: Path, environment: dict[str, str] | None = None) -> Iterator[Process]:
    """A server's process on the measured core, once it accepts."""
    process = Process(list(arguments), folder / f"{Path(arguments[0]).name}-{port}.log", environment)
    try:
        with on_core(SERVER):
            process.start()
        as_urgent_as_we_are(process.pid)
        wait_until(lambda: accepts(port), described=" ".join(arguments[:3]), log=process.log)
        yield process
    finally:
        process.stop()


PYTHON = sys.executable
__all__ = ["PYTHON", "Missing", "Peer", "Running", "served"]
