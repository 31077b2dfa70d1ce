"""The one door by which events enter: `publish`. How they travel from here: docs/delivery.md."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connections, router, transaction
from django.db.models import Case, Value, When

from core.delivery import at_once, failpoints, figures, payload, sequencer, statements
from core.delivery.channel import BadChannel, ChannelName, EventType, Keeps, registry
from core.delivery.statements import NewRow
from core.models import Event


class Unpublishable(ValueError):
    """The event cannot be published as it is; the text says what would be right."""


class ForeignTransaction(RuntimeError):
    """Another database is inside atomic() and the events' database is not: the commit rule could not hold."""


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to be published. `version` (two bigints) matters on state channels only; default: the row's (id, 0)."""

    channel: str
    type: str
    data: Mapping[str, Any] = field(default_factory=dict)
    key: str = ""
    version: tuple[int, int] | None = None


def publish(
    channel: str, type: str, data: Mapping[str, Any] | None = None, *, key: str = "", version: tuple[int, int] | None = None
) -> int:
    """Publish one event in the caller's transaction: it is delivered if and only if that commits. Returns the event's id.

    Costs one INSERT and waits for nobody. Write your rows first and publish last.
    Raises Unpublishable (type, key or payload), BadChannel, ForeignTransaction.
    """
    return publish_many([NewEvent(channel, type, data or {}, key, version)])[0]


def publish_many(events: Iterable[NewEvent]) -> list[int]:
    """Publish many events in the caller's transaction, in this order within each channel; all or none. Returns their ids."""
    events = list(events)
    # Each channel with a type is checked once; what many are told at once is one object, cleaned and written once.
    slots: dict[tuple[str, str], str] = {}
    written: dict[int, str] = {}
    limit = settings.MAX_PAYLOAD
    rows = [_row(event, slots, written, limit) for event in events]
    if not rows:
        return []
    alias = _alias()
    if at_once.may_be(rows, using=alias):
        return at_once.insert(rows, using=alias)
    ids = statements.insert_events(rows, using=alias)
    _redact(alias, zip(ids, rows, strict=True), events)
    _sequence_on_commit(alias, {id: row.channel for id, row in zip(ids, rows, strict=True)})
    failpoints.hit("before_commit")
    return ids


apublish = sync_to_async(publish)
apublish_many = sync_to_async(publish_many)


def broadcast_unstored(channel: str, type: str, data: Mapping[str, Any] | None = None) -> None:
    """Send an ephemeral event: at most once, now, whatever becomes of the transaction; nothing is stored."""
    from core.delivery.broker import broker

    name, kind = _checked(channel, type)
    if not kind.ephemeral:
        raise Unpublishable(f"{type} events of {name.kind} are stored: use publish().")
    broker.ephemeral(name, type, payload.normalised(data or {}, limit=settings.MAX_PAYLOAD))


def _checked(channel: str, type: str) -> tuple[ChannelName, EventType]:
    name = ChannelName.parse(channel)
    kind = registry.of(name)
    known = kind.type(type)
    if known is None:
        raise Unpublishable(f"{name.kind} channels carry {', '.join(t.name for t in kind.types)}; not {type!r}.")
    return name, known


def _row(event: NewEvent, slots: dict[tuple[str, str], str], written: dict[int, str], limit: int) -> NewRow:
    where = event.channel, event.type
    slot = slots.get(where)
    if slot is None:
        slot = slots[where] = _slot(*where)
    if event.key and (len(event.key) > 128 or not payload.is_clean(event.key)):
        raise Unpublishable("A key is at most 128 characters, without NUL or lone surrogates.")
    data = written.get(id(event.data))
    if data is None:
        data = written[id(event.data)] = payload.written(event.data, limit=limit)
    major, minor = event.version or (None, 0)
    return NewRow(event.channel, event.type, slot, event.key, major, minor, data)


def _slot(channel: str, type: str) -> str:
    """The slot of a stored event of this type on this channel. Raises Unpublishable, BadChannel."""
    name, known = _checked(channel, type)
    if known.ephemeral:
        raise Unpublishable(f"{type} events are not stored: use broadcast_unstored().")
    return known.slot if registry.of(name).keeps is Keeps.STATE else ""


def _redact(alias: str, rows: Iterable[tuple[int, NewRow]], events: Iterable[NewEvent]) -> None:
    """Take the words of earlier events out of the table where a new one takes them back (`Kind.redacts`)."""
    for (id, row), event in zip(rows, events, strict=True):
        kind = registry.known(row.channel)
        if kind.keeps is not Keeps.LOG or not kind.redacts(row.type, event.data):
            continue
        earlier = Event.objects.using(alias).filter(channel=row.channel, key=row.key, id__lt=id)
        said = Case(When(type=row.type, then=Value(row.data)), default=Value("{}"))
        # Waiting ones first: one that is being numbered meanwhile is found by the second statement.
        for waiting in (True, False):
            earlier.filter(offset__isnull=waiting).update(data=said)


def _alias() -> str:
    """The events' database. Raises ForeignTransaction when only another one is inside a transaction."""
    alias = router.db_for_write(Event)
    if not connections[alias].in_atomic_block:
        others = [other for other in connections if other != alias and connections[other].in_atomic_block]
        if others:
            raise ForeignTransaction(
                f"Database {others[0]!r} is inside atomic() and {alias!r}, which holds the events, is not: "
                f"publish inside transaction.atomic(using={alias!r})."
            )
    return alias


@dataclass(slots=True)
class _Waiting:
    """What one transaction published so far and nobody has numbered yet."""

    hooks: list[Any]  # the connection's own list of hooks: a new list means a new transaction, or a savepoint rolled back
    events: dict[int, str] = field(default_factory=dict)


def _sequence_on_commit(alias: str, events: dict[int, str]) -> None:
    # One hook per publish: Django drops those of a savepoint that rolls back, and the others must still find the rest.
    connection = connections[alias]
    waiting: _Waiting | None = getattr(connection, "_signalbox_waiting", None)
    if waiting is None or waiting.hooks is not connection.run_on_commit:
        waiting = _Waiting(connection.run_on_commit)
        connection._signalbox_waiting = waiting  # type: ignore[attr-defined]
    waiting.events |= events
    transaction.on_commit(lambda: _drain(waiting), using=alias, robust=True)


def _drain(waiting: _Waiting) -> None:
    failpoints.hit("after_commit")
    events, waiting.events = waiting.events, {}
    if events:
        figures.publishes.inc(len(events))
        sequencer.sequence_committed(events)


__all__ = [
    "BadChannel",
    "ForeignTransaction",
    "NewEvent",
    "Unpublishable",
    "apublish",
    "apublish_many",
    "broadcast_unstored",
    "publish",
    "publish_many",
]
