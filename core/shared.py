"""What many ask for at once is made once: when a whole crowd fetches a region again, the first one's is everybody's for a moment."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """Keeps what was made for a key for `seconds`, the newest `most` of them. Any thread.

    Only for what is the same for everybody who may ask, and only after asking whether she may: name in the key the position that was
    read before the data, so that whoever stands there gets nothing older than that.
    """

    def __init__(self, *, seconds: float = 1.0, most: int = 64, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._most, self._clock = seconds, most, clock
        self._made: OrderedDict[Hashable, tuple[float, T]] = OrderedDict()
        self._lock = threading.Lock()
        self._making: dict[Hashable, threading.Lock] = {}

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """What is kept for this key, else what `make` makes now; others who ask meanwhile wait for it. A failure is kept by nobody."""
        with self._lock:
            turn = self._making.setdefault(key, threading.Lock())
        try:
            with turn:
                kept = self._kept(key)
                if kept is None:
                    kept = (self._clock(), make())
                    self._keep(key, kept)
                return kept[1]
        finally:
            with self._lock:
                self._making.pop(key, None)

    def _kept(self, key: Hashable) -> tuple[float, T] | None:
        with self._lock:
            kept = self._made.get(key)
        return kept if kept is not None and self._clock() - kept[0] < self._seconds else None

    def _keep(self, key: Hashable, made: tuple[float, T]) -> None:
        with self._lock:
            self._made[key] = made
            self._made.move_to_end(key)
            while len(self._made) > self._most:
                self._made.popitem(last=False)
