"""The Celery app: `celery -A workers.celery worker` and `... beat`: docs/jobs.md. Its settings are Django's `CELERY_...`.

A task is acknowledged when it is done, so a killed worker's tasks run again; they work off rows that are due, claim them, and do not mind.
Celery produces events by `publish` like everybody else; it is never the way they travel.
"""

import os
from typing import Any

from celery import Celery
from celery.signals import worker_process_init
from django.conf import settings
from kombu.entity import Exchange, Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")

from core.garbage import collect_seldom
from core.jobs import QUEUES, registered


def _queue_of(name: str, *args: Any, **options: Any) -> dict[str, str] | None:
    """The queue of a registered job's task; None leaves the others to what their sender says, else to the default queue."""
    return next(({"queue": job.queue} for job in registered() if job.task == name), None)


app = Celery("signalbox")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(
    task_queues=[Queue(name, Exchange(name, type="direct"), routing_key=name) for name in QUEUES],  # type: ignore[no-untyped-call]
    task_routes=[_queue_of],
    task_default_queue="delivery",
    task_default_exchange="delivery",
    task_default_routing_key="delivery",
    result_expires=None,  # there are no results, so beat must not plan to clear them away
    worker_send_task_events=False,
    broker_transport_options=settings.CELERY_BROKER_TRANSPORT_OPTIONS
    | {"socket_timeout": 5, "socket_connect_timeout": 1, "health_check_interval": 10},
    beat_scheduler="workers.schedule:Scheduler",
)
app.autodiscover_tasks(["workers"])


@worker_process_init.connect(dispatch_uid="signalbox-garbage")  # type: ignore[untyped-decorator]
def begin(**_: Any) -> None:
    collect_seldom()
