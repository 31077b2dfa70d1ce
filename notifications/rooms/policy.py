"""Who may read and write which room. A refusal looks like absence."""

from collections.abc import Collection
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from core.delivery.channel import Reader
from notifications.rooms.models import Membership, Restriction, Room
from notifications.rooms.people import Person, whos

MODERATING = frozenset({Membership.Role.OWNER, Membership.Role.MODERATOR})


class NoSuchRoom(LookupError):
    """There is no such room, or not for this person; a stranger cannot tell which."""


class ReadOnly(PermissionError):
    """The person may read this room, and nobody writes in it any more."""


class Muted(PermissionError):
    """The person may read this room, and not write in it for now."""


def room_for_reader(slug: str, person: Person) -> Room:
    """The room of that address. Raises NoSuchRoom."""
    room = rooms_for(person).filter(slug=slug.lower()).first()
    if room is None:
        raise NoSuchRoom(slug)
    return room


def room_for_member(slug: str, person: Person) -> Room:
    """The room of that address, to write in. Raises NoSuchRoom, ReadOnly, Muted."""
    room = room_for_reader(slug, person)
    if room.archived_at:
        raise ReadOnly(slug)
    if in_force(Restriction.Kind.MUTE).filter(room=room, who__in=person.whos).exists():
        raise Muted(slug)
    return room


def rooms_for(person: Person) -> QuerySet[Room]:
    """The rooms that this person may read."""
    banned = in_force(Restriction.Kind.BAN).filter(who__in=person.whos)
    return Room.objects.filter(_open_to(person)).exclude(pk__in=banned.values("room_id"))


def in_force(kind: Restriction.Kind) -> QuerySet[Restriction]:
    """The restrictions of a kind that hold now."""
    return Restriction.objects.filter(Q(until=None) | Q(until__gt=timezone.now()), kind=kind)


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


def readable(readers: Collection[Reader], keys: Collection[str]) -> set[tuple[Reader, str]]:
    """Of readers and room keys, the pairs that may read. At most three queries."""
    pks = [int(key) for key in keys if is_key(key)]
    access = {str(pk): kind for pk, kind in Room.objects.filter(pk__in=pks).values_list("pk", "access")}
    closed = [key for key, kind in access.items() if kind == Room.Access.MEMBERS]
    members = _memberships([reader.user for reader in readers if reader.user], closed) if closed else set()
    banned = {(who, str(room)) for who, room in in_force(Restriction.Kind.BAN).filter(room_id__in=pks).values_list("who", "room_id")}
    return {
        (reader, key)
        for key, kind in access.items()
        for reader in readers
        if kind == Room.Access.GUESTS or (reader.user and kind == Room.Access.PUBLIC) or (reader.user, key) in members
        if not banned or not any((who, key) in banned for who in _whos(reader))
    }


def _whos(reader: Reader) -> tuple[str, ...]:
    guest = reader.guest.rpartition("~")[2]
    return whos(reader.user, f"user:{reader.user}" if reader.user else f"guest:{guest}", reader.address)


def _memberships(users: list[str], keys: list[str]) -> set[tuple[str, str]]:
    rows: Any = Membership.objects.filter(user_id__in=users, room_id__in=keys).values_list("user_id", "room_id")
    return {(str(user), str(room)) for user, room in rows}


def is_key(key: str) -> bool:
    """Whether a channel key can be a room's primary key."""
    return key.isascii() and key.isdigit() and len(key) <= 18
