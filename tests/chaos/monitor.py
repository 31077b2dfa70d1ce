"""Watches the web processes of a stage: what they use at the start and at the end, and what they repaired meanwhile."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.support.servers import Web

EVERY = 1.0  # seconds


@dataclass(frozen=True, slots=True)
class Use:
    """What one process uses."""

    memory: int
    files: int
    tasks: int


class Monitor:
    """Asks each web process once a second; one that is away is asked again."""

    def __init__(self, webs: list[Web]) -> None:
        self._webs = webs
        self._end = threading.Event()
        self.first: dict[int, dict[str, Any]] = {}  # by pid
        self.last: dict[int, dict[str, Any]] = {}
        self.most_held = 0
        self.history: dict[int, list[tuple[float, int]]] = {}  # pid -> (time, memory)

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self._watch, name="monitor", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._end.set()
            thread.join(5)

    def _watch(self) -> None:
        while not self._end.wait(EVERY):
            self.look()

    def look(self) -> None:
        """Ask every process now."""
        for web in list(self._webs):
            try:
                said = httpx.get(f"{web.url}/chaos/process", timeout=1).json()
            except (httpx.HTTPError, ValueError):
                continue
            self.first.setdefault(said["pid"], said)
            self.last[said["pid"]] = said
            self.history.setdefault(said["pid"], []).append((time.monotonic(), said["memory"]))
            self.most_held = max(self.most_held, said["most_held"])

    def sum(self, what: str) -> int:
        """A counter over all processes that ever ran, as far as they could still say."""
        return int(sum(said[what] for said in self.last.values()))

    def slope(self) -> float:
        """Bytes a minute by which the longest-lived process grew, after its first third."""
        points = max(self.history.values(), key=len)
        points = points[len(points) // 3 :]
        if len(points) < 2:
            return 0.0
        (start, before), (end, after) = points[0], points[-1]
        return (after - before) / max(1.0, end - start) * 60

    def use(self) -> tuple[Use, Use] | None:
        """What the process that answered last used at its start, and now."""
        if not self.last:
            return None
        pid = list(self.last)[-1]
        return _use(self.first[pid]), _use(self.last[pid])


def _use(said: dict[str, Any]) -> Use:
    return Use(said["memory"], said["files"], said["tasks"])
