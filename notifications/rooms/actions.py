"""What is said in rooms: docs/rooms.md. With running/actions.py the only place that publishes on their channels."""

import re
import uuid
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Case, Value, When
from django.utils import timezone

from core.delivery import wire
from core.delivery.payload import BadPayload
from core.delivery.publishing import NewEvent, broadcast_unstored, publish, publish_many
from notifications.rooms import marks, mentions
from notifications.rooms.models import Membership, Message, Room
from notifications.rooms.people import Person
from notifications.rooms.text import BadText, clean, clean_title, is_emoji, is_slug, to_html

_CLIENT_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


REACTIONS = 20  # different signs on one message, and people named for each


class NoSuchMessage(LookupError):
    """There is no such message in this room, or it is not this person's."""


class ClientIdTaken(ValueError):
    """This sender already sent another text under this client id."""


def open_room(slug: str, *, title: str, access: str, owner: Person) -> Room:
    """Make a room; a user who makes it owns it. An existing one of that slug is returned as it is. Raises BadText."""
    if not is_slug(slug):
        raise BadText("bad_slug", "An address is made of a-z, 0-9, - and _, at most 64, and is not one of our own pages.")
    with transaction.atomic():
        room, made = Room.objects.get_or_create(slug=slug, defaults={"title": clean_title(title), "access": access})
        if made and not owner.is_guest:
            Membership.objects.create(room=room, user_id=owner.user_id, role=Membership.Role.OWNER)
    return room


def clean_text(text: str) -> str:
    """A message's text as it is stored. Raises BadText."""
    return clean(text, limit=settings.CHAT_LENGTH or 10**6)


def post_message(room: Room, *, author: Person, text: str, client_id: str = "") -> Message:
    """Say something in a room: stored and shown once, however often it is sent under one client id. Nobody is asked for permission.

    Raises BadText, and ClientIdTaken when the id stands for another text.
    """
    text = clean_text(text)
    client_id = client_id or uuid.uuid4().hex
    if not _CLIENT_ID.fullmatch(client_id):
        raise BadText("bad_client_id", "A client id is 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'.")
    html, names = _rendered(room, author, text)
    try:
        with transaction.atomic():
            message = Message.objects.create(
                room=room,
                user_id=author.user_id,
                author=author.key,
                name=author.name,
                text=text,
                html=html,
                client_id=client_id,
                address=author.address if author.is_guest else "",
                created_at=timezone.now(),
            )
            mentions.tell(room, message, author, names)
            _publish_with_news(room, message, "message.put", event_data(message))
    except IntegrityError:
        before = sent_before(room, author=author, client_id=client_id, text=text)
        if before is None:
            raise
        return before
    except BadPayload as error:
        raise BadText("too_long", "That is too long to send in one piece.") from error
    return message


def _rendered(room: Room, author: Person, text: str) -> tuple[str, set[str]]:
    """A message's HTML, and the names in it that mean somebody here."""
    html = to_html(text)
    names = mentions.known(room, author, marks.names_in(html))
    return marks.marked(html, names), names


def _publish_with_news(room: Room, message: Message, type: str, data: Mapping[str, Any]) -> None:
    """On the room's channel, and for lists of rooms a hint to look again, which says nothing of the message."""
    news = NewEvent(room.news_channel, "news", {"message": message.pk}, key="newest")
    publish_many([NewEvent(room.channel, type, data, key=str(message.pk)), news])


def sent_before(room: Room, *, author: Person, client_id: str, text: str) -> Message | None:
    """What this person sent under this client id, if anything. Raises ClientIdTaken when that was another text."""
    if not _CLIENT_ID.fullmatch(client_id):
        return None
    message = Message.objects.filter(room=room, author=author.key, client_id=client_id).first()
    if message is not None and message.text != text and not (message.edited_at or message.deleted_at):
        raise ClientIdTaken(client_id)
    return message


def event_data(message: Message) -> dict[str, Any]:
    """What `message.put` carries: enough to draw the message without a query. `html` is left out where both would be too much."""
    data = {
        "id": message.pk,
        "author": message.author,
        "name": message.name,
        "text": message.text,
        "html": message.html,
        "at": message.created_at.isoformat().replace("+00:00", "Z"),
        "client": message.client_id,
    }
    if message.offset is not None:
        data["offset"] = message.offset
    if message.edited_at is not None:
        data["edited"] = True
    if reactions := signs(message):
        data["reactions"] = reactions
    limit = settings.MAX_PAYLOAD
    if limit and len(wire.dump(data).encode()) > limit:
        del data["html"]
    return data


def signs(message: Message) -> list[list[Any]]:
    """The signs on a message, oldest first: `[emoji, how many, the keys of the first few]`."""
    if message.offset is None:
        return []  # nobody has seen it
    by: dict[str, list[str]] = {}
    for reaction in message.reactions.all():
        by.setdefault(reaction.emoji, []).append(reaction.author)
    return [[emoji, len(authors), authors[:REACTIONS]] for emoji, authors in by.items()]


def edit_message(room: Room, *, message_id: int, author: Person, text: str) -> Message:
    """Say it differently, in its place; only who said it may. Raises BadText, NoSuchMessage."""
    text = clean_text(text)
    try:
        with transaction.atomic():
            message = _message_locked(room, message_id)
            if message.author != author.key:
                raise NoSuchMessage(message_id)
            message.text, message.html, message.edited_at = text, _rendered(room, author, text)[0], timezone.now()
            message.save(update_fields=["text", "html", "edited_at"])
            mentions.tell_edited(room, message)
            _publish_with_news(room, message, "message.put", event_data(message))
    except BadPayload as error:
        raise BadText("too_long", "That is too long to send in one piece.") from error
    return message


def delete_message(room: Room, *, message_id: int, by: Person, moderates: bool = False) -> None:
    """Take a message from every page, and its words from the table; its author may, and who moderates. Raises NoSuchMessage."""
    with transaction.atomic():
        message = _message_locked(room, message_id)
        if message.author != by.key and not moderates:
            raise NoSuchMessage(message_id)
        message.text, message.html, message.deleted_at = "", "", timezone.now()
        message.save(update_fields=["text", "html", "deleted_at"])
        message.reactions.all().delete()
        mentions.take_back(room, message)
        _publish_with_news(room, message, "message.gone", {})


def react(room: Room, *, message_id: int, by: Person, emoji: str) -> None:
    """Put a person's sign on a message, or take it off again. Raises BadText, NoSuchMessage."""
    if not is_emoji(emoji):
        raise BadText("bad_emoji", "A reaction is one emoji.")
    with transaction.atomic():
        message = _message_locked(room, message_id)
        taken, _ = message.reactions.filter(author=by.key, emoji=emoji).delete()
        if not taken:
            if message.reactions.exclude(emoji=emoji).values("emoji").distinct().count() >= REACTIONS:
                raise BadText("too_many", f"At most {REACTIONS} different reactions.")
            message.reactions.create(author=by.key, user_id=by.user_id, emoji=emoji)
        publish(room.channel, "reaction", {"signs": signs(message)}, key=str(message.pk))


def _message_locked(room: Room, message_id: int) -> Message:
    # One at a time: the events of a message are published in the order in which its row changed.
    message = Message.objects.select_for_update().filter(room=room, pk=message_id, offset__isnull=False, deleted_at=None).first()
    if message is None:
        raise NoSuchMessage(message_id)
    return message


def tell_read(room: Room, *, user_key: str, offset: int) -> None:
    """Tell all pages of a member how far she has read. Runs in the transaction that notes it."""
    publish(f"reading:{user_key}", "read", {"offset": offset}, key=str(room.pk), version=(offset, 0))


def tell_typing(room_key: str, *, who: str) -> None:
    """Say that somebody (her handle) is typing: once, to whoever is there. Does not block."""
    broadcast_unstored(f"room:{room_key}", "typing", {"who": who, "name": who.partition("~")[0]})


def place_messages_locked(offsets: Mapping[int, int]) -> None:
    """Give messages their place, once. Runs inside the transaction that numbers their events and holds the channel's lock."""
    if offsets:
        place = Case(*(When(pk=pk, then=Value(offset)) for pk, offset in offsets.items()))
        Message.objects.filter(pk__in=list(offsets), offset__isnull=True).update(offset=place)
