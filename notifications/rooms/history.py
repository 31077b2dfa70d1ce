"""Reads of what was said. A message is on a page once its event is numbered; until then it is on its way as an event."""

from collections.abc import Sequence
from typing import Any

from notifications.rooms.models import Message, Room

NEWEST = 50
CONTEXT = 10  # offsets shown above a message that somebody was led to


def newest(room: Room, *, count: int = NEWEST, before: int | None = None) -> Sequence[Message]:
    """The newest messages of a room, or those just before an offset; oldest first."""
    rows = Message.objects.filter(room=room, offset__isnull=False, deleted_at=None)
    if before is not None:
        rows = rows.filter(offset__lt=before)
    return list(rows.order_by("-offset").prefetch_related("reactions")[:count])[::-1]


def following(room: Room, *, after: int, count: int = NEWEST) -> Sequence[Message]:
    """The first messages after an offset, oldest first."""
    rows = Message.objects.filter(room=room, offset__gt=after, deleted_at=None)
    return list(rows.order_by("offset").prefetch_related("reactions")[:count])


def message(room: Room, pk: int) -> Any:
    """A message that stands in the room, or None."""
    rows = Message.objects.filter(room=room, offset__isnull=False, deleted_at=None)
    return rows.filter(pk=pk).first() if pk < 2**63 else None


def before_newest(room: Room) -> int | None:
    """The offset of the oldest message among the newest; None when these are all."""
    rows = Message.objects.filter(room=room, offset__isnull=False, deleted_at=None)
    return rows.order_by("-offset").values_list("offset", flat=True)[NEWEST - 1 : NEWEST].first()


def after(room: Room, *, offset: int, upto: int, count: int) -> Sequence[Message]:
    """Up to `count` messages of `(offset, upto]`, oldest first."""
    rows = Message.objects.filter(room=room, offset__gt=offset, offset__lte=upto, deleted_at=None)
    return list(rows.order_by("offset").prefetch_related("reactions")[:count])
