"""Taking turns at numbering inside one process: whoever had to wait for her turn usually finds her events numbered by it.

The group commit of databases: of eight threads that publish to one channel at once, one numbers for all.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

PLACES = 64  # locks: channels share them by hash, which costs a wait and nothing else


@dataclass(slots=True)
class _Place:
    lock: threading.Lock = field(default_factory=threading.Lock)
    channel: str = ""
    began: float = 0.0  # of the last numbering of `channel` that ended well


class Turns:
    """This process's turns, one at a time for each channel."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._open()
        os.register_at_fork(after_in_child=self._open)  # a lock's owner may not be there any more

    def _open(self) -> None:
        self._places = tuple(_Place() for _ in range(PLACES))

    @contextmanager
    def take(self, channel: str, patience: float) -> Iterator[bool]:
        """Wait for the turn, at most `patience` seconds: whether anything is left to do.

        False: a numbering that began after this call has ended, so that it saw whatever the caller had committed.
        """
        arrived, place = self._clock(), self._places[hash(channel) % PLACES]
        mine = place.lock.acquire(timeout=patience)
        try:
            began = self._clock()
            if mine and place.channel == channel and place.began >= arrived:
                yield False
            else:
                yield True
                if mine:
                    place.channel, place.began = channel, began
        finally:
            if mine:
                place.lock.release()


turns = Turns()
