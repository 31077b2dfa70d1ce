"""Reads of what is stored: heads, positions and ranges; and trimming. Ordinary blocking code for any thread with a database."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from core.delivery import wire
from core.delivery.channel import Event
from core.delivery.position import Position
from core.models import Channel, Epoch
from core.models import Event as Row


def epoch() -> str:
    """The id of this database's life."""
    known = Epoch.objects.values_list("value", flat=True).first()
    return known or Epoch.objects.get_or_create(pk=1)[0].value


def heads(channels: Collection[str]) -> dict[str, int]:
    """The newest offset of each of these channels; 0 for those that never carried an event."""
    found = dict(Channel.objects.filter(name__in=list(channels)).values_list("name", "head"))
    return {name: found.get(name, 0) for name in channels}


def positions(channels: Iterable[str]) -> dict[str, Position]:
    """Where each of these channels stands now."""
    wanted = list(channels)
    life = epoch() if wanted else ""
    return {name: Position(life, head) for name, head in heads(wanted).items()}


@dataclass(frozen=True, slots=True)
class Stretch:
    """What a read found after a position: the events of `(start, end]`, and whether more remain up to `head`.

    `recoverable` is False when part of the range is no longer kept (or never was): the reader must resync.
    """

    start: int
    end: int
    head: int
    events: tuple[Event, ...]
    recoverable: bool


def as_event(row: Row) -> Event:
    return Event(row.offset or 0, row.type, row.key, wire.load(row.data), row.created_at.timestamp())
