"""Who may read and write which room. A refusal looks like absence."""

from collections.abc import Collection
from typing import Any

from django.db.models import Q, QuerySet

from notifications.rooms.models import Membership, Room
from notifications.rooms.people import Person

MODERATING = frozenset({Membership.Role.OWNER, Membership.Role.MODERATOR})


class NoSuchRoom(LookupError):
    """There is no such room, or not for this person; a stranger cannot tell which."""


class ReadOnly(PermissionError):
    """The person may read this room, and nobody writes in it any more."""


def room_for_reader(slug: str, person: Person) -> Room:
    """The room of that address. Raises NoSuchRoom."""
    room = rooms_for(person).filter(slug=slug.lower()).first()
    if room is None:
        raise NoSuchRoom(slug)
    return room


def room_for_member(slug: str, person: Person) -> Room:
    """The room of that address, to write in. Raises NoSuchRoom, ReadOnly."""
    room = room_for_reader(slug, person)
    if room.archived_at:
        raise ReadOnly(slug)
    return room


def rooms_for(person: Person) -> QuerySet[Room]:
    """The rooms that this person may read."""
    return Room.objects.filter(_open_to(person))


def names(user: str, *, count: int = 5) -> list[str]:
    """The addresses of a few rooms that this user (primary key as text; empty for a guest) may read."""
    return list(Room.objects.filter(_open_to_user(user or None), archived_at=None).order_by("slug").values_list("slug", flat=True)[:count])


def role(room: Room, person: Person) -> str:
    """owner, moderator, member; guest for a guest, and "" for who is only passing through."""
    if person.is_guest:
        return "guest"
    return Membership.objects.filter(room=room, user_id=person.user_id).values_list("role", flat=True).first() or ""


def moderates(room: Room, person: Person) -> bool:
    """Whether this person may delete others' messages and send people out."""
    return role(room, person) in MODERATING


def _open_to(person: Person) -> Q:
    return _open_to_user(person.user_id)


def _open_to_user(user_id: Any) -> Q:
    if user_id is None:
        return Q(access=Room.Access.GUESTS)
    own = Membership.objects.filter(user_id=user_id).values("room_id")
    return Q(access__in=[Room.Access.GUESTS, Room.Access.PUBLIC]) | Q(pk__in=own)


def readable(users: Collection[str], keys: Collection[str]) -> set[tuple[str, str]]:
    """Of users (primary keys as text; empty for a guest) and room keys, the pairs that may read. At most two queries."""
    pks = [int(key) for key in keys if is_key(key)]
    access = {str(pk): kind for pk, kind in Room.objects.filter(pk__in=pks).values_list("pk", "access")}
    closed = [key for key, kind in access.items() if kind == Room.Access.MEMBERS]
    members = _memberships([user for user in users if user], closed) if closed else set()
    return {
        (user, key)
        for key, kind in access.items()
        for user in users
        if kind == Room.Access.GUESTS or (user and kind == Room.Access.PUBLIC) or (user, key) in members
    }


def _memberships(users: list[str], keys: list[str]) -> set[tuple[str, str]]:
    rows: Any = Membership.objects.filter(user_id__in=users, room_id__in=keys).values_list("user_id", "room_id")
    return {(str(user), str(room)) for user, room in rows}


def is_key(key: str) -> bool:
    """Whether a channel key can be a room's primary key."""
    return key.isascii() and key.isdigit() and len(key) <= 18
