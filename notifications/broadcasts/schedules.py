"""Broadcasts that recur. A slot is a row: whoever inserts it sends, so that two beats, or a task run twice, do no harm.

After beat was down, the slot of now is sent and the missed ones are not: an old hour's news is no news.
"""

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from notifications.broadcasts.actions import broadcast
from notifications.models import Broadcast, Schedule


def send_hourly(now: datetime | None = None) -> Broadcast | None:
    """The job `hourly_broadcast`: one broadcast to everybody for this hour. None when this hour's was sent before."""
    slot = (now or timezone.now()).replace(minute=0, second=0, microsecond=0)
    with transaction.atomic():
        schedule = _claimed("hourly", slot)
        if schedule is None:
            return None
        made = broadcast(
            "all",
            title=f"It is {slot:%H:%M} UTC",
            body="This goes out every hour. It can be switched off in the admin, under Periodic tasks.",
            expires_at=slot + timedelta(days=1),
        )
        Schedule.objects.filter(pk=schedule.pk).update(broadcast=made)
        return made


def _claimed(name: str, slot: datetime) -> Schedule | None:
    try:
        with transaction.atomic():
            return Schedule.objects.create(name=name, slot=slot)
    except IntegrityError:
        return None
