"""What becomes of an alert when values come in and time passes. Pure: rule and standing in, verdict out; docs/alerts.md.

    OK --breach--> PENDING --long enough--> FIRING --clear--> RECOVERING --long enough--> OK
                   PENDING --clear--> OK               RECOVERING --breach--> FIRING

Times are unix microseconds. Values are judged at their own times and in their order; a late one has what came after it judged again, so
that the outcome does not depend on who came first.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

SECOND = 1_000_000
# An alert that fired so often in so long a time flaps: it is over only when it has been calm for so long.
FLAPS, FLAP_WINDOW, CALM = 3, 600 * SECOND, 300 * SECOND


class Condition(StrEnum):
    ABOVE, BELOW, OUTSIDE, NO_DATA, STALE = "above", "below", "outside", "no_data", "stale"


class State(StrEnum):
    OK, PENDING, FIRING, RECOVERING = "ok", "pending", "firing", "recovering"


@dataclass(frozen=True, slots=True)
class Rule:
    """When an alert fires. `pending` and `recovery`: how long a breach, and its absence, must last; `quiet`: how long no value may come."""

    condition: Condition
    low: float = 0.0
    high: float = 0.0
    pending: int = 0
    recovery: int = 0
    quiet: int = 0

    @property
    def is_silence(self) -> bool:
        """Whether it is about values that do not come."""
        return self.condition in {Condition.NO_DATA, Condition.STALE}

    def breached_by(self, value: float) -> bool:
        """Whether this value alone is one to tell of."""
        match self.condition:
            case Condition.ABOVE:
                return value > self.high
            case Condition.BELOW:
                return value < self.low
            case Condition.OUTSIDE:
                return not self.low <= value <= self.high
        return False


@dataclass(frozen=True, slots=True)
class Standing:
    """How an alert stands. `since`: of its state; `judged`: the time of the newest value; `fired`: when it last began to fire."""

    state: State = State.OK
    since: int = 0
    judged: int = 0
    value: float | None = None
    fired: tuple[int, ...] = ()

    @property
    def is_firing(self) -> bool:
        return self.state in {State.FIRING, State.RECOVERING}

    def flaps(self, now: int) -> bool:
        """Whether it has fired so often that it must be calm for longer before it is over."""
        return sum(1 for at in self.fired if at > now - FLAP_WINDOW) >= FLAPS


@dataclass(frozen=True, slots=True)
class Seen:
    """A value in its place. Not new: it was judged before, and stands here because a new one came before it."""

    at: int
    value: float
    is_new: bool = True


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the alert stands now. `fired`: it fired since, even if that is over. `due`: when time alone may change it; None: never."""

    standing: Standing
    fired: bool = False
    due: int | None = None


def reach(standing: Standing, first: int) -> int:
    """From when on values must be seen again, the earliest new one being at `first`."""
    waits = standing.state in {State.PENDING, State.RECOVERING}
    return min(first, standing.since) if waits and first <= standing.judged else first


def judge(rule: Rule, standing: Standing, seen: Sequence[Seen], *, now: int) -> Verdict:
    """Take in these values, in the order of their times, and then the time itself."""
    if rule.is_silence:
        return _heard(rule, standing, seen, now)
    run = _Run(rule, standing, again=bool(seen) and seen[0].at <= standing.judged)
    for one in seen:
        run.see(one)
    run.pass_time(now)
    return run.verdict(_due(rule, run.standing, now))


def _heard(rule: Rule, standing: Standing, seen: Sequence[Seen], now: int) -> Verdict:
    """Of a rule about silence: only the newest value counts."""
    run = _Run(rule, standing)
    if seen and seen[-1].at > standing.judged:
        run.standing = replace(standing, judged=seen[-1].at, value=seen[-1].value)
    ends = run.standing.judged + rule.quiet
    is_silent = now >= ends
    run.move(is_breach=is_silent, at=max(ends if is_silent else run.standing.judged, standing.since), is_new=True)
    run.pass_time(now)
    due = _due(rule, run.standing, now)
    return run.verdict(due if is_silent or (due is not None and due < ends) else ends)


class _Run:
    """One alert on its way through values and time."""

    def __init__(self, rule: Rule, standing: Standing, *, again: bool = False) -> None:
        self.rule, self.before, self.again = rule, standing, again
        # Judged again, it begins with what people know of it: whether it fires.
        known = State.FIRING if standing.is_firing else State.OK
        self.standing = replace(standing, state=known) if again else standing
        self.fired = False
        self._has_news = False  # whether a new value is part of the breach that goes on

    def see(self, one: Seen) -> None:
        self.pass_time(one.at)
        self.move(is_breach=self.rule.breached_by(one.value), at=one.at, is_new=one.is_new)
        if one.at >= self.standing.judged:
            self.standing = replace(self.standing, judged=one.at, value=one.value)

    def move(self, *, is_breach: bool, at: int, is_new: bool) -> None:
        match self.standing.state, is_breach:
            case State.OK, True:
                self._has_news = is_new
                self._enter(State.PENDING, at)
            case State.PENDING, True:
                self._has_news |= is_new
            case State.PENDING, False:
                self._enter(State.OK, at)
            case State.FIRING, False:
                self._enter(State.RECOVERING, at)
            case State.RECOVERING, True:
                self._enter(State.FIRING, at)
        self.pass_time(at)

    def pass_time(self, at: int) -> None:
        """Let what has waited long enough happen, at its own time."""
        standing = self.standing
        if standing.state is State.PENDING and at >= standing.since + self.rule.pending:
            self._fire(standing.since + self.rule.pending)
        elif standing.state is State.RECOVERING and at >= standing.since + _recovery(self.rule, standing, standing.since):
            self._enter(State.OK, standing.since + _recovery(self.rule, standing, standing.since))

    def _fire(self, at: int) -> None:
        self._enter(State.FIRING, at)
        # Judged again behind a late value, what fired and was over before fires no second time.
        if self._has_news or not self.again:
            self._note_fired(at)

    def _note_fired(self, at: int) -> None:
        self.fired = True
        self.standing = replace(self.standing, fired=(*self.standing.fired, at)[-FLAPS:])

    def verdict(self, due: int | None) -> Verdict:
        """What came of it."""
        if self.standing.is_firing and not self.before.is_firing and not self.fired:
            self._note_fired(self.standing.since)
        return Verdict(self.standing, self.fired, due)

    def _enter(self, state: State, at: int) -> None:
        self.standing = replace(self.standing, state=state, since=at)


def _recovery(rule: Rule, standing: Standing, at: int) -> int:
    return max(rule.recovery, CALM) if standing.flaps(at) else rule.recovery


def _due(rule: Rule, standing: Standing, now: int) -> int | None:
    """When time alone may change it."""
    if standing.state is State.PENDING:
        return standing.since + rule.pending
    if standing.state is State.RECOVERING:
        return standing.since + _recovery(rule, standing, standing.since)
    # What is silent speaks without telling us: whoever sweeps looks again.
    return now if rule.is_silence and standing.state is State.FIRING else None
