"""Beat's timetable: a row for every job with an `every` or a `cron`, written at migrate and switched in the admin: docs/jobs.md."""

import logging
import os
import secrets
import socket
import time
from contextlib import suppress
from datetime import datetime
from typing import Any

from django.db import DatabaseError, transaction
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask, PeriodicTasks
from django_celery_beat.schedulers import DatabaseScheduler

from core import health, jobs, leases

logger = logging.getLogger(__name__)

HEARTBEAT = 5.0
LEASE_NAME = "beat"
LEASE = 15  # seconds
STANDBY = 2.0  # seconds between two looks of a beat that stands by


def sync() -> int:
    """Write the rows that are missing and keep task and queue right; what the admin set stays. Returns how many are new."""
    wanted = {f"signalbox: {job.name}": job for job in jobs.registered() if job.every or job.cron}
    known = {row.name: row for row in PeriodicTask.objects.filter(name__in=wanted)}
    with transaction.atomic():
        for name, row in known.items():
            _keep(row, wanted[name])
        new = [_row(name, job) for name, job in wanted.items() if name not in known]
        PeriodicTask.objects.bulk_create(new, ignore_conflicts=True)
        if new:
            PeriodicTasks.update_changed()
    return len(new)


def _row(name: str, job: jobs.Job) -> PeriodicTask:
    return PeriodicTask(name=name, task=job.task, queue=job.queue, enabled=job.enabled, expire_seconds=_expires(job), **_when(job))


def _keep(row: PeriodicTask, job: jobs.Job) -> None:
    if (row.task, row.queue, row.expire_seconds) != (job.task, job.queue, _expires(job)):
        row.task, row.queue, row.expire_seconds = job.task, job.queue, _expires(job)
        row.save(update_fields=["task", "queue", "expire_seconds"])


def _expires(job: jobs.Job) -> int | None:
    return int(job.expires) if job.expires else None


def _when(job: jobs.Job) -> dict[str, Any]:
    if job.every:
        return {"interval": _one(IntervalSchedule, every=job.every, period=IntervalSchedule.SECONDS)}
    minute, hour, day, month, weekday = job.cron.split()
    fields = {"minute": minute, "hour": hour, "day_of_month": day, "month_of_year": month, "day_of_week": weekday, "timezone": "UTC"}
    return {"crontab": _one(CrontabSchedule, **fields)}


def _one(model: Any, **fields: Any) -> Any:
    """The first row that says this, or a new one. Nothing keeps these tables from holding two equal ones, at which get_or_create raises."""
    return model.objects.filter(**fields).order_by("pk").first() or model.objects.create(**fields)


class Scheduler(DatabaseScheduler):  # type: ignore[misc]
    """django-celery-beat's scheduler, of which one works at a time: it holds a lease in the database, and says that it lives.

    Any number of beats may run. When the one that works ends, the next takes over at once; when it was killed or stopped, within LEASE.
    """

    sync_every = LEASE  # what ran when is written as often, so that whoever takes over does not run it again
    _said_at = float("-inf")
    _leads = False
    _waits = False  # for a database that is away

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.holder = f"{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(4)}"
        super().__init__(*args, **kwargs)

    def tick(self, *args: Any, **kwargs: Any) -> float:
        if not self._may_work():
            return STANDBY
        wait: float = super().tick(*args, **kwargs)
        if time.monotonic() - self._said_at >= HEARTBEAT:
            self._said_at = time.monotonic()
            self._say_alive()
        return min(wait, HEARTBEAT)

    def close(self) -> None:
        super().close()
        if self._leads:
            with suppress(DatabaseError):  # it runs out by itself
                leases.give_up(LEASE_NAME, holder=self.holder)

    def sync(self) -> None:
        # What another one did since would be overwritten.
        if self._leads:
            super().sync()

    def _may_work(self) -> bool:
        try:
            leads = leases.take(LEASE_NAME, holder=self.holder, seconds=LEASE)
        except DatabaseError as error:
            if not self._waits:
                logger.warning("Beat waits for the database: %s", " ".join(str(error).split())[:300])
            self._waits = True
            return False
        if self._waits:
            logger.warning("Beat finds the database again.")
        self._waits = False
        if leads != self._leads:
            logger.info("This beat works from now on." if leads else "Another beat works; this one stands by.")
            self._dirty.clear()
            if leads:
                self._start_afresh()
        self._leads = leads
        return leads

    def _start_afresh(self) -> None:
        """Read when everything last ran: another one did it until now."""
        self._schedule = self.all_as_schedule()
        self._initial_read, self._last_full_sync = False, datetime.now()
        self._heap: list[Any] = []
        self._heap_invalidated = True

    def _say_alive(self) -> None:
        try:
            health.note_alive(health.BEAT)
        except DatabaseError as error:
            # The database is away or busy: beat keeps its time and says so at its next turn.
            logger.warning("Beat could not say that it lives: %s", type(error).__name__)
