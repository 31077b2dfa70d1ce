"""The checker's own kinds of channel: what they render says which event of which publisher it is, so that a client can log it."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.contrib.auth import get_user_model

from core.delivery import history, wire
from core.delivery.channel import Event, EventType, Keeps, Kind, Reader, Window
from core.models import Event as Row

KEPT = Window(seconds=24 * 3600, newest=100_000)


class Log(Kind):
    """A log that everybody may read, and every signed-in caller may write to by the API."""

    name = "chaoslog"
    types = (EventType("line", raw=True),)
    window = KEPT

    def readable(self, readers: Collection[Reader], keys: Collection[str]) -> set[tuple[Reader, str]]:
        return {(reader, key) for reader in readers for key in keys}

    def writable(self, reader: Reader, key: str) -> bool:
        return bool(reader.user)

    def render(self, event: Event, key: str) -> str:
        return wire.dump({"o": event.offset, **event.data}) + "\n"

    def snapshot(self, key: str) -> Sequence[Mapping[str, Any]]:
        return [_told(row) for row in numbered(f"{self.name}:{key}")]


class Club(Log):
    """A log that only the members of the group `club-<key>` may read."""

    name = "chaosclub"
    types = (EventType("line"),)

    def readable(self, readers: Collection[Reader], keys: Collection[str]) -> set[tuple[Reader, str]]:
        users = {reader.user for reader in readers if reader.user}
        groups = [f"club-{key}" for key in keys]
        found = get_user_model()._default_manager.filter(pk__in=users, is_active=True, groups__name__in=groups)
        members = {(str(pk), group.removeprefix("club-")) for pk, group in found.values_list("pk", "groups__name")}
        return {(reader, key) for reader in readers for key in keys if (reader.user, key) in members}


class State(Log):
    name = "chaosstate"
    keeps = Keeps.STATE
    types = (
        EventType("value", raw=True),
        EventType("config", slot="config", revives=True),
        EventType("removed", slot="config", removes=True),
    )

    def render(self, event: Event, key: str) -> str:
        # Without the offset: what did not change is the same fragment, and need not be sent.
        return wire.dump({"y": event.type, "k": event.key, "v": event.data.get("v")}) + "\n"


class Paced(State):
    name = "chaospaced"
    pace = 0.2


ALL = (Log, Club, State, Paced)


def numbered(channel: str) -> list[Row]:
    """What a channel holds, in its order."""
    return list(Row.objects.filter(channel=channel, offset__isnull=False).order_by("offset"))


def _told(row: Row) -> dict[str, Any]:
    event = history.as_event(row)
    return {"type": event.type, "key": event.key, "data": event.data, "at": event.at}
