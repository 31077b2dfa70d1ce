"""The job `broadcast_figures`: how many of a broadcast's people are connected, have seen it, have read it, while somebody wants to know.

Connected people are known to the web processes only: a roll call (stored nowhere) on the audience's channel asks them, each writes whom
of the people that it serves is meant (`standing.answer_roll_call`), and the next round counts them together.
"""

import time
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, Q
from django.db.models.functions import Now
from django.utils import timezone

from core.delivery.publishing import broadcast_unstored, publish_many
from core.jobs import wake
from core.models import Presence
from notifications.broadcasts.progress import progress_event
from notifications.models import Broadcast, BroadcastReach, InboxItem

ANSWERS = timedelta(seconds=15)  # how long what a process said counts
SOON = 200  # milliseconds: what is counted in less is counted every round
SHARE = 10  # of a million rows it takes a while to count who has read: at most a tenth of the time goes into that
NEWEST = 50  # broadcasts that are looked after


def measure_watched(now: datetime | None = None) -> None:
    """Measure those that are being written, and those whose progress somebody has open; tell their pages what changed."""
    now = now or timezone.now()
    BroadcastReach.objects.filter(asked_at__lte=now - ANSWERS).delete()
    newest = list(Broadcast.objects.filter(sent_at__isnull=False).order_by("-pk").values_list("pk", "state")[:NEWEST])
    watched = _watched([f"broadcast:{pk}" for pk, _ in newest])
    for pk, state in newest:
        if state == "sending" or f"broadcast:{pk}" in watched:
            _measure(pk, now=now)


def _watched(channels: list[str]) -> set[str]:
    return set(Presence.objects.filter(channel__in=channels, process__expires_at__gt=Now()).values_list("channel", flat=True))


def _measure(pk: int, *, now: datetime) -> None:
    broadcast_unstored(Broadcast.objects.values_list("channel", flat=True).get(pk=pk), "roll.call", {"broadcast": pk})
    made = Broadcast.objects.get(pk=pk)
    if made.measured_at and made.measuring_ms > SOON and now < made.measured_at + timedelta(milliseconds=SHARE * made.measuring_ms):
        return
    began = time.monotonic()
    is_read = Q(read_at__isnull=False)
    counts = {"seen": Count("pk", filter=Q(seen_at__isnull=False) | is_read), "read": Count("pk", filter=is_read)}
    items = InboxItem.objects.filter(notification=made.notification_id).aggregate(**counts)
    asleep = made.measured_at is not None and now > made.measured_at + ANSWERS
    # Who was not asked for so long, as while no worker ran, has not answered yet: better what was last known than nobody.
    figures = items if asleep and not made.reach.exists() else items | {"connected": min(_connected(pk), made.total)}
    _show(pk, figures, now=now, took=time.monotonic() - began)


def _connected(pk: int) -> int:
    """How many people the web processes named, each of them once."""
    people: set[str] = set()
    nameless = 0
    for named, count in BroadcastReach.objects.filter(broadcast=pk).values_list("people", "connected"):
        people.update(named or ())
        nameless += count if named is None else 0
    return len(people) + nameless


def _show(pk: int, figures: dict[str, int], *, now: datetime, took: float) -> None:
    with transaction.atomic():
        made = Broadcast.objects.select_for_update(no_key=True, skip_locked=True).filter(pk=pk).first()
        if made is None:
            return  # a chunk is being written: it tells the pages, and the next round is soon
        changed = any(getattr(made, name) != figure for name, figure in figures.items())
        for name, figure in (figures | {"measured_at": now, "measuring_ms": int(took * 1000)}).items():
            setattr(made, name, figure)
        made.save(update_fields=[*figures, "measured_at", "measuring_ms"])
        if changed or made.state == "sending":
            publish_many([progress_event(made)])
        if made.state == "sending":
            wake("broadcasts_due")  # whoever came to write while the row was held here went away
