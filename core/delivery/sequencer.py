"""Numbering: what committed gets its offset, in one short transaction after the publisher's. See docs/delivery.md.

Idea: number after commit, in id order under the channel's row lock, so that offsets are dense and readers can tell a hole from a
slow transaction. Failing to get the lock is fine: the relay comes by.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property

from django.db import DatabaseError, InternalError, OperationalError, connections, router, transaction

from core.delivery import failpoints, figures, history, statements
from core.delivery.channel import ChannelName, Keeps, Kind, registry
from core.delivery.channel import Event as Travelling
from core.delivery.compaction import Entry, compact, subject
from core.delivery.position import Range
from core.delivery.statements import Locked, Waiting
from core.delivery.turns import turns
from core.models import Channel, Event

logger = logging.getLogger(__name__)

PASS = 500  # events in one pass (measured: 62 k/s at 500, 5 k/s in one pass of 20 000)
CHANNELS = 500  # channels that one pass locks
LOCK_MS = 50


@dataclass(frozen=True)
class Batch:
    """One channel's newly numbered events: the rows, and as they travel once somebody wants that."""

    channel: str
    span: Range
    rows: Sequence[Waiting]

    @cached_property
    def events(self) -> tuple[Travelling, ...]:
        return tuple(history.as_event(row) for row in self.rows)


@dataclass(slots=True)
class Outcome:
    """What a pass numbered, and in how many seconds the paced channels that it left alone are due."""

    batches: list[Batch] = field(default_factory=list)
    later: dict[str, float] = field(default_factory=dict)
    full: bool = False  # the pass took as many events as it may: there may be more


def sequence_committed(events: Mapping[int, str]) -> None:
    """Number and broadcast what a transaction left, unless somebody did already. Called right after its commit; never raises."""
    from core.delivery.broker import broker

    # Its timer is taken away before what waits is read: an event that committed before this look is read by then.
    events = {pk: channel for pk, channel in events.items() if not (broker.rings_later(channel) and _pace(channel))}
    if events:
        _sequence_and_broadcast(Counter(events.values()), of=list(events) if len(events) <= PASS else ())


def sequence_channels(channels: Iterable[str]) -> None:
    """Number and broadcast what waits on these channels, if anything does; never raises."""
    _sequence_and_broadcast(dict.fromkeys(channels, 1))


def _sequence_and_broadcast(channels: Mapping[str, int], *, of: Collection[int] = ()) -> None:
    """Number these channels, on which so many events were published, a portion of them at a time.

    `of`: where none of these events waits any more, nothing is to be done.
    """
    try:
        for names in _portions(channels):
            # Of one channel only: turns at several are where deadlocks come from, and the rows' locks are sorted.
            with turns.take(names[0], LOCK_MS / 1000) if len(names) == 1 else nullcontext(True) as needed:
                if needed:
                    _number_all(names, of)
    except DatabaseError as error:
        _yield_to_relay(error)


def _portions(channels: Mapping[str, int]) -> Iterator[list[str]]:
    """Channels in sorted order: a pass shall lock and read only what it can also number."""
    portion: list[str] = []
    events = 0
    for name in sorted(channels):
        if portion and (len(portion) == CHANNELS or events + channels[name] > PASS):
            yield portion
            portion, events = [], 0
        portion.append(name)
        events += channels[name]
    if portion:
        yield portion


def _number_all(channels: Sequence[str], of: Collection[int]) -> None:
    from core.delivery.broker import broker

    full = True
    while full:
        outcome = sequence(channels, of=of)
        failpoints.hit("sequenced")
        broker.broadcast(outcome.batches)
        broker.number_later(outcome.later)
        full, of = outcome.full, ()  # those of the caller are numbered by now, and others may be left


def _yield_to_relay(error: DatabaseError) -> None:
    """Somebody holds the lock, or the database is going away: the events are safe, the relay numbers them."""
    figures.sequencer_yielded.inc()
    logger.debug("numbering left to the relay: %s", error)


def sequence(channels: Collection[str], *, of: Collection[int] = (), skip_locked: bool = False) -> Outcome:
    """Number up to a pass of what waits on these channels in one transaction. Raises DatabaseError when a lock is not to be had.

    `of`: only channels on which one of these events still waits. Looking spares the lock: design, section 2, measured 860 publishes
    a second with 8 publishers on one channel where 552 went through without.
    """
    alias, names = router.db_for_write(Event), sorted(channels)
    try:
        outcome = _pass(alias, names, of, skip_locked=skip_locked)
    except _Missing as missing:
        # In a transaction of its own: an uncommitted new row would be a lock out of the sorted order.
        Channel.objects.using(alias).bulk_create([Channel(name=name) for name in missing.names], ignore_conflicts=True)
        outcome = _pass(alias, names, of, skip_locked=skip_locked)
    figures.sequenced.inc(sum(len(batch.rows) for batch in outcome.batches))
    return outcome


class _Missing(Exception):
    """Channels that have no row yet."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(names)
        self.names = names


def _pass(alias: str, names: Sequence[str], of: Collection[int], *, skip_locked: bool) -> Outcome:
    outcome = Outcome()
    with _impatient(alias), transaction.atomic(using=alias):
        held = statements.lock(names, of=of, skip_locked=skip_locked, patience_ms=LOCK_MS, limit=PASS + 1, using=alias)
        if len(held.rows) < len(names):
            _check_that_all_exist(names, alias)
        due = _due(held.rows, outcome)
        waiting = held.waiting
        if len(waiting) > PASS and len(due) < len(names):  # others may have taken the places of those that are due
            waiting = statements.waiting(due, limit=PASS + 1, using=alias)
        outcome.full = len(waiting) > PASS
        waiting = [row for row in waiting[:PASS] if row.channel in due]
        if waiting:
            _number_locked(due, held.epoch or history.epoch(), waiting, outcome)
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


def _check_that_all_exist(names: Sequence[str], alias: str) -> None:
    """Raises _Missing."""
    known = set(Channel.objects.using(alias).filter(name__in=names).values_list("name", flat=True))
    if missing := [name for name in names if name not in known]:
        raise _Missing(missing)


def _pace(channel: str) -> float:
    return registry.known(channel).pace


def _due(rows: Iterable[Locked], outcome: Outcome) -> dict[str, Locked]:
    """The rows that may be numbered now; what has to wait for its pace goes into `outcome.later`."""
    due = {}
    for row in rows:
        pace = _pace(row.name)
        # In the future: the database's clock was set back.
        if not pace or row.since is None or not 0 <= row.since < pace:
            due[row.name] = row
        else:
            outcome.later[row.name] = pace - row.since
    return due


def _number_locked(due: Mapping[str, Locked], life: str, waiting: Sequence[Waiting], outcome: Outcome) -> None:
    """Number what waits on the locked channels."""
    of_channel: dict[str, list[Waiting]] = defaultdict(list)
    for row in waiting:
        of_channel[row.channel].append(row)
    offsets: list[tuple[int, int]] = []
    losers: list[int] = []
    batches: list[Batch] = []
    dropped: dict[str, list[Waiting]] = {}
    for name, rows in of_channel.items():
        channel = due[name]
        kept, lost = _survivors(registry.known(name), name, rows)
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
            batches.append(Batch(name, span, kept))
    failpoints.hit("in_sequencer")
    told = [name for name in of_channel if type(registry.known(name)).numbered is not Kind.numbered]
    heads = {name: due[name].head for name in of_channel}
    statements.number(offsets, losers, heads, commits=not told, using=router.db_for_write(Event))
    numbered = {batch.channel: batch for batch in batches}
    for name in told:
        _tell_kind(name, [*(numbered[name].rows if name in numbered else ()), *dropped[name]])
    outcome.batches += batches


def _tell_kind(channel: str, rows: Sequence[Waiting]) -> None:
    """Let the kind note in its own rows what was numbered; its failure is logged and must not keep the events from their readers."""
    kind = registry.known(channel)
    try:
        with transaction.atomic(using=router.db_for_write(Event)):
            kind.numbered(ChannelName.parse(channel).key, [*map(history.Undecoded, rows)])
    except (OperationalError, InternalError):  # a lock that was not to be had, or a transaction that sat too long: the relay does all of it
        raise
    except Exception:
        logger.exception("the kind %s could not note its offsets", kind.name)


def _survivors(kind: Kind, channel: str, rows: Sequence[Waiting]) -> tuple[list[Waiting], list[int]]:
    """The waiting rows that get an offset, and the ids of all rows that go."""
    if kind.keeps is Keeps.LOG:
        return list(rows), []
    plan = compact(kind, _standing(kind, channel, rows), [_entry(row) for row in rows])
    keep = set(plan.keep)
    return [row for row in rows if row.pk in keep], plan.lose


def _standing(kind: Kind, channel: str, rows: Sequence[Waiting]) -> list[Entry]:
    keys = {row.key for row in rows} | {subject(row.key) for row in rows}
    below = {subject(row.key) for row in rows if (type := kind.type(row.type)) is not None and type.removes}
    return [*map(Entry._make, statements.standing(channel, keys, below, using=router.db_for_write(Event)))]


def _entry(row: Waiting) -> Entry:
    return Entry(row.pk, row.type, row.slot, row.key, row.major, row.minor)
