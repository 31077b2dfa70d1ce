"""Reads of what is stored: heads, positions and ranges; and trimming. Ordinary blocking code for any thread with a database."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import router

from core.delivery import statements, wire
from core.delivery.channel import ChannelName, Event, Keeps, registry
from core.delivery.position import Position
from core.delivery.statements import Numbered, Waiting
from core.models import Channel, Epoch
from core.models import Event as Row


def epoch() -> str:
    """The id of this database's life."""
    known = Epoch.objects.values_list("value", flat=True).first()
    return known or Epoch.objects.get_or_create(pk=1)[0].value


def heads(channels: Collection[str]) -> dict[str, int]:
    """The newest offset of each of these channels; 0 for those that never carried an event."""
    return {name: standing.head for name, standing in standings(channels).items()}


def positions(channels: Iterable[str]) -> dict[str, Position]:
    """Where each of these channels stands now."""
    return {name: Position(standing.epoch, standing.head) for name, standing in standings(list(channels)).items()}


def moved(heads: Mapping[str, int]) -> tuple[str, dict[str, int]]:
    """The id of this database's life, and the newest offsets of those channels that do not stand where the caller says, in one query."""
    life, elsewhere = statements.moved(heads, using=router.db_for_read(Channel))
    return life or epoch(), elsewhere


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a channel stands in the table."""

    epoch: str
    head: int
    tail: int


def standings(channels: Collection[str]) -> dict[str, Standing]:
    """Head and tail of each of these channels, in one round trip."""
    if not channels:
        return {}
    life, found = statements.standings(channels, using=router.db_for_read(Channel))
    life = life or epoch()
    return {name: Standing(life, *found.get(name, (0, 1))) for name in channels}


def as_event(row: Row | Waiting | Numbered) -> Event:
    """The row as it travels."""
    return Event(row.offset or 0, row.type, row.key, wire.load(row.data), row.at)


class Undecoded(Event):
    """An event whose payload is decoded when somebody asks for it: of a hundred values hardly one is judged."""

    __slots__ = ("_text",)
    _text: str

    def __init__(self, row: Waiting) -> None:
        for name, value in (("offset", row.offset or 0), ("type", row.type), ("key", row.key), ("at", row.at), ("_text", row.data)):
            object.__setattr__(self, name, value)

    @property
    def data(self) -> Any:
        return wire.load(self._text)


@dataclass(frozen=True, slots=True)
class Stretch:
    """What a read found behind a position: the events of `(start, end]` of a channel whose newest offset is `head`.

    `kept` is False when part of `(start, head]` is no longer kept, never was, or is more than the reader may catch up on:
    she must resync from a snapshot. `end < head` means that the read was cut off and more can be read from `end`.
    """

    channel: str
    epoch: str
    start: int
    end: int
    head: int
    events: tuple[Event, ...]
    kept: bool

    @property
    def whole(self) -> bool:
        """Whether this is everything up to the head."""
        return self.kept and self.end == self.head


def stretch(channel: str, after: int, *, limit: int | None = None) -> Stretch:
    """Read what one channel carried after an offset, at most `limit` events (default: CATCH_UP)."""
    return stretches({channel: after}, limit=limit)[channel]


def stretches(after: Mapping[str, int], *, limit: int | None = None) -> dict[str, Stretch]:
    """Read what each of these channels carried after its offset. Queries: heads, rows, tails; one more per channel far behind."""
    limit = settings.CATCH_UP if limit is None else limit
    # Epoch and heads before rows, tails after: what is trimmed in between shows as a hole and not as silence, and rows of another
    # life never get its name.
    before = standings(after)
    newest = {name: standing.head for name, standing in before.items()}
    rows = _rows({name: offset for name, offset in after.items() if offset < newest[name]}, newest, limit + 1)
    now = standings(after)
    return {
        name: _judged(name, before[name].epoch, offset, newest[name], now[name].tail, rows.get(name, []), limit)
        for name, offset in after.items()
    }


def _judged(name: str, life: str, after: int, head: int, tail: int, rows: Sequence[Event], limit: int) -> Stretch:
    kept = Position(life, after).recoverable(epoch=life, head=head, tail=tail)
    cut = len(rows) > limit
    events = tuple(rows[:limit])
    end = events[-1].offset if cut else head
    if registry.of(ChannelName.parse(name)).keeps is Keeps.LOG and after < head:
        kept = kept and [event.offset for event in events] == list(range(after + 1, end + 1))
    return Stretch(name, life, after, max(end, after) if kept else head, head, events if kept else (), kept)


def _rows(after: Mapping[str, int], newest: Mapping[str, int], limit: int) -> dict[str, list[Event]]:
    """Up to `limit` events of each channel after its offset, by offset: one query for all that are near, one each for the others."""
    near = {name: offset for name, offset in after.items() if newest[name] - offset < limit}
    found: dict[str, list[Event]] = defaultdict(list)
    spans = [(name, offset, newest[name]) for name, offset in near.items()]
    for channel, row in statements.between(spans, using=router.db_for_read(Row)) if spans else ():
        found[channel].append(as_event(row))
    for name, offset in after.items():
        if name not in near:
            rows = Row.objects.filter(channel=name, offset__gt=offset, offset__lte=newest[name]).order_by("offset")[:limit]
            found[name] = [as_event(row) for row in rows]
    return found


def newest(channel: str, count: int = 50) -> Stretch:
    """The newest events of a log, oldest first."""
    life, head = epoch(), heads([channel])[channel]
    rows = Row.objects.filter(channel=channel, offset__isnull=False, offset__lte=head).order_by("-offset")[:count]
    events = tuple(as_event(row) for row in reversed(rows))
    return Stretch(channel, life, events[0].offset - 1 if events else head, head, head, events, True)
