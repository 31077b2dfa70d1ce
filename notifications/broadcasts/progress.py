"""How far a broadcast is: what its progress page shows, and what is pushed to it. Reads only."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.utils import timezone

from core.delivery.publishing import NewEvent
from notifications.models import Broadcast

LATELY = 10  # chunks that the rate is reckoned from


def progress_event(made: Broadcast) -> NewEvent:
    """The event that shows how it stands now. Publish it in the transaction that changed it, under the broadcast's row lock."""
    return NewEvent(f"broadcast:{made.pk}", "progress", about(made), key="progress")


def about(made: Broadcast, *, now: datetime | None = None) -> dict[str, Any]:
    """How it stands: people meant and written, connected, seen, read; rows a second lately, and seconds left (None: nobody can say).

    `last`: when rows came last, while it is being written. Without a worker nobody tells the page anything: it then shows for how long.
    """
    rate, last = _pace(made, now=now or timezone.now()) if made.state == "sending" else (0.0, None)
    left = max(made.total - made.written, 0)
    return {
        "state": made.state,
        "reason": made.reason,
        "total": made.total,
        "written": made.written,
        "connected": made.connected,
        "seen": made.seen,
        "read": made.read,
        "rate": round(rate),
        "left": round(left / rate) if rate else None,
        "last": last and last.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _pace(made: Broadcast, *, now: datetime) -> tuple[float, datetime | None]:
    """Rows a second over the newest chunks, none of them from before a pause; and when the newest came."""
    since = made.resumed_at or made.sent_at
    if since is None:
        return 0.0, None
    lately = list(made.chunks.filter(done_at__gt=since).order_by("-number").values_list("written", "done_at")[: LATELY + 1])
    if not lately:
        return 0.0, since
    last = lately[0][1]
    written = [count for count, _ in lately]
    if len(lately) > LATELY:
        since = lately[-1][1]
        written.pop()
    seconds = (now - since).total_seconds()
    return (sum(written) / seconds if seconds > 0 else 0.0), last


def events(pk: int) -> list[Mapping[str, Any]]:
    """A broadcast's progress in the form of its event."""
    made = Broadcast.objects.filter(pk=pk).first()
    if made is None:
        return []
    return [{"type": "progress", "key": "progress", "data": about(made), "at": made.created_at.timestamp()}]


def trail(made: Broadcast) -> list[LogEntry]:
    """Who did what with it, newest first."""
    about_it = LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(Broadcast), object_id=str(made.pk))
    return list(about_it.select_related("user").order_by("-action_time", "-pk")[:20])
