"""The mission's shape for a real worker: a task that notifies and records, and a model whose `post_save` notifies."""

from typing import Any

from django.contrib.auth.models import Group
from django.db.models.signals import post_save


def notify_somebody() -> None:
    """A task that notifies, as any project's task would."""
    from notifications.actions import notify

    notify("user:alice", title="From a worker")


def record_something() -> None:
    """A task that records a value."""
    from dashboard.actions import record

    record("this-machine/memory", 42.5)


def save_a_model() -> None:
    """The task that saves a model, and knows nothing of notifications."""
    Group.objects.create(name="mission")


def _tell(sender: Any, instance: Group, created: bool, raw: bool = False, **_: Any) -> None:
    from notifications.actions import notify

    if created and not raw and instance.name == "mission":
        notify("user:alice", title="From a signal")


def connect() -> None:
    from core import jobs

    for task in (notify_somebody, record_something, save_a_model):
        jobs.register(task.__name__, task, queue="live")
    post_save.connect(_tell, sender=Group, dispatch_uid="signalbox-tests-mission")
