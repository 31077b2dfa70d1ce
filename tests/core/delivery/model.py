"""What the property test compares with: a table that plays the database, a socket that is a list, and a page with its screen.

The page's decisions are those of live.js (tests/chaos/view.py); everything between the table and the socket is the product itself.
"""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.delivery import history
from core.delivery.channel import ChannelName, Event, EventType, Keeps, Kind
from core.delivery.connection import Connection
from core.delivery.outlet import Outlet
from core.delivery.position import Position, Range
from tests.chaos.view import Channel, View

CATCH_UP, SILENCE = 6, 3
KEYS = ("a", "b", "c")
PERSONAL, OUTSIDER = "c", "2"  # events of this key are personal on the personal log, and none of them is for this person
WORDLESS = "b"  # events of this key say nothing on the quiet log

Shown = tuple[int, str, int]  # offset, key, number


class PropertyLog(Kind):
    """Every event for everybody."""

    name = "proplog"
    types = (EventType("line"),)

    def render(self, event: Event, key: str) -> str:
        return f"{event.offset}={event.key}={event.data};"


class PropertyPersonal(PropertyLog):
    """Some events have one answer per person, and none for some."""

    name = "proppersonal"

    def is_personal(self, event: Event) -> bool:
        return event.key == PERSONAL

    def personalise(self, event: Event, key: str, users: Collection[str]) -> Mapping[str, str]:
        return {user: self.render(event, key) for user in users if user != OUTSIDER}


class PropertyQuiet(PropertyLog):
    """Some events say nothing to anybody."""

    name = "propquiet"

    def render(self, event: Event, key: str) -> str:
        return "" if event.key == WORDLESS else super().render(event, key)


class PropertyState(PropertyLog):
    """The newest of every key; `gone` takes a key away."""

    name = "propstate"
    keeps = Keeps.STATE
    types = (EventType("value", revives=True), EventType("gone", removes=True))


@dataclass
class Table:
    """What the database holds of one channel; `everything` is what it ever held in this life."""

    kind: Kind
    epoch: str = "0"
    head: int = 0
    tail: int = 1
    rows: list[Event] = field(default_factory=list)
    everything: list[Event] = field(default_factory=list)
    published: int = 0

    @property
    def name(self) -> ChannelName:
        return ChannelName(self.kind.name, "x")

    @property
    def is_log(self) -> bool:
        return self.kind.keeps is Keeps.LOG

    def publish(self, keys: list[str], *, gone: bool = False) -> tuple[Range, list[Event]]:
        """Number one event per key; a state channel keeps the newest of each."""
        start, events = self.head, []
        for key in keys:
            self.head, self.published = self.head + 1, self.published + 1
            type = self.kind.types[-1 if gone else 0].name
            events.append(Event(self.head, type, key, self.published, 0.0))
        if not self.is_log:
            self.rows = [row for row in self.rows if row.key not in keys]
        self.rows += events
        self.everything += events
        return Range(self.epoch, start, self.head), events

    def trim(self, upto: int) -> None:
        """A log loses what lies before; a state channel only its tombstones, and nobody who stands before one goes on."""
        if self.is_log:
            self.tail = max(self.tail, upto + 1)
            self.rows = [row for row in self.rows if row.offset >= self.tail]
            return
        old = {row.offset for row in self.rows if row.type == "gone" and row.offset <= upto}
        self.tail = max([self.tail, *(offset + 1 for offset in old)])
        self.rows = [row for row in self.rows if row.offset not in old]

    def restore(self, back: int) -> None:
        """An older copy, announced: a new life."""
        self.epoch = f"{int(self.epoch, 16) + 1:x}"
        self.head = max(self.tail - 1, self.head - back)
        self.rows = [row for row in self.rows if row.offset <= self.head]
        self.everything = [row for row in self.everything if row.offset <= self.head]

    def position(self) -> Position:
        return Position(self.epoch, self.head)

    def stretch(self, after: int) -> history.Stretch:
        rows = [row for row in self.rows if row.offset > after][: CATCH_UP + 1]
        return history._judged(str(self.name), self.epoch, after, self.head, self.tail, rows, CATCH_UP)


class Wire(Outlet):
    """A socket to a page: what was written lies in `inbox` until the page reads it."""

    def __init__(self) -> None:
        super().__init__(self._accept, credit=0)
        self.inbox: list[dict[str, Any]] = []
        self.closed = False
        self.full = False

    async def _accept(self, message: Any) -> None:
        self.inbox.append(json.loads(message["text"]))

    @property
    def has_credit(self) -> bool:
        return not self.full and not self.closed

    def close(self, code: int, *, retry_ms: int | None = None) -> None:
        self.closed = True


@dataclass
class Page:
    """One person's page: its view, its screen, and its socket while it has one."""

    table: Table
    user: str
    view: View = field(init=False)
    wire: Wire | None = None
    connection: Connection | None = None
    fetching: list[str] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)  # as they came since the last region
    number: int = 0

    def __post_init__(self) -> None:
        self.view = View(self)
        self.view.channels[str(self.table.name)] = Channel(str(self.table.name), self.table.position())
        self.shown = self.region()

    def is_for(self, row: Event) -> bool:
        return not (self.is_wordless(row) or (self.table.kind.is_personal(row) and self.user == OUTSIDER))

    def is_wordless(self, row: Event) -> bool:
        return self.table.kind.name == PropertyQuiet.name and row.key == WORDLESS

    def region(self) -> list[Shown]:
        """What the server would draw now."""
        return [(row.offset, row.key, row.data) for row in self.table.rows if row.type != "gone" and self.is_for(row)]

    # the screen

    def show(self, channel: str, text: str, after: int) -> None:
        for part in text.split(";")[:-1]:
            offset, key, number = part.split("=")
            if int(offset) > after:
                self._show((int(offset), key, int(number)))

    def _show(self, one: Shown) -> None:
        older = [place for place in self.shown if place[1] == one[1] or self.table.is_log]
        if older:
            before = older[-1][0]
            # What was published later is of a new life, and this of the one before.
            earlier = [row for row in self.table.everything if before < row.offset < one[0] and row.data < one[2]]
            missed = [row.offset for row in earlier if self.is_for(row)]
            assert before < one[0], f"{one} came after {before}"
            assert not self.table.is_log or not missed, f"{one} came before {missed}"
        self.shown.append(one)

    def replace(self, channel: str, region: Any, at: int) -> None:
        self.shown = list(region)

    def refuse(self, channel: str) -> None:
        raise AssertionError(f"{channel} was refused")

    # in the end

    def check(self) -> None:
        """The page shows what the database holds, and has lost nothing in between."""
        channel = self.view.channels[str(self.table.name)]
        behind = [row for row in self.table.everything if row.offset > channel.position.offset]
        at_the_end = channel.position.epoch == self.table.epoch and all(map(self.is_wordless, behind)) and len(behind) < SILENCE
        assert at_the_end, f"{self.user} stands at {channel.position} of {self.table.position()}, holds {channel.holds}"
        (self._check_log if self.table.is_log else self._check_state)()

    def _check_log(self) -> None:
        first = self.shown[0][0] if self.shown else self.table.head + 1
        assert self.shown == [(row.offset, row.key, row.data) for row in self.table.everything if row.offset >= first and self.is_for(row)]
        assert set(self.region()) <= set(self.shown)

    def _check_state(self) -> None:
        newest = {key: (offset, number) for offset, key, number in self.shown}
        for row in self.table.rows:
            if row.type == "gone" and newest.get(row.key, (0,))[0] in {0, row.offset}:
                newest.pop(row.key, None)  # it was shown to go, or never stood there
        trimmed = {row.key: row.offset for row in self.table.everything if row.type == "gone"}
        newest = {key: place for key, place in newest.items() if trimmed.get(key) != place[0]}
        assert newest == {key: (offset, number) for offset, key, number in self.region()}


Question = tuple[Callable[..., Any], tuple[Any, ...]]
