"""What a publisher of the checker publishes: a seeded mixture of logs, states, bursts, clashing orders and rollbacks. Pure."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

LOGS = ("chaoslog:a", "chaoslog:b", "chaoslog:c")
CLUB = "chaosclub:a"
STATES = ("chaosstate:a", "chaospaced:a")
# One event in all its life: no later one tells a hub that it missed this one, only the position poll does.
QUIET = tuple(f"chaosstate:q{number}" for number in range(24))
SHARED = "shared"  # a key that all publishers write


@dataclass(frozen=True, slots=True)
class Intended:
    """One event as it is to be published. `inner`: inside a savepoint that is rolled back."""

    channel: str
    type: str
    number: int
    key: str = ""
    value: int | str | None = None
    version: tuple[int, int] | None = None
    inner: bool = False
    lasting: bool = True

    @property
    def slot(self) -> str:
        return "config" if self.type in {"config", "removed"} else "value" if self.value is not None else ""


@dataclass(frozen=True, slots=True)
class Transaction:
    """What is published together. `fails`: it is rolled back at its end."""

    events: tuple[Intended, ...]
    fails: bool = False


@dataclass(slots=True)
class Mixture:
    """The transactions of one publisher, for ever. `quiet`: the quiet channels that are its own."""

    publisher: str
    seed: int
    rollbacks: float = 0.1
    quiet: list[str] = field(default_factory=list)
    _number: int = 0
    _values: dict[str, int] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Transaction]:
        chance = random.Random(self.seed)
        makers = [self._line, self._burst, self._state, self._clash, self._savepoint, self._club, self._removal]
        weights = [50, 12, 16, 12, 5, 3, 2]
        while True:
            events = chance.choices(makers, weights)[0](chance)
            if self.quiet and chance.random() < 0.2:
                events.append(self._value(self.quiet.pop(), "once"))
                yield Transaction(tuple(events))
            else:
                yield Transaction(tuple(events), fails=chance.random() < self.rollbacks)

    def only(self, channel: str) -> Iterator[Transaction]:
        """Lines on one log, one at a time."""
        while True:
            yield Transaction((self._log(channel),))

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _log(self, channel: str, *, inner: bool = False) -> Intended:
        return Intended(channel, "line", self._next(), inner=inner)

    def _value(self, channel: str, key: str) -> Intended:
        # Half of the values are those before them: such a frame need not be sent.
        count = self._values[channel + key] = self._values.get(channel + key, 0) + 1
        return Intended(channel, "value", self._next(), key, value=count // 2)

    def _line(self, chance: random.Random) -> list[Intended]:
        return [self._log(chance.choice(LOGS))]

    def _burst(self, chance: random.Random) -> list[Intended]:
        channel = chance.choice(LOGS)
        return [self._log(channel) for _ in range(chance.randint(2, 4))]

    def _club(self, chance: random.Random) -> list[Intended]:
        return [self._log(CLUB)]

    def _state(self, chance: random.Random) -> list[Intended]:
        channel = chance.choice(STATES)
        kind = chance.randrange(3)
        if kind == 0:
            return [self._value(channel, f"{self.publisher}/{number}") for number in range(chance.randint(1, 3))]
        if kind == 1:
            return [self._late(channel, chance)]
        return [Intended(channel, "value", self._next(), SHARED, value=f"{self.publisher}-{self._number}", lasting=False)]

    def _late(self, channel: str, chance: random.Random) -> Intended:
        """A sample with a version of its own, some of them older than what stands: the highest version stays."""
        count = self._values["late"] = self._values.get("late", 0) + 1
        version = max(1, count - chance.choice([0, 0, 2, 5]))
        return Intended(channel, "value", self._next(), f"{self.publisher}/late", value=version, version=(version, count))

    def _clash(self, chance: random.Random) -> list[Intended]:
        """Several channels in one transaction, in any order."""
        channels = chance.sample([*LOGS, CLUB, *STATES], chance.randint(2, 4))
        return [self._value(name, f"{self.publisher}/0") if name in STATES else self._log(name) for name in channels]

    def _savepoint(self, chance: random.Random) -> list[Intended]:
        return [self._log(chance.choice(LOGS)), self._log(chance.choice(LOGS), inner=True), self._log(chance.choice(LOGS))]

    def _removal(self, chance: random.Random) -> list[Intended]:
        """A widget that comes, has a value, goes, and comes again."""
        channel, key = chance.choice(STATES), f"gone-{self.publisher}"
        self._values[key] = round = self._values.get(key, 0) + 1
        types = [("config", key), ("value", f"{key}/total"), ("removed", key)]
        return [Intended(channel, type, self._next(), name, value=round, lasting=False) for type, name in types[: chance.choice([2, 3])]]
