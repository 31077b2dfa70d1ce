"""Reads of what is stored: heads, positions and ranges; and trimming. Ordinary blocking code for any thread with a database."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connections, router

from core.delivery import statements, wire
from core.delivery.channel import ChannelName, Event, Keeps, registry
from core.delivery.position import Position
from core.delivery.statements import Waiting
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
    """Head and tail of each of these channels, in two queries."""
    life = epoch() if channels else ""
    found = {
        name: Standing(life, head, tail)
        for name, head, tail in Channel.objects.filter(name__in=list(channels)).values_list("name", "head", "tail")
    }
    return {name: found.get(name, Standing(life, 0, 1)) for name in channels}


def as_event(row: Row | Waiting) -> Event:
    """The row as it travels."""
    return Event(row.offset or 0, row.type, row.key, wire.load(row.data), row.created_at.timestamp())


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
    """Read what each of these channels carried after its offset. Queries: epoch, heads, rows, tails; two more per channel far behind."""
    limit = settings.CATCH_UP if limit is None else limit
    life = epoch()
    # Heads before rows, tails after: what is trimmed in between shows as a hole and not as silence.
    newest = heads(after)
    rows = _rows({name: offset for name, offset in after.items() if offset < newest[name]}, newest, limit + 1)
    oldest = dict(Channel.objects.filter(name__in=list(after)).values_list("name", "tail"))
    return {
        name: _judged(name, life, offset, newest[name], oldest.get(name, 1), rows.get(name, []), limit) for name, offset in after.items()
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
    for row in _near_rows(near, newest):
        found[row.channel].append(as_event(row))
    for name, offset in after.items():
        if name not in near:
            rows = Row.objects.filter(channel=name, offset__gt=offset, offset__lte=newest[name]).order_by("offset")[:limit]
            found[name] = [as_event(row) for row in rows]
    return found


def _near_rows(after: Mapping[str, int], newest: Mapping[str, int]) -> Iterable[Row]:
    if not after:
        return []
    connection = connections[router.db_for_read(Row)]
    table = connection.ops.quote_name(Row._meta.db_table)
    values = ", ".join(["(%s, %s, %s)"] * len(after))
    parameters: list[Any] = [part for name, offset in after.items() for part in (name, offset, newest[name])]
    return Row.objects.raw(
        f"SELECT event.* FROM {table} AS event JOIN (VALUES {values}) AS given ON event.channel = given.column1 "
        'AND event."offset" > given.column2 AND event."offset" <= given.column3 ORDER BY event.channel, event."offset"',
        parameters,
    )


def newest(channel: str, count: int = 50) -> Stretch:
    """The newest events of a log, oldest first."""
    life, head = epoch(), heads([channel])[channel]
    rows = Row.objects.filter(channel=channel, offset__isnull=False, offset__lte=head).order_by("-offset")[:count]
    events = tuple(as_event(row) for row in reversed(rows))
    return Stretch(channel, life, events[0].offset - 1 if events else head, head, head, events, True)
