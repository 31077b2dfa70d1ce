"""How the database, Redis and the workers are: their states in a grid, or one figure."""

import time
from collections.abc import Callable
from typing import Any, Literal

import redis
from django.conf import settings
from django.db import DatabaseError, connection

from core import health, redis_addresses
from core.errors import Code, Problem
from dashboard.sources.base import Found, Look, PollConfig, SourceKind, check_numbers, check_states, takes_numbers
from dashboard.widgets.base import WidgetKind

SLOW = 0.25  # seconds for a question that asks for nothing
PARTS: tuple[tuple[str, Callable[[], health.Missing | None]], ...] = (
    ("database", health.database),
    ("redis", health.redis_reachable),
    ("broker", health.broker),
    ("worker", health.worker),
    ("beat", health.beat),
)


class HealthConfig(PollConfig, frozen=True):
    figure: Literal[
        "states", "database_ms", "database_mb", "database_connections", "redis_ms", "redis_mb", "redis_clients", "redis_commands"
    ] = "states"


class HealthSource(SourceKind):
    name = "health"
    title = "Database and Redis"
    help = "states: database, Redis, broker, worker and beat in a status grid; the others are one number each."
    config = HealthConfig
    every = 10

    def feeds(self, widget: WidgetKind) -> bool:
        return takes_numbers(widget) or widget.name == "status"

    def settings(self, config: Any, widget: WidgetKind) -> HealthConfig:
        typed: HealthConfig = super().settings(config, widget)
        if typed.figure == "states":
            check_states(widget)
        else:
            check_numbers(widget)
        return typed

    def look(self, config: HealthConfig, widget: WidgetKind) -> Look:
        if config.figure == "states":
            return Look([_state(name, check) for name, check in PARTS])
        about, _, figure = config.figure.partition("_")
        return Look([Found(_database(figure) if about == "database" else _redis(figure))])


def _state(name: str, check: Callable[[], health.Missing | None]) -> Found:
    began = time.monotonic()
    missing = check()
    if missing is None:
        return Found("slow" if time.monotonic() - began > SLOW else "up", name)
    # Not configured is a choice and no fault.
    chosen = "is not set" in missing.why or "There is none" in missing.why
    return Found("off" if chosen else "down", name, "not in use" if chosen else "no answer")


def _database(figure: str) -> float:
    began = time.perf_counter()
    try:
        with connection.cursor() as cursor:
            cursor.execute(_QUESTIONS[connection.vendor][figure])
            answer = float(cursor.fetchone()[0])
    except DatabaseError:
        raise Problem(Code.UNAVAILABLE, "The database does not answer.") from None
    return round((time.perf_counter() - began) * 1000, 2) if figure == "ms" else answer


_QUESTIONS = {
    "sqlite": {
        "ms": "SELECT 1",
        "mb": "SELECT page_count * page_size / 1e6 FROM pragma_page_count, pragma_page_size",
        "connections": "SELECT 1",  # a file knows of nobody but us
    },
    "postgresql": {
        "ms": "SELECT 1",
        "mb": "SELECT pg_database_size(current_database()) / 1e6",
        "connections": "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()",
    },
}


def _redis(figure: str) -> float:
    url = settings.REDIS_URL or (settings.CHANNEL_REDIS_URLS or [""])[0]
    if not url:
        raise Problem(Code.UNAVAILABLE, "No Redis is configured (REDIS_URL).")
    try:
        with redis_addresses.read(url).client(socket_timeout=2, socket_connect_timeout=2) as client:
            client.ping()
            began = time.perf_counter()
            known: Any = client.info() if figure != "ms" else client.ping()
            taken = (time.perf_counter() - began) * 1000
    except (redis.RedisError, OSError, ValueError):
        raise Problem(Code.UNAVAILABLE, "Redis does not answer.") from None
    match figure:
        case "mb":
            return round(float(known["used_memory"]) / 1e6, 2)
        case "clients":
            return float(known["connected_clients"])
        case "commands":
            return float(known["instantaneous_ops_per_sec"])
    return round(taken, 2)
