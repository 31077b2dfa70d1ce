"""The channel kind `room`: who reads it and how its events look."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.template.loader import get_template
from django.utils.html import escape

from core.delivery.channel import Event, EventType, Keeps, Kind, Reader
from core.delivery.executor import submit
from core.rates import Rate
from notifications.rooms import actions, history, policy, reading
from notifications.rooms.models import Message, Room
from notifications.rooms.text import is_slug, to_html


def drawn(data: Mapping[str, Any], *, offset: int) -> str:
    """A message as a list item: the same bytes on a page and in a push, for everybody."""
    message = {**data, "offset": data.get("offset", offset), "time": data["at"][11:16], "guest": data["author"].startswith("guest:")}
    message["html"] = data.get("html") or to_html(data["text"])
    return get_template("rooms/_message.html").render({"message": message})


def drawn_row(message: Message) -> str:
    return drawn(actions.event_data(message), offset=message.offset or 0)


def present(who: str) -> str:
    """Somebody who is there, as an item of the list `#presence`: the same on a page and in a push. Guests carry a tilde and are marked."""
    name, tilde, _ = who.rpartition("~") if "~" in who else (who, "", "")
    return get_template("rooms/_present.html").render({"id": _present_id(who), "name": name, "guest": bool(tilde)})


def _present_id(who: str) -> str:
    return f"p-{hashlib.sha256(who.encode()).hexdigest()[:12]}"


def typist_id(who: str) -> str:
    """The DOM id of "is typing" of somebody."""
    return f"t-{_present_id(who)}"


def member(key: str, name: str, role: str) -> str:
    """A member as an item of the list `#members`: the same on a page and in a push."""
    return get_template("rooms/_member.html").render({"id": _member_id(key), "name": name, "role": role})


def _member_push(key: str, data: Mapping[str, Any]) -> str:
    if data.get("gone"):
        return f'<hx-partial hx-target="#{_member_id(key)}" hx-swap="delete"></hx-partial>'
    return f'<hx-upsert hx-target="#members">{member(key, data["name"], data["role"])}</hx-upsert>'


def _member_id(key: str) -> str:
    return f"member-{hashlib.sha256(key.encode()).hexdigest()[:12]}"


TYPING = Rate(0.5, 2)  # of one person in one room


class NewsKind(Kind):
    """That a room has something new, at most once a second: for lists of rooms, whose readers are not in them."""

    name = "news"
    keeps = Keeps.STATE
    pace = 1.0
    types = (EventType("news"),)

    def readable(self, readers: Collection[Reader], keys: Collection[str]) -> set[tuple[Reader, str]]:
        return policy.readable(readers, keys)

    def resolve(self, name: str) -> str | None:
        return name if policy.is_key(name) else None

    def render(self, event: Event, key: str) -> str:
        return _mark(f"news-{int(key)}", event.data["message"])


class ReadingKind(Kind):
    """How far a person has read in each room: for her own pages."""

    name = "reading"
    keeps = Keeps.STATE
    types = (EventType("read"),)

    def readable(self, readers: Collection[Reader], keys: Collection[str]) -> set[tuple[Reader, str]]:
        wanted = set(keys)
        return {(reader, reader.user) for reader in readers if reader.user and reader.user in wanted}

    def render(self, event: Event, key: str) -> str:
        return _mark(f"read-{int(event.key)}", event.data["offset"])


def _mark(id: str, value: int) -> str:
    """A number for the page's scripts, in place of the one before."""
    return f'<hx-partial hx-target="#{id}" hx-swap="outerHTML"><data id="{id}" value="{int(value)}" hidden></data></hx-partial>'


class RoomKind(Kind):
    name = "room"
    has_presence = True
    panel = "/rooms/{name}/latest/"
    types = (
        EventType("message.put"),
        EventType("message.gone"),
        EventType("reaction"),
        EventType("member"),
        EventType("typing", ephemeral=True),
    )

    def readable(self, readers: Collection[Reader], keys: Collection[str]) -> set[tuple[Reader, str]]:
        return policy.readable(readers, keys)

    def resolve(self, name: str) -> str | None:
        # Digits are a key: pages write keys, and a room whose slug is a number must not take another's place.
        if policy.is_key(name):
            return name
        pk = Room.objects.filter(slug=name.lower()).values_list("pk", flat=True).first() if is_slug(name.lower()) else None
        return None if pk is None else str(pk)

    def names(self, reader: Reader) -> Sequence[str]:
        return policy.names(reader.user)

    def redacts(self, type: str, data: Mapping[str, Any]) -> bool:
        return type == "message.gone" or (type == "message.put" and ("edited" in data or "anonymous" in data))

    def render(self, event: Event, key: str) -> str:
        if event.type != "message.gone" and not event.data:
            return ""  # taken back since
        if event.type == "message.put":
            if event.data.get("offset", event.offset) != event.offset:
                # Changed: where the page shows it. Elsewhere it would come to stand among others than those it was said among.
                return f'<hx-partial hx-target="#m-{int(event.key)}" hx-swap="outerHTML">{drawn(event.data, offset=0)}</hx-partial>'
            # Sorted by offset: the extension's default is the id, and ids are not the order of the room.
            # Whichever list of the newest is on the page: the room's own, or that of a tile (latest.py).
            list_of = f"[data-newest='{int(key)}']"
            return f'<hx-upsert hx-target="{list_of}" key="data-offset">{drawn(event.data, offset=event.offset)}</hx-upsert>'
        if event.type == "message.gone":
            return f'<hx-partial hx-target="#m-{int(event.key)}" hx-swap="delete"></hx-partial>'
        if event.type == "reaction":
            block = get_template("rooms/_signs.html").render({"id": int(event.key), "signs": event.data["signs"]})
            return f'<hx-partial hx-target="#r-{int(event.key)}" hx-swap="outerHTML">{block}</hx-partial>'
        if event.type == "member":
            return _member_push(event.key, event.data)
        if event.type == "typing":
            name = escape(event.data["name"])
            return f'<hx-upsert hx-target="#typing"><span id="{typist_id(event.data["who"])}"><bdi>{name}</bdi></span></hx-upsert>'
        return ""

    def render_presence(self, who: str, key: str, *, here: bool) -> str:
        if not here:
            return f'<hx-partial hx-target="#{_present_id(who)}" hx-swap="delete"></hx-partial>'
        return f'<hx-upsert hx-target="#presence">{present(who)}</hx-upsert>'

    def on_signal(self, reader: Reader, key: str, what: str, items: Sequence[str]) -> None:
        offsets = [int(item) for item in items if policy.is_key(item)]
        if what == "seen" and reader.user and offsets:
            submit(reading.mark_read, key, reader.user, offsets)
        who = reader.name or reader.guest
        if what == "typing" and who and not TYPING.take(f"{key} {who}"):
            actions.tell_typing(key, who=who)

    def numbered(self, key: str, events: Sequence[Event]) -> None:
        puts: dict[int, int] = {}
        for event in events:
            if event.type == "message.put":
                puts.setdefault(int(event.key), event.offset)
        actions.place_messages_locked(puts)

    def snapshot(self, key: str) -> Sequence[Mapping[str, Any]]:
        room = Room.objects.filter(pk=key).first() if policy.is_key(key) else None
        rows = history.newest(room) if room else []
        return [_snapshot_event(row) for row in rows]


def _snapshot_event(row: Message) -> Mapping[str, Any]:
    return {"type": "message.put", "key": str(row.pk), "data": actions.event_data(row), "at": row.created_at.timestamp()}
