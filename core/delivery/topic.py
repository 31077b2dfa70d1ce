"""A topic is one channel in one process: who listens here, how far it got, and what it remembers to serve those behind. No I/O.

Logs keep a ring of the newest events; state channels keep the newest event of every (slot, key) since the topic opened.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from core.delivery.channel import ChannelName, Event, EventType, Keeps, Kind, redacted
from core.delivery.compaction import subject
from core.delivery.forms import Entry, Form
from core.delivery.frame import Frame
from core.delivery.position import Range

if TYPE_CHECKING:
    from core.delivery.connection import Connection

RING = 300  # events of a log
FRAME = 64 * 1024  # characters of a frame before it is cut, plus one fragment (rule 5)
PACE = 0.2  # seconds between two frames of a state channel to one connection


class Subscription:
    """One connection's interest in one channel. `cursor` is the `to` of the last frame sent (rule 4)."""

    __slots__ = ("connection", "cursor", "outlet", "topic")

    def __init__(self, connection: "Connection", topic: "Topic", cursor: int) -> None:
        self.connection, self.topic, self.cursor = connection, topic, cursor
        self.outlet = connection.outlet


class Topic:
    """What both kinds of topic share."""

    def __init__(self, name: ChannelName, kind: Kind) -> None:
        self.name, self.kind, self.text = name, kind, str(name)
        self.epoch = ""
        self.head = 0  # the newest offset that reached this process
        self.start = 0  # memory covers the events after this offset
        self.opened = False  # False: head is not known yet, batches wait in `early`
        self.early: list[tuple[Range, Sequence[Event]]] = []
        self.subscriptions: dict[Connection, Subscription] = {}
        self.waiters: set[asyncio.Event] = set()  # requests that wait for news
        self.joined = False  # member of the layer's group
        self.empty_since: float | None = None
        self.held = False  # the hub itself holds it, with or without subscribers
        self.flushed_at = 0.0
        self.flush_planned = False
        self.personalising = False
        self._frames: dict[object, str] = {}  # bytes shared between connections within one fan-out

    def open(self, epoch: str, head: int) -> None:
        """Start at the table's head; what is remembered begins here."""
        self.epoch, self.head, self.start, self.opened = epoch, head, head, True
        self.forget()

    def forget(self) -> None:
        raise NotImplementedError

    def take(self, span: Range, events: Iterable[Event]) -> list[Entry]:
        """Remember a batch that continues this topic and move the head. Returns what was new."""
        entries = [Entry(self.kind, self.name.key, event) for event in events if event.offset > self.head]
        self.head = span.end
        self._frames.clear()
        for entry in entries:
            self._remember(entry)
        return entries

    def look_back(self, start: int, events: Iterable[Event]) -> None:
        """Add older events, read from the table and reaching to where memory begins, so that memory covers those after `start`."""
        if start < self.start:
            self._prepend([Entry(self.kind, self.name.key, event) for event in events if event.offset <= self.start])
            self.start = start

    def _remember(self, entry: Entry) -> None:
        raise NotImplementedError

    def _prepend(self, entries: Sequence[Entry]) -> None:
        raise NotImplementedError

    def after(self, cursor: int, language: str) -> list[Entry] | None:
        """What a reader at this cursor has to be told, in order; None when memory does not reach back that far."""
        raise NotImplementedError

    def frames(self, subscription: Subscription, entries: Sequence[Entry], *, upto: int) -> list[tuple[int, str]]:
        """The frames that bring a subscription to `upto`, as (the frame's end, its text), each at most FRAME plus one fragment."""
        connection = subscription.connection
        return self._cut(connection.form, connection.reader.user, entries, subscription.cursor, upto)

    def _cut(self, form: Form, user: str, entries: Sequence[Entry], start: int, upto: int) -> list[tuple[int, str]]:
        frames, piece, size = [], [], 0
        for index, entry in enumerate(entries):
            piece.append(entry)
            size += len(entry.fragment_for(user, form.language))
            if size >= FRAME and index + 1 < len(entries):
                frames.append((entry.event.offset, self._frame(form, user, piece, start, entry.event.offset)))
                piece, size, start = [], 0, entry.event.offset
        frames.append((upto, self._frame(form, user, piece, start, upto)))
        return frames

    def _frame(self, form: Form, user: str, entries: Sequence[Entry], start: int, end: int) -> str:
        hers = tuple([entry.personal.get(user, "") for entry in entries if entry.personal is not None])  # often the same for many
        share = (form.share, start, end, hers)
        text = self._frames.get(share)
        if text is None:
            text = self._frames[share] = Frame(form.frame(self.name, Range(self.epoch, start, end), entries, user))
        return text


class LogTopic(Topic):
    """A channel that keeps every event of its window: every subscriber is told each of them, in order."""

    def forget(self) -> None:
        self._ring: deque[Entry] = deque()

    def _remember(self, entry: Entry) -> None:
        self._redact(entry)
        self._ring.append(entry)
        while len(self._ring) > RING:
            self.start = self._ring.popleft().event.offset

    def _prepend(self, entries: Sequence[Entry]) -> None:
        self._ring.extendleft(reversed(entries))
        # They may have been read before what is remembered here took them back.
        for entry in list(self._ring):
            self._redact(entry)

    def _redact(self, by: Entry) -> None:
        """Forget what an event takes back, as the table has."""
        if not self.kind.redacts(by.event.type, by.event.data):
            return
        for index, entry in enumerate(self._ring):
            if entry.event.key == by.event.key and entry.event.offset < by.event.offset:
                self._ring[index] = Entry(self.kind, self.name.key, redacted(entry.event, by.event))

    def after(self, cursor: int, language: str) -> list[Entry] | None:
        if cursor < self.start:
            return None
        behind = self.head - cursor  # dense: one entry per offset
        return [self._ring[index] for index in range(len(self._ring) - behind, len(self._ring))] if behind else []


class StateTopic(Topic):
    """A channel of which only the newest version of every key matters: what did not change is not sent."""

    def forget(self) -> None:
        self._newest: dict[tuple[str, str], Entry] = {}

    def _remember(self, entry: Entry) -> None:
        type = self.kind.type(entry.event.type) or EventType(entry.event.type)
        place = (type.slot, entry.event.key)
        if type.removes:
            self._drop_subject(subject(entry.event.key))
        previous = self._newest.pop(place, None)
        self._newest[place] = entry
        if previous is not None:
            self._compare(previous, entry)

    def _prepend(self, entries: Sequence[Entry]) -> None:
        older = {(self._slot(entry), entry.event.key): entry for entry in entries}
        self._newest = {place: entry for place, entry in older.items() if place not in self._newest} | self._newest

    def _slot(self, entry: Entry) -> str:
        type = self.kind.type(entry.event.type)
        return type.slot if type is not None else ""

    def _compare(self, previous: Entry, entry: Entry) -> None:
        """Note where an unchanged fragment has been the same since."""
        for language, html in previous.html.items():
            if entry.fragment(language) == html:
                entry.changed_at[language] = previous.changed_at.get(language, previous.event.offset)

    def _drop_subject(self, about: str) -> None:
        for place in [place for place in self._newest if subject(place[1]) == about]:
            del self._newest[place]

    def after(self, cursor: int, language: str) -> list[Entry] | None:
        if cursor < self.start:
            return None
        newer = [entry for entry in self._newest.values() if entry.event.offset > cursor]
        return [entry for entry in newer if entry.changed_at.get(language, entry.event.offset) > cursor]


def topic_of(name: ChannelName, kind: Kind) -> Topic:
    return LogTopic(name, kind) if kind.keeps is Keeps.LOG else StateTopic(name, kind)
