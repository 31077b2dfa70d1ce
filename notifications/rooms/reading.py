"""How far each member has read: stored, counted, and told to all pages she has open."""

from collections.abc import Sequence
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import IntegerField, OuterRef, Subquery

from core.delivery import history as delivered
from notifications import actions as notifications
from notifications.models import InboxItem
from notifications.rooms.actions import tell_read
from notifications.rooms.models import Membership, Message, Room

MOST = 100  # unread messages that are counted


class CountUpTo(Subquery):
    """How many rows a sliced query has."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) counted)"
    output_field = IntegerField()


def position(room: Room, user_id: Any) -> int | None:
    """The offset up to which this member has read; None for who is no member."""
    return Membership.objects.filter(room=room, user_id=user_id).values_list("last_read", flat=True).first() if user_id else None


def unread(room: Room, user_id: Any, *, after: int) -> int:
    """How many messages of others came after an offset; counted up to MOST."""
    return int(_unread(user_id).filter(room=room, offset__gt=after)[:MOST].count())


def unread_in_rooms(user_id: Any) -> CountUpTo:
    """The same as a column of rooms that carry `last_read`."""
    return CountUpTo(_unread(user_id).filter(room=OuterRef("pk"), offset__gt=OuterRef("last_read")).values("pk")[:MOST])


def _unread(user_id: Any) -> Any:
    return Message.objects.filter(offset__isnull=False, deleted_at=None).exclude(author=f"user:{user_id}")


def _read_notifications(room: Room, user_key: str, offset: int) -> None:
    """Who has read a message need not be told of it any more."""
    user = get_user_model()._default_manager.get(pk=user_key)
    unread = InboxItem.objects.filter(user=user, read_at=None, notification__data__room=room.pk, notification__withdrawn_at=None)
    about = {pk: data.get("message") for pk, data in unread.values_list("notification", "notification__data")[:MOST]}
    had = set(Message.objects.filter(pk__in=about.values(), offset__lte=offset).values_list("pk", flat=True)) if about else set()
    if had:
        notifications.mark_read(user, [pk for pk, message in about.items() if message in had])


def mark_read(room_key: str, user_key: str, offsets: Sequence[int]) -> bool:
    """Note that a member has had everything up to these offsets before her eyes. Positions only grow, and not beyond the newest event."""
    room = Room.objects.filter(pk=room_key).first()
    if room is None:
        return False
    offset = min(max(offsets), delivered.heads([room.channel])[room.channel])
    with transaction.atomic():
        moved = Membership.objects.filter(room=room, user_id=user_key, last_read__lt=offset).update(last_read=offset)
        if moved:
            tell_read(room, user_key=user_key, offset=offset)
            _read_notifications(room, user_key, offset)
    return bool(moved)
