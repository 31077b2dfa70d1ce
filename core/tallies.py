"""Counters of the whole installation: what workers count is told by whichever web process is scraped: docs/operations.md.

A worker answers no scrape. So each process keeps what it counted and adds it now and then to a row of `Tally`, in one UPDATE that waits for
nobody for long: after a job, before a scrape, as it ends. What a killed process had not written yet is not counted.
"""

import logging
import os
import threading
import time
from collections.abc import Iterable
from typing import Any

import msgspec
from django.apps import apps
from django.db import DatabaseError
from django.db.models import F

from core.metrics import Counter, Labels, line_of

logger = logging.getLogger(__name__)

EVERY = 2.0  # seconds between two writes of a process that works through job after job
_all: "list[SharedCounter]" = []


class SharedCounter(Counter):
    """A counter over all processes. `value` is what this process counted; /metrics tells everybody's."""

    def __init__(self, name: str, help: str, *, labels: tuple[str, ...] = ()) -> None:
        super().__init__(name, help, labels=labels)
        self._unwritten: dict[Labels, float] = {}
        _all.append(self)

    def inc(self, amount: float = 1, **labels: str) -> None:
        key = self._key(labels)
        with self._lock:
            self._values[key] = self._values.get(key, 0.0) + amount
            self._unwritten[key] = self._unwritten.get(key, 0.0) + amount

    def take(self) -> dict[Labels, float]:
        """What has not been written; it is the caller's now, who gives back what she could not write."""
        with self._lock:
            taken, self._unwritten = self._unwritten, {}
            return taken

    def give_back(self, left: dict[Labels, float]) -> None:
        with self._lock:
            for key, amount in left.items():
                self._unwritten[key] = self._unwritten.get(key, 0.0) + amount

    def _samples(self) -> Iterable[str]:
        try:
            rows = sorted(_rows().filter(name=self.name).values_list("labels", "value"))
        except DatabaseError:
            return []  # the scrape goes on without what only the database knows
        read = [(tuple(msgspec.json.decode(labels, type=list[str])), value) for labels, value in rows]
        # Labels may have changed since a row was written; an unlabelled counter is told from the start.
        told = [(key, value) for key, value in read if len(key) == len(self.labels)]
        return [
            line_of(self.name, zip(self.labels, key, strict=True), value) for key, value in told or ([] if self.labels else [((), 0.0)])
        ]


def _rows() -> Any:
    # Looked up when it is needed: Celery imports the jobs before there are models.
    return apps.get_model("signalbox", "Tally").objects


_written_at = float("-inf")
_writing = threading.Lock()


def write_soon() -> None:
    """Write what was counted, unless that was done a moment ago: then the next call does it."""
    if time.monotonic() - _written_at >= EVERY:
        write()


def write() -> None:
    """Write what was counted here. A database that is away gets it with the next call."""
    global _written_at
    with _writing:
        _written_at = time.monotonic()
        for counter in _all:
            taken = counter.take()
            try:
                # In one order, each in a statement of its own: two processes never hold what the other waits for.
                for key in sorted(taken):
                    _add(counter.name, msgspec.json.encode(key).decode(), taken[key])
                    del taken[key]
            except DatabaseError as error:
                logger.debug("counters wait for the database: %s", error)
            counter.give_back(taken)


def _add(name: str, labels: str, amount: float) -> None:
    row = _rows().filter(name=name, labels=labels)
    if not row.update(value=F("value") + amount):
        _rows().bulk_create([_rows().model(name=name, labels=labels)], ignore_conflicts=True)
        row.update(value=F("value") + amount)


def _forget() -> None:
    # The parent writes its own.
    global _writing
    _writing = threading.Lock()
    for counter in _all:
        counter._lock, counter._unwritten = threading.Lock(), {}


os.register_at_fork(after_in_child=_forget)
