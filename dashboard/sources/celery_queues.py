"""Celery: how many jobs wait in each queue, which workers there are, and what they are busy with."""

from functools import cache
from typing import Any, Literal

from celery import Celery
from django.conf import settings
from kombu.connection import Connection
from kombu.exceptions import OperationalError

from core.errors import Code, Problem
from core.jobs import QUEUES
from dashboard.sources.base import Found, Look, PollConfig, SourceKind, check_numbers, check_states, takes_numbers
from dashboard.widgets.base import WidgetKind

ANSWER = 1.0  # seconds that workers have to say that they are there


class CeleryConfig(PollConfig, frozen=True):
    figure: Literal["waiting", "workers", "busy", "states"] = "waiting"


class CelerySource(SourceKind):
    name = "celery"
    title = "Celery queues and workers"
    help = "waiting: jobs by queue, or of all; workers: how many; busy: jobs by worker, or of all; states: each worker, in a status grid."
    config = CeleryConfig
    every = 10

    def feeds(self, widget: WidgetKind) -> bool:
        return takes_numbers(widget) or widget.name == "status"

    def settings(self, config: Any, widget: WidgetKind) -> CeleryConfig:
        typed: CeleryConfig = super().settings(config, widget)
        if typed.figure == "states":
            check_states(widget)
        else:
            check_numbers(widget)
        return typed

    def look(self, config: CeleryConfig, widget: WidgetKind) -> Look:
        if not settings.CELERY_BROKER_URL:
            raise Problem(Code.UNAVAILABLE, "No broker is configured (REDIS_URL or CELERY_BROKER_URL): jobs run in the web process.")
        try:
            if config.figure == "waiting":
                return _lines(waiting(), widget, absent=None)
            busy = workers()
        except (OperationalError, OSError):
            raise Problem(Code.UNAVAILABLE, "The broker does not answer.") from None
        if config.figure == "workers":
            return Look([Found(len(busy))])
        if config.figure == "states":
            return Look([Found("up", name, f"up, {count} running") for name, count in busy.items()], absent="down")
        return _lines(busy, widget, absent=0)


def _lines(counts: dict[str, int], widget: WidgetKind, *, absent: object) -> Look:
    if not widget.several:
        return Look([Found(sum(counts.values()))])
    return Look([Found(count, name) for name, count in counts.items()], absent)


def waiting() -> dict[str, int]:
    """How many jobs wait in each queue."""
    patience = settings.CELERY_BROKER_TRANSPORT_OPTIONS | {"socket_timeout": 2, "socket_connect_timeout": 2}
    with Connection(settings.CELERY_BROKER_URL, connect_timeout=2, transport_options=patience) as connection:  # type: ignore[no-untyped-call]
        connection.ensure_connection(max_retries=0, timeout=2)
        return {name: _length(connection, name) for name in QUEUES}


def _length(connection: Connection, queue: str) -> int:
    # A channel of its own: one that was refused is closed.
    with connection.channel() as channel:  # type: ignore[no-untyped-call]
        try:
            return int(channel.queue_declare(queue=queue, passive=True).message_count)
        except connection.channel_errors:
            return 0  # Redis knows no empty queue


def workers() -> dict[str, int]:
    """The workers that answer, by a name that may be a series', and how many jobs each is at."""
    answers: dict[str, list[Any]] = _app().control.inspect(timeout=ANSWER).active() or {}
    return {name.replace("@", ".")[:64]: len(jobs) for name, jobs in sorted(answers.items())}


@cache
def _app() -> Celery:
    app = Celery("signalbox-inspector", broker=settings.CELERY_BROKER_URL, set_as_current=False)
    app.conf.update(
        broker_connection_retry=False,
        broker_connection_max_retries=0,
        broker_connection_timeout=2,
        broker_transport_options=settings.CELERY_BROKER_TRANSPORT_OPTIONS
        | {"max_retries": 0, "socket_timeout": 2, "socket_connect_timeout": 2},
    )
    return app
