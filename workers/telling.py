"""What a Celery worker tells about itself, in a row of `Process` beside those of the web processes: that it works, and on what."""

import hashlib
import logging
import time
from datetime import timedelta
from typing import Any

from celery.signals import worker_process_shutdown
from django.db import DatabaseError
from django.db.models.functions import Now

from core import health, tallies
from core.models import Process

logger = logging.getLogger(__name__)

HEARD = timedelta(seconds=30)  # how long a worker counts as there after its newest job began or ended
EVERY = 5.0  # seconds between two notes of one process of a worker
_told_at = float("-inf")


def tell(worker: str, job: str) -> None:
    """Note that this worker (Celery's name of it) works on this job; at most every few seconds, and never in the way of the job."""
    global _told_at
    now = time.monotonic()
    if not worker or now - _told_at < EVERY:
        return
    _told_at = now
    key = health.WORKER_PREFIX + hashlib.sha256(worker.encode()).hexdigest()[:16]
    row: dict[str, Any] = {"expires_at": Now() + HEARD, "figures": {"worker": worker[:100], "job": job}}
    try:
        if not Process.objects.filter(id=key).update(**row):
            Process.objects.bulk_create([Process(id=key, **row)], ignore_conflicts=True)
    except DatabaseError as error:
        logger.debug("a worker's note was not written: %s", error)


@worker_process_shutdown.connect(dispatch_uid="signalbox-tallies")  # type: ignore[untyped-decorator]
def write_what_is_left(**_: Any) -> None:
    """A process of a worker ends: what it counted and has not written yet is written now."""
    tallies.write()
