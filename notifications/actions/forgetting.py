"""What is older than KEEP_DAYS goes: inboxes, what was said, broadcasts with their progress, slots of schedules."""

from collections import defaultdict
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from core import retention
from notifications.actions import events
from notifications.models import Broadcast, Delivery, InboxItem, Notification, Schedule

PORTION = 1000
IDS = 500  # in one event


def forget_old(*, now: datetime | None = None) -> int:
    """The job: returns how many inbox items went. What is put off until later, still to come, or still being sent stays."""
    now = now or timezone.now()
    before = retention.cutoff(now)
    if before is None:
        return 0
    gone = 0
    old = InboxItem.objects.filter(arrived_at__lt=before).filter(Q(snoozed_until=None) | Q(snoozed_until__lt=now))
    while portion := list(old.values_list("pk", "user", "notification", "read_at", "archived_at")[:PORTION]):
        _forget(portion)
        gone += len(portion)
    Schedule.objects.filter(slot__lt=before).delete()
    Broadcast.objects.filter(finished_at__lt=before).delete()  # with its chunks; its inbox items are as old
    _forget_unheld(before)
    return gone


def _forget(portion: list[Any]) -> None:
    counted: dict[Any, list[int]] = defaultdict(list)
    for _, user, notification, read_at, archived_at in portion:
        if read_at is None and archived_at is None:
            counted[user].append(notification)
    keys = [pk for pk, *_ in portion]
    with transaction.atomic():
        Delivery.objects.filter(item__in=keys).delete()
        InboxItem.objects.filter(pk__in=keys).delete()
        # Open pages count what is unread: these are told.
        for start in range(0, PORTION, IDS):
            events.publish_gone({user: ids[start : start + IDS] for user, ids in counted.items()})


def _forget_unheld(before: datetime) -> None:
    """What was said and is in nobody's inbox any more."""
    said = Notification.objects.filter(updated_at__lt=before, items=None, broadcast=None).exclude(deliver_at__gt=before, delivered_at=None)
    while portion := list(said.values_list("pk", flat=True)[:PORTION]):
        Notification.objects.filter(pk__in=portion).delete()
