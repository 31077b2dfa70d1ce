"""Which events of a state channel stay when new ones are numbered (design, rule 1). Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from core.delivery.channel import EventType, Kind


class Entry(NamedTuple):
    """One event as compaction sees it. `major` None: the default version (id, 0)."""

    id: int
    type: str
    slot: str
    key: str
    major: int | None
    minor: int

    @property
    def version(self) -> tuple[int, int]:
        return (self.id if self.major is None else self.major, self.minor)


def subject(key: str) -> str:
    """What a key is about: `12/total` is a value of `12`, and goes when `12` is removed."""
    return key.split("/", 1)[0]


@dataclass(slots=True)
class Plan:
    """The ids to number, in order, and the ids to delete."""

    keep: list[int] = field(default_factory=list)
    lose: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Compaction:
    """Works one channel's waiting events into what already stands, newest version per (slot, key)."""

    kind: Kind
    standing: dict[tuple[str, str], Entry]
    waiting_ids: set[int] = field(default_factory=set)
    lost: list[int] = field(default_factory=list)

    def take(self, entry: Entry) -> None:
        """Let one waiting event in, in id order."""
        self.waiting_ids.add(entry.id)
        type = self.kind.type(entry.type) or EventType(entry.type)
        if self._loses(entry, type):
            self.lost.append(entry.id)
            return
        if type.removes:
            self._drop_subject(subject(entry.key))
        self._replace((entry.slot, entry.key), entry)
        if type.revives:
            self._drop_tombstone(entry)

    def plan(self) -> Plan:
        kept = sorted(entry.id for entry in self.standing.values() if entry.id in self.waiting_ids)
        return Plan(kept, self.lost)

    def _loses(self, entry: Entry, type: EventType) -> bool:
        tombstone = self._tombstone(subject(entry.key))
        if tombstone is not None and not type.revives and not type.removes:
            return True
        rival = self.standing.get((entry.slot, entry.key))
        return rival is not None and rival.version >= entry.version

    def _tombstone(self, about: str) -> Entry | None:
        for type in self.kind.types:
            if type.removes and (entry := self.standing.get((type.slot, about))) is not None and entry.type == type.name:
                return entry
        return None

    def _drop_subject(self, about: str) -> None:
        for place, entry in list(self.standing.items()):
            if subject(place[1]) == about:
                self._lose(place, entry)

    def _drop_tombstone(self, entry: Entry) -> None:
        tombstone = self._tombstone(subject(entry.key))
        if tombstone is not None and tombstone.id != entry.id:
            self._lose((tombstone.slot, tombstone.key), tombstone)

    def _replace(self, place: tuple[str, str], entry: Entry) -> None:
        rival = self.standing.get(place)
        if rival is not None:
            self._lose(place, rival)
        self.standing[place] = entry

    def _lose(self, place: tuple[str, str], entry: Entry) -> None:
        self.lost.append(entry.id)
        del self.standing[place]


def compact(kind: Kind, standing: Iterable[Entry], waiting: Sequence[Entry]) -> Plan:
    """Say which of the waiting events are numbered and which events, old or waiting, are deleted."""
    work = Compaction(kind, {(entry.slot, entry.key): entry for entry in standing})
    for entry in waiting:
        work.take(entry)
    return work.plan()
