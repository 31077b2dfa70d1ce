"""A wall clock that can be set while a process runs: CHAOS_CLOCK=<file> holds by how many seconds it is wrong.

By hand, since libfaketime (0.9.10) breaks every timed wait of a Python from 3.11 on, with and without its faking of the monotonic clock.
Moved are `time.time`, Django's now, Celery's and beat's, and SQLite's 'now', which is the database's clock there; timers run on, as with
a clock that is set.
"""

import sqlite3
import time
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

from celery import Celery
from celery.worker import request
from django.db.backends.signals import connection_created
from django.utils import timezone

LOOK = 0.2  # seconds

_real_time, _real_time_ns = time.time, time.time_ns


class Moved:
    """Says by how much the clock is wrong now."""

    def __init__(self, path: str) -> None:
        self._path, self._looked, self._seconds = Path(path), float("-inf"), 0.0

    def seconds(self) -> float:
        if time.monotonic() - self._looked > LOOK:
            self._looked = time.monotonic()
            self._seconds = float(self._path.read_text() or 0)
        return self._seconds


def install(path: str) -> None:
    from django_celery_beat.schedulers import ModelEntry  # models, which are there once the apps are
    from django_celery_beat.tzcrontab import TzAwareCrontab

    moved = Moved(path)

    class Datetime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return datetime.fromtimestamp(_real_time() + moved.seconds(), tz)

    def strftime(form: str, when: str, *modifiers: Any) -> Any:
        if when.lower() == "now":
            when = datetime.fromtimestamp(_real_time() + moved.seconds(), UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        return _sqlite.execute(f"SELECT strftime({', '.join(['?'] * (2 + len(modifiers)))})", (form, when, *modifiers)).fetchone()[0]

    def own_clock(sender: Any, connection: Any, **_: Any) -> None:
        if connection.vendor == "sqlite":
            connection.connection.create_function("strftime", -1, strftime)

    _sqlite = sqlite3.connect(":memory:", check_same_thread=False)
    time.time = lambda: _real_time() + moved.seconds()
    time.time_ns = lambda: _real_time_ns() + int(moved.seconds() * 1e9)
    timezone.datetime = Datetime  # type: ignore[attr-defined]
    request.datetime = Datetime
    Celery.now = lambda app: Datetime.now(app.timezone)
    TzAwareCrontab.nowfunc = lambda crontab: Datetime.now(crontab.tz)
    ModelEntry._default_now = lambda entry: Datetime.now(entry.app.timezone)
    connection_created.connect(own_clock, weak=False)
