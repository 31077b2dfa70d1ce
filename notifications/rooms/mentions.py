"""Who is told of a message: whom it names, and who wants to hear everything. Each by the level she chose for the room."""

from collections.abc import Collection, Sequence
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Q
from django.urls import reverse

from core.delivery import presence
from notifications.actions import notify, withdraw
from notifications.actions import replace as replace_sent
from notifications.errors import UnknownKey
from notifications.models import Notification
from notifications.persons import rename
from notifications.rooms import marks, policy
from notifications.rooms.models import Membership, Message, Restriction, Room
from notifications.rooms.people import Person
from notifications.rooms.text import excerpt
from notifications.texts import TITLE

SHOWN = 8  # names offered while somebody types one
MANY = 500  # keys in one statement
_NAMED, _ALL = "mention", "room"


def known(room: Room, author: Person, names: Collection[str]) -> set[str]:
    """Which of these names mean somebody in this room. A guest names members only, and not everybody who is there."""
    if not names:
        return set()
    people = _nameable(room, author).filter(**{f"{_username()}__in": list(names)[: 2 * marks.MOST]})
    found = set(people.values_list(_username(), flat=True)[: marks.MOST])
    if marks.HERE in names and policy.role(room, author) in Membership.Role.values:
        found.add(marks.HERE)
    return found


def tell(room: Room, message: Message, author: Person, names: Collection[str]) -> None:
    """Notify those whom a message names, and those who want all of this room. Runs in the transaction that stores the message."""
    named = set(names) - {marks.HERE}
    if marks.HERE in names:
        named |= set(presence.crowds([room.channel]).get(room.channel, ()))
    told = _willing(room, author, named) if named else []
    if told:
        _notify(told, room, message, f"{_called(author)} mentioned you in {room.title}", _NAMED, key=_key(room, message))
    everything = room.memberships.filter(level=Membership.Level.ALL, user__is_active=True).exclude(user__in=told)
    others = list(everything.exclude(user=author.user_id).values_list("user", flat=True))
    if others:
        _notify(others, room, message, f"{_called(author)} in {room.title}", _ALL, key=_key(room))


def tell_edited(room: Room, message: Message) -> None:
    """Say the new words where the old ones were told."""
    for key in _keys_of(room, message):
        try:
            replace_sent(key, body=_body(message))
        except UnknownKey:
            continue  # withdrawn meanwhile


def take_back(room: Room, message: Message) -> None:
    """Take what was told of a message out of every inbox."""
    for key in _keys_of(room, message):
        withdraw(key)


def forget_author(room: Room, messages: Sequence[int], *, before: str, after: str) -> None:
    """Who said these messages is known no more: what was told of them names a removed person."""
    keys = [f"{_key(room)}-{pk}" for pk in messages]
    told = Notification.objects.filter(owner="")
    mine = [
        pk for start in range(0, len(keys), MANY) for pk in told.filter(key__in=keys[start : start + MANY]).values_list("pk", flat=True)
    ]
    # What all messages of a room share says only the newest one; it begins with a name, and only a name that is hers is changed.
    newest = list(told.filter(key=_key(room), title=f"{before} in {room.title}"[:TITLE]).values_list("pk", flat=True))
    rename([*mine, *newest], before=before, after=after)


def offered(room: Room, person: Person, prefix: str) -> list[str]:
    """Names that begin like this, of members and of who is there; `here` for members."""
    members = room.memberships.filter(user__is_active=True, **{f"user__{_username()}__istartswith": prefix})
    names = list(members.order_by(f"user__{_username()}").values_list(f"user__{_username()}", flat=True)[:SHOWN])
    there = presence.crowds([room.channel]).get(room.channel, ())
    names += [who for who in there if "~" not in who and who.lower().startswith(prefix.lower()) and who not in names]
    every = [marks.HERE] if marks.HERE.startswith(prefix) and policy.role(room, person) in Membership.Role.values else []
    return [name for name in [*names, *every] if name != person.name][:SHOWN]


def _nameable(room: Room, author: Person) -> Any:
    """Whom this author can call: the members; for users, in a room that is open to them, everybody who may come in."""
    people = get_user_model()._default_manager.filter(is_active=True)
    members = Q(pk__in=room.memberships.values("user"))
    if author.is_guest or room.access == Room.Access.MEMBERS:
        return people.filter(members)
    return people


def _willing(room: Room, author: Person, names: Collection[str]) -> list[Any]:
    """Of these, by user name, those who may read the room and have not said that they want to hear nothing of it."""
    people = _nameable(room, author).filter(**{f"{_username()}__in": list(names)}).exclude(pk=author.user_id)
    deaf = room.memberships.filter(level=Membership.Level.NOTHING).values("user")
    banned = set(policy.in_force(Restriction.Kind.BAN).filter(room=room).values_list("who", flat=True))
    return [pk for pk in people.exclude(pk__in=deaf).values_list("pk", flat=True) if f"user:{pk}" not in banned]


def _notify(people: Collection[Any], room: Room, message: Message, title: str, category: str, *, key: str) -> None:
    meant = get_user_model()._default_manager.filter(pk__in=list(people))
    where = reverse("rooms:at", args=[room.slug, message.pk])
    about = {"room": room.pk, "message": message.pk}
    notify(meant, title=title[:TITLE], body=_body(message), url=where, category=category, key=key, data=about, channel=room.channel)


def _body(message: Message) -> str:
    return excerpt(message.html, limit=200)


def _called(author: Person) -> str:
    return f"{author.name} (guest)" if author.is_guest else author.name


def _key(room: Room, message: Message | None = None) -> str:
    """What names a message has a notification of its own; the others of a room share one, which says the newest."""
    return f"room-{room.pk}" if message is None else f"room-{room.pk}-{message.pk}"


def _keys_of(room: Room, message: Message) -> list[str]:
    sent = Notification.objects.filter(owner="", key__in=[_key(room), _key(room, message)], withdrawn_at=None)
    return list({key for key, data in sent.values_list("key", "data") if data.get("message") == message.pk})


def _username() -> str:
    return str(get_user_model().USERNAME_FIELD)
