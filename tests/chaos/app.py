"""What the checker installs in every process of a Signalbox under test: its kinds, and what the environment asks for.

CHAOS_TIMES=fanout.SLOW=6,recheck.RECHECK=5   constants of core.delivery, so that a row need not wait for hours
CHAOS_PING=4                           the servers' protocol pings: every so many seconds, and as long to answer
CHAOS_FAILPOINT=sequenced:kill@40      a failpoint that fails at its 40th passing, not at its first
CHAOS_SABOTAGE=lost                    see sabotage.py
CHAOS_FULL=<file>                      while that file is there, SQLite's disk is full
CHAOS_CLOCK=<file>                     by how many seconds the wall clock is wrong; see clock.py
CHAOS_TASK=0.3                         seconds that a background task dawdles inside its transaction
"""

import os
import time
from importlib import import_module
from typing import Any

from django.apps import AppConfig
from django.db.backends.signals import connection_created

from tests.chaos import clock, sabotage


class Queries:
    """How many statements this process has sent to the database."""

    count = 0

    @classmethod
    def note(cls, execute: Any, *given: Any) -> Any:
        cls.count += 1
        return execute(*given)


def _count_queries(sender: Any, connection: Any, **_: Any) -> None:
    # A pooled connection is "created" every time it is taken.
    if Queries.note not in connection.execute_wrappers:
        connection.execute_wrappers.append(Queries.note)


class ChaosConfig(AppConfig):
    name = "tests.chaos"
    label = "signalbox_chaos"

    def ready(self) -> None:
        from core.delivery.channel import registry
        from tests.chaos import kinds

        for kind in kinds.ALL:
            registry.register(kind())
        connection_created.connect(_count_queries)
        for name, install in _INSTALLERS.items():
            if os.environ.get(name):
                install(os.environ[name])


def _hurry(text: str) -> None:
    for part in text.split(","):
        name, _, value = part.partition("=")
        module, _, constant = name.rpartition(".")
        loaded = import_module(f"core.delivery.{module}")
        if not hasattr(loaded, constant):
            raise LookupError(f"There is no core.delivery.{name}.")
        setattr(loaded, constant, float(value))


def _ping(text: str) -> None:
    """Both servers take their pings as arguments, which the launcher gives; ours are shorter."""
    from daphne.server import Server
    from uvicorn import Config

    _override(Config, ws_ping_interval=float(text), ws_ping_timeout=float(text))
    _override(Server, ping_interval=float(text), ping_timeout=float(text))


def _override(cls: Any, **values: Any) -> None:
    make = cls.__init__

    def made(self: Any, *args: Any, **given: Any) -> None:
        make(self, *args, **(given | values))

    cls.__init__ = made


def arm(text: str) -> None:
    """Have a failpoint fail at its n-th passing from now on: `sequenced:kill@40`."""
    from core.delivery import failpoints

    where, _, passing = text.partition("@")
    name, act = failpoints._parse(where)
    left = [int(passing or 1)]

    def act_in_time() -> None:
        left[0] -= 1
        if left[0] == 0:
            act()

    failpoints._name, failpoints._act = name, act_in_time


def _full_disk(path: str) -> None:
    """SQLite's own way to have no room: a largest number of pages, which every connection has for itself."""

    def watch(sender: Any, connection: Any, **_: Any) -> None:
        if connection.vendor == "sqlite" and not any(isinstance(one, _Full) for one in connection.execute_wrappers):
            connection.execute_wrappers.append(_Full(path))

    connection_created.connect(watch, weak=False)


class _Full:
    def __init__(self, path: str) -> None:
        self._path, self._is_full = path, False

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if os.path.exists(self._path) != self._is_full:
            self._is_full = not self._is_full
            pages = 1 if self._is_full else 2**30  # SQLite makes of 1 as many as there are
            context["connection"].connection.execute(f"PRAGMA max_page_count = {pages}")
        return execute(sql, params, many, context)


def _dawdle(text: str) -> None:
    """Time to kill a worker in the middle of a task: after its rows, before its commit."""
    from notifications.actions import due

    publish_many = due.publish_many

    def slowly(events: Any) -> Any:
        ids = publish_many(events)
        time.sleep(float(text))
        return ids

    due.publish_many = slowly


_INSTALLERS = {
    "CHAOS_CLOCK": clock.install,
    "CHAOS_TIMES": _hurry,
    "CHAOS_PING": _ping,
    "CHAOS_FAILPOINT": arm,
    "CHAOS_SABOTAGE": lambda verdict: sabotage.WAYS[verdict](),
    "CHAOS_FULL": _full_disk,
    "CHAOS_TASK": _dawdle,
}
