"""Numbering: what committed gets its offset, in one short transaction after the publisher's. See docs/delivery.md.

Idea: number after commit, in id order under the channel's row lock, so that offsets are dense and readers can tell a hole from a
slow transaction. Failing to get the lock is fine: the relay comes by.
"""

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import DatabaseError, OperationalError, connections, router, transaction
from django.db.models import Q
from django.db.models.functions import Now

from core.delivery import bulk, failpoints, figures, history
from core.delivery.channel import ChannelName, Keeps, Kind, registry
from core.delivery.channel import Event as Travelling
from core.delivery.compaction import Entry, compact, subject
from core.delivery.position import Range
from core.models import Channel, Event

logger = logging.getLogger(__name__)

PASS = 500  # events in one pass (measured: 62 k/s at 500, 5 k/s in one pass of 20 000)
CHANNELS = 500  # channels that one pass locks
LOCK_MS = 50


@dataclass(frozen=True, slots=True)
class Batch:
    """One channel's newly numbered events."""

    channel: str
    span: Range
    events: tuple[Travelling, ...]


@dataclass(slots=True)
class Outcome:
    """What a pass numbered, and in how many seconds the paced channels that it left alone are due."""

    batches: list[Batch] = field(default_factory=list)
    later: dict[str, float] = field(default_factory=dict)
    full: bool = False  # the pass took as many events as it may: there may be more


def sequence_committed(events: Mapping[int, str]) -> None:
    """Number and broadcast what a transaction left, unless somebody did already. Called right after its commit; never raises."""
    from core.delivery.broker import broker

    figures.publishes.inc(len(events))
    # Its timer is taken away before what waits is read: an event that committed before this look is read by then.
    events = {pk: channel for pk, channel in events.items() if not (broker.rings_later(channel) and _pace(channel))}
    if not events:
        return
    try:
        # Looking first spares the lock: with 8 publishers on one channel 860 instead of 552 publishes a second.
        waiting = still_waiting(events)
    except DatabaseError as error:
        _yield_to_relay(error)
    else:
        _sequence_and_broadcast(waiting)


def sequence_channel(channel: str) -> None:
    """Number and broadcast what waits on a paced channel that has become due; never raises."""
    _sequence_and_broadcast({channel})


def _sequence_and_broadcast(channels: set[str]) -> None:
    """Number these channels, a portion of them at a time: a pass locks and reads only what it can also number."""
    names = sorted(channels)
    for start in range(0, len(names), CHANNELS):
        try:
            _number_all(names[start : start + CHANNELS])
        except DatabaseError as error:
            _yield_to_relay(error)


def _number_all(channels: Sequence[str]) -> None:
    from core.delivery.broker import broker

    full = True
    while full:
        outcome = sequence(channels)
        failpoints.hit("sequenced")
        broker.broadcast(outcome.batches)
        broker.number_later(outcome.later)
        full = outcome.full


def _yield_to_relay(error: DatabaseError) -> None:
    """Somebody holds the lock, or the database is going away: the events are safe, the relay numbers them."""
    figures.sequencer_yielded.inc()
    logger.debug("numbering left to the relay: %s", error)


def still_waiting(events: Mapping[int, str]) -> set[str]:
    """The channels of those events that nobody has numbered yet."""
    ids = list(events)
    found: set[str] = set()
    for start in range(0, len(ids), PASS):
        found.update(Event.objects.filter(pk__in=ids[start : start + PASS], offset__isnull=True).values_list("channel", flat=True))
    return found


def sequence(channels: Collection[str], *, skip_locked: bool = False) -> Outcome:
    """Number the waiting events of these channels in one transaction. Raises DatabaseError when a lock is not to be had."""
    alias = router.db_for_write(Event)
    try:
        outcome = _pass(alias, sorted(channels), skip_locked=skip_locked)
    except _Missing as missing:
        # In a transaction of its own: an uncommitted new row would be a lock out of the sorted order.
        Channel.objects.using(alias).bulk_create([Channel(name=name) for name in missing.names], ignore_conflicts=True)
        outcome = _pass(alias, sorted(channels), skip_locked=skip_locked)
    figures.sequenced.inc(sum(len(batch.events) for batch in outcome.batches))
    return outcome


class _Missing(Exception):
    """Channels that have no row yet."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(names)
        self.names = names


def _pass(alias: str, names: Sequence[str], *, skip_locked: bool) -> Outcome:
    outcome = Outcome()
    with _impatient(alias), transaction.atomic(using=alias):
        _limit_waits(alias)
        rows = _lock(names, skip_locked=skip_locked)
        due = _due(rows, outcome)
        if due:
            life = history.epoch()
            while not outcome.full and _number_locked(due, life, outcome):
                pass
            failpoints.hit("in_sequencer")
    return outcome


@contextmanager
def _impatient(alias: str) -> Iterator[None]:
    """SQLite: wait for the write lock only as long as on Postgres, for this block."""
    connection = connections[alias]
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        yield
        return
    patience = int(connection.settings_dict["OPTIONS"].get("timeout", 5) * 1000)
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA busy_timeout = {LOCK_MS}")
    try:
        yield
    finally:
        if connection.connection is not None:
            with connection.cursor() as cursor:
                cursor.execute(f"PRAGMA busy_timeout = {patience}")


def _limit_waits(alias: str) -> None:
    if connections[alias].vendor == "postgresql":
        with connections[alias].cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_MS}ms'; SET LOCAL idle_in_transaction_session_timeout = '1s'")


def _lock(names: Sequence[str], *, skip_locked: bool) -> list[Any]:
    """Lock the channels' rows in the order of their names; each carries the database's `now`. Raises _Missing."""
    # no_key: a plain FOR UPDATE clashes with foreign keys that other code may point at channels.
    locked = Channel.objects.select_for_update(no_key=True, skip_locked=skip_locked).annotate(now=Now())
    rows = list(locked.filter(name__in=names).order_by("name"))
    if len(rows) < len(names):
        known = set(Channel.objects.filter(name__in=names).values_list("name", flat=True))
        if missing := [name for name in names if name not in known]:
            raise _Missing(missing)
    return rows


def _pace(channel: str) -> float:
    return registry.of(ChannelName.parse(channel)).pace


def _due(rows: Iterable[Any], outcome: Outcome) -> dict[str, Any]:
    """The rows that may be numbered now; what has to wait for its pace goes into `outcome.later`."""
    due = {}
    for row in rows:
        pace = _pace(row.name)
        since = row.now - row.numbered_at if row.numbered_at else timedelta.max
        # In the future: the database's clock was set back.
        if not pace or since >= timedelta(seconds=pace) or since < timedelta(0):
            due[row.name] = row
        else:
            outcome.later[row.name] = pace - since.total_seconds()
    return due


def _number_locked(due: Mapping[str, Any], life: str, outcome: Outcome) -> bool:
    """Number up to a pass of what waits on the locked channels; False when nothing was left."""
    waiting = list(Event.objects.filter(channel__in=list(due), offset__isnull=True).order_by("id")[:PASS])
    if not waiting:
        return False
    outcome.full = len(waiting) == PASS
    of_channel: dict[str, list[Event]] = defaultdict(list)
    for row in waiting:
        of_channel[row.channel].append(row)
    offsets: list[tuple[int, int]] = []
    losers: list[int] = []
    batches: list[Batch] = []
    dropped: dict[str, list[Event]] = {}
    for name, rows in of_channel.items():
        channel = due[name]
        kept, lost = _survivors(registry.of(ChannelName.parse(name)), name, rows)
        losers += lost
        gone = set(lost)
        dropped[name] = [row for row in rows if row.pk in gone]
        start = channel.head
        for row in kept:
            channel.head += 1
            row.offset = channel.head
            offsets.append((row.pk, row.offset))
        if kept:
            span = Range(life, start, channel.head)
            batches.append(Batch(name, span, tuple(history.as_event(row) for row in kept)))
    _write(offsets, losers, {name: due[name].head for name in of_channel})
    numbered = {batch.channel: batch.events for batch in batches}
    for name in of_channel:
        _tell_kind(ChannelName.parse(name), numbered.get(name, ()), dropped[name])
    outcome.batches += batches
    # Paced channels are numbered once per pass: what comes in meanwhile waits for the next beat.
    return any(not registry.of(ChannelName.parse(name)).pace for name in of_channel)


def _tell_kind(name: ChannelName, numbered: Sequence[Travelling], dropped: Sequence[Event]) -> None:
    """Let the kind note in its own rows what was numbered; its failure is logged and must not keep the events from their readers."""
    kind = registry.of(name)
    if type(kind).numbered is Kind.numbered:
        return
    try:
        with transaction.atomic(using=router.db_for_write(Event)):
            kind.numbered(name.key, [*numbered, *map(history.as_event, dropped)])
    except OperationalError:  # a lock that was not to be had: all of it again, by the relay
        raise
    except Exception:
        logger.exception("the kind %s could not note its offsets", kind.name)


def _survivors(kind: Kind, channel: str, rows: Sequence[Event]) -> tuple[list[Event], list[int]]:
    """The waiting rows that get an offset, and the ids of all rows that go."""
    if kind.keeps is Keeps.LOG:
        return list(rows), []
    plan = compact(kind, _standing(kind, channel, rows), [_entry(row) for row in rows])
    keep = set(plan.keep)
    return [row for row in rows if row.pk in keep], plan.lose


def _standing(kind: Kind, channel: str, rows: Sequence[Event]) -> list[Entry]:
    keys = {row.key for row in rows} | {subject(row.key) for row in rows}
    about = Q(key__in=keys)
    for row in rows:
        type = kind.type(row.type)
        if type is not None and type.removes:
            about |= Q(key__startswith=subject(row.key) + "/")
    return [_entry(row) for row in Event.objects.filter(about, channel=channel, offset__isnull=False).defer("data")]


def _entry(row: Event) -> Entry:
    return Entry(row.pk, row.type, row.slot, row.key, row.major, row.minor)


def _write(offsets: Sequence[tuple[int, int]], losers: Sequence[int], heads: Mapping[str, int]) -> None:
    """Delete, then number, then move the heads: one statement each, whatever the number of rows."""
    using = router.db_for_write(Event)
    if losers:
        Event.objects.filter(pk__in=losers).delete()
    if offsets:
        bulk.update_each(Event, offsets, column="offset", by="id", using=using)
    bulk.update_each(Channel, list(heads.items()), column="head", by="name", type="text", stamp="numbered_at", using=using)
