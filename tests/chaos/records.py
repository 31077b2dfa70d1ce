"""What the checker's publishers and clients write down, and what is read from the database at the end. Pure.

Times are the machine's monotonic clock, which all its processes share and no fault moves.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """The name of one published event: its publisher and that publisher's own count."""

    publisher: str
    number: int


class Outcome(Enum):
    """What became of a publish, as its caller saw it. UNKNOWN: it failed, or its publisher died, where it may have committed."""

    ACKNOWLEDGED, ROLLED_BACK, UNKNOWN = range(3)


@dataclass(frozen=True, slots=True)
class Published:
    """One event that somebody tried to publish. `began` and `ended` frame the call; `together` names its transaction."""

    mark: Mark
    channel: str
    outcome: Outcome
    began: float
    ended: float
    together: str = ""
    key: str = ""
    slot: str = ""
    value: int | str | None = None  # of a state channel's key; a number never goes back
    error: str = ""  # what its caller was told when it failed
    lasting: bool = True  # state: the key is not removed or shared, so the last acknowledged value must stand

    @property
    def is_state(self) -> bool:
        return self.value is not None


@dataclass(frozen=True, slots=True)
class Shown:
    """A client showed one event of a log."""

    mark: Mark
    offset: int
    at: float


@dataclass(frozen=True, slots=True)
class Replaced:
    """A client replaced a log's region by what the server had: these events, in this order."""

    marks: tuple[Mark, ...]
    at: float


@dataclass(slots=True)
class LogTrack:
    """Everything one client showed of one log. `finishes`: it is expected to be complete in the end."""

    client: str
    channel: str
    finishes: bool = True
    entries: list[Shown | Replaced] = field(default_factory=list)

    def final(self) -> list[Mark]:
        """What stands on the screen at last."""
        marks: list[Mark] = []
        for entry in self.entries:
            if isinstance(entry, Replaced):
                marks = list(entry.marks)
            else:
                marks.append(entry.mark)
        return marks

    def showings(self) -> Iterator[tuple[Mark, float]]:
        """Everything that was ever on the screen, with the moment that it got there."""
        for entry in self.entries:
            if isinstance(entry, Shown):
                yield entry.mark, entry.at
            else:
                yield from ((mark, entry.at) for mark in entry.marks)


Place = tuple[str, str]  # slot and key


@dataclass(slots=True)
class StateTrack:
    """What one client shows of one state channel, and every step back that it saw."""

    client: str
    channel: str
    finishes: bool = True
    values: dict[Place, Any] = field(default_factory=dict)
    backwards: list[str] = field(default_factory=list)

    def show(self, type: str, key: str, value: Any) -> None:
        """Apply one event as a page would: a removal takes every slot of its subject."""
        slot = "config" if type in {"config", "removed"} else "value"
        before = self.values.get((slot, key))
        if type == "removed":
            self._remove(key)
        elif isinstance(value, int) and isinstance(before, int) and value < before:
            self.backwards.append(f"{self.client} saw {key} of {self.channel} go from {before} to {value}")
        self.values[(slot, key)] = "removed" if type == "removed" else value

    def replace(self, shown: Iterable[Mapping[str, Any]]) -> None:
        self.values = {}
        for one in shown:
            self.show(one["y"], one["k"], one["v"])

    def _remove(self, subject: str) -> None:
        self.values = {place: value for place, value in self.values.items() if place[1].split("/", 1)[0] != subject}


@dataclass(frozen=True, slots=True)
class Stored:
    """What the database holds at the end: each log's events in order, each state channel's values, each person's counts."""

    logs: Mapping[str, tuple[Mark, ...]]
    offsets: Mapping[str, tuple[int, ...]]
    states: Mapping[str, Mapping[Place, Any]]
    counts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Silence:
    """From `since` on this client may see nothing new of this channel (None: of any)."""

    client: str
    channel: str | None
    since: float
    why: str = ""


@dataclass(slots=True)
class Evidence:
    """All that the verdicts are passed on."""

    published: list[Published]
    logs: list[LogTrack]
    states: list[StateTrack]
    stored: Stored
    silences: list[Silence] = field(default_factory=list)
    counts: dict[tuple[str, str], str] = field(default_factory=dict)  # (client, user) -> the badge that she shows
    forgotten: tuple[float, float] | None = None  # what was published between these times is gone by a restore
