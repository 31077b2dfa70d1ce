"""Positions in a channel's history, ranges that frames cover, and what a range means to a reader. Pure."""

import re
from dataclasses import dataclass
from enum import Enum

# An offset is a Postgres bigint; the epoch is what models.Epoch draws: eight hexadecimal digits.
_WRITTEN = re.compile(r"([0-9a-f]{1,32}):(0|[1-9][0-9]{0,18})", re.ASCII)
MAX_OFFSET = 2**63 - 1


class Verdict(Enum):
    """What a frame means to the reader whom it reaches."""

    APPLY, DUPLICATE, GAP, UNRECOVERABLE = range(4)


class BadPosition(ValueError):
    """The text is not a position; a position is written `<epoch>:<offset>`, as in `e3f10a2b:41`."""


@dataclass(frozen=True, slots=True)
class Range:
    """What a frame covers: the events after `start` up to and including `end`, in one life of the database."""

    epoch: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Position:
    """How far a reader has got in one life of the database."""

    epoch: str
    offset: int

    def __str__(self) -> str:
        return f"{self.epoch}:{self.offset}"

    @classmethod
    def parse(cls, text: object) -> "Position":
        """Read a position as it is written on the wire. Raises BadPosition."""
        match = _WRITTEN.fullmatch(text) if isinstance(text, str) and len(text) <= 64 else None
        if not match or int(match[2]) > MAX_OFFSET:
            raise BadPosition("A position is written <epoch>:<offset>, for example e3f10a2b:41.")
        return cls(match[1], int(match[2]))

    def judge(self, frame: Range) -> Verdict:
        """Say what a frame covering (frame.start, frame.end] means to a reader who stands here."""
        if frame.epoch != self.epoch:
            return Verdict.UNRECOVERABLE
        if frame.end <= self.offset:
            return Verdict.DUPLICATE
        return Verdict.APPLY if frame.start <= self.offset else Verdict.GAP

    def recoverable(self, *, epoch: str, head: int, tail: int) -> bool:
        """Say whether everything after this position is still kept by a channel with this head and tail."""
        return self.epoch == epoch and tail - 1 <= self.offset <= head
