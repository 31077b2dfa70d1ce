"""The bench's handle on its load clients (load.py) and its publisher (publisher.py): children that take a line and answer a line."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

from tests.bench.processes import CLIENT, on_core
from tests.support.servers import ROOT

Channels = Mapping[str, str | None]  # channel -> position


class Child:
    """A Python module that runs beside the bench, on the clients' core unless it is what is measured."""

    def __init__(self, module: str, environment: Mapping[str, str] | None = None, *, core: int = CLIENT) -> None:
        with on_core(core):
            self._child = subprocess.Popen(
                [sys.executable, "-m", module],
                cwd=ROOT,
                env=dict(environment) if environment is not None else None,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                bufsize=1,
            )
        self._answer()

    @property
    def pid(self) -> int:
        return self._child.pid

    def start(self, command: str, **given: Any) -> None:
        """Give a command; `answer` waits for its end."""
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps([command, given]) + "\n")

    def _answer(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            raise ChildProcessError(f"the child ended with {self._child.wait(5)}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def answer(self) -> dict[str, Any]:
        return self._answer()

    def call(self, command: str, **given: Any) -> dict[str, Any]:
        """Give a command and wait for its answer."""
        self.start(command, **given)
        return self._answer()

    def end(self) -> None:
        self._child.kill()
        self._child.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


@contextmanager
def crowd(url: str, cookies: Sequence[str], at: Channels | Sequence[Channels], **more: Any) -> Iterator[Child]:
    """As many sockets as there are cookies, all live; `at`: the channels of all, or of each."""
    channels = [at] * len(cookies) if isinstance(at, Mapping) else list(at)
    with Child("tests.bench.load") as child:
        given = {"speaks": "signalbox", "at_once": 100, **more}
        child.opened = child.call("open", url=url, cookies=list(cookies), at=channels, **given)  # type: ignore[attr-defined]
        opened = child.opened  # type: ignore[attr-defined]
        assert opened["live"] == len(cookies) and not opened["refused"], opened
        yield child


def deliver(clients: Child, publisher: Child, *, sockets: int, messages: int, rate: float, **how: Any) -> dict[str, Any]:
    """Publish so many messages at a steady rate and say how they arrived."""
    clients.call("begin", first=-1)
    publisher.start("publish", messages=messages, rate=rate, **how)
    found = clients.call("expect", marks=sockets * messages)
    return {**found, "expected": sockets * messages, "publishing": publisher.answer()}
