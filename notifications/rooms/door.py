"""What a plain chat socket asks of the database: who comes, into which room, what was said there. Blocking."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from django.contrib.auth import get_user_model

from core.delivery import history as delivered
from core.delivery import identity
from core.delivery.channel import ChannelName, Reader
from core.delivery.identity import Credential
from core.delivery.position import Position
from notifications.rooms import actions, history, plain, policy, speaking
from notifications.rooms.models import Message, Room
from notifications.rooms.people import Person, guest_of
from notifications.rooms.plain import Said

CHUNK = 100  # messages read at once


class NotMadeYet(policy.NoSuchRoom):
    """Nobody has made this room so far."""


class SessionEnded(Exception):
    """The session that opened the socket is not valid any more."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who opened a socket: as the core knows her, and as rooms do."""

    credential: Credential
    reader: Reader
    person: Person


@dataclass(frozen=True, slots=True)
class Inside:
    """A room that somebody entered when its channel stood at `at`."""

    room: Room
    at: Position

    @property
    def channel(self) -> ChannelName:
        return ChannelName("room", str(self.room.pk))


def visitor(credential: Credential, reader: Reader, cookies: Mapping[str, str], *, address: str = "") -> Visitor:
    """The session's user, the guest of the cookie, or a new guest."""
    user = get_user_model().objects.filter(pk=reader.user).first() if reader.user else None
    person = Person.of_user(user) if user else replace(guest_of(cookies) or Person.new_guest(), address=address)
    return Visitor(credential, reader, person)


def enter(slug: str, visitor: Visitor) -> Inside:
    """Go into a room. Raises NotMadeYet, and NoSuchRoom when it is not for this visitor."""
    # Asked before: a room made in between is looked for again, and nobody takes it for a refusal.
    there = existing([slug])
    try:
        room = policy.room_for_reader(slug, visitor.person)
    except policy.NoSuchRoom as error:
        raise error if there else NotMadeYet(slug) from error
    return Inside(room, delivered.positions([room.channel])[room.channel])


def existing(slugs: Collection[str]) -> set[str]:
    """Which of these rooms there are by now."""
    return set(Room.objects.filter(slug__in=list(slugs)).values_list("slug", flat=True))


def newest(inside: Inside) -> list[Message]:
    """The newest messages up to where the room was entered."""
    return list(history.newest(inside.room, before=inside.at.offset + 1))


def following(inside: Inside, offset: int) -> list[Message]:
    """The next messages after an offset, up to where the room was entered."""
    return list(history.after(inside.room, offset=offset, upto=inside.at.offset, count=CHUNK))


def lines(inside: Inside, messages: Collection[Message]) -> Iterator[str]:
    """Messages as a plain socket hears them."""
    for message in messages:
        position = Position(inside.at.epoch, message.offset or 0)
        yield plain.chat(room=inside.room.slug, data=actions.event_data(message), position=str(position))


def say(slug: str, visitor: Visitor, said: Said, *, may_open: bool) -> None:
    """Post into a room; where `may_open`, an unknown one is made first.

    Raises SessionEnded, NoSuchRoom, ReadOnly, Muted, TooFast, BadText, ClientIdTaken.
    """
    if identity.readers({visitor.credential})[visitor.credential].user != visitor.reader.user:
        raise SessionEnded
    if may_open:
        actions.clean_text(said.message)  # a refused text makes no room
        actions.open_room(slug, title=slug, access=Room.Access.GUESTS, owner=visitor.person)
    speaking.speak(slug, author=visitor.person, text=said.message, client_id=said.client_id)
