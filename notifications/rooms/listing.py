"""Lists of rooms: what each says last, how much of it a member has not read, who is there. Constant queries."""

from collections.abc import Sequence
from typing import Any

from django.db.models import BigIntegerField, F, OuterRef, Subquery, Value

from core.delivery import presence
from notifications.rooms import policy, reading
from notifications.rooms.models import Membership, Message
from notifications.rooms.people import Person
from notifications.rooms.text import excerpt

LISTED = 200
SHOWN_HERE = 3  # names of who is there

_LAST = {"name": "name", "html": "html", "at": "created_at"}


def listed(person: Person, *, count: int = LISTED) -> list[Any]:
    """The rooms this person may enter, the one with the newest message first.

    Each with `last_name`, `last_text` (its words on one line) and `last_at` of its newest message, and `unread` where she is a member.
    """
    last = Message.objects.filter(room=OuterRef("pk"), offset__isnull=False, deleted_at=None).order_by("-offset")
    parts: dict[str, Any] = {f"last_{label}": Subquery(last.values(column)[:1]) for label, column in _LAST.items()}
    rooms = policy.rooms_for(person).filter(archived_at=None).annotate(last_read=_last_read(person), **parts)
    found: list[Any] = list(
        rooms.annotate(unread=reading.unread_in_rooms(person.user_id)).order_by(F("last_at").desc(nulls_last=True), "slug")[:count]
    )
    for room in found:
        room.last_text = excerpt(room.last_html or "")
    return found


def _last_read(person: Person) -> Any:
    """Who is no member has nothing unread: nothing is greater than NULL."""
    if person.is_guest:
        return Value(None, output_field=BigIntegerField())
    return Subquery(Membership.objects.filter(room=OuterRef("pk"), user_id=person.user_id).values("last_read")[:1])


def keys(person: Person, *, count: int) -> list[int]:
    """The rooms that this person may enter, those she is a member of first."""
    rooms = policy.rooms_for(person).filter(archived_at=None).order_by("-pk")
    if not person.is_guest:  # Postgres orders by no NULL that is written out
        rooms = rooms.annotate(last_read=_last_read(person)).order_by(F("last_read").desc(nulls_last=True), "-pk")
    return list(rooms.values_list("pk", flat=True)[:count])


def with_people(rooms: Sequence[Any]) -> None:
    """Note in each room who is there now: a few names, and how many more."""
    crowds = presence.crowds(room.channel for room in rooms)
    for room in rooms:
        here = [who.rpartition("~")[0] or who for who in crowds.get(room.channel, [])]
        room.here, room.here_more = here[:SHOWN_HERE], max(0, len(here) - SHOWN_HERE)
