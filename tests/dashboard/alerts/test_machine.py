"""What becomes of an alert, by values and time alone. Times are seconds here."""

import itertools
import random
from collections.abc import Iterable

import pytest

from dashboard.alerts.machine import CALM, SECOND, Condition, Rule, Seen, Standing, State, Verdict, judge, reach

ABOVE = Rule(Condition.ABOVE, high=90)


def rule(*, pending: int = 0, recovery: int = 0, condition: Condition = Condition.ABOVE, quiet: int = 0) -> Rule:
    return Rule(condition, low=10, high=90, pending=pending * SECOND, recovery=recovery * SECOND, quiet=quiet * SECOND)


class Clock:
    """An alert whose clock the test holds: `sees(at, value)`, `waits_until(at)`; keeps all values, to judge late ones as the shell does."""

    def __init__(self, of: Rule) -> None:
        self.rule, self.standing, self.now = of, Standing(), 0
        self.values: dict[int, float] = {}
        self.fired = 0
        self.due: int | None = None

    def sees(self, *new: tuple[int, float]) -> "Clock":
        times = {at * SECOND for at, _ in new}
        self.values |= {at * SECOND: value for at, value in new}
        self.now = max(self.now, *times)
        first = reach(self.standing, min(times))
        seen = [Seen(at, value, at in times) for at, value in sorted(self.values.items()) if at in times or first <= at]
        return self._take(judge(self.rule, self.standing, seen, now=self.now))

    def waits_until(self, at: float) -> "Clock":
        self.now = round(at * SECOND)
        return self._take(judge(self.rule, self.standing, [], now=self.now))

    def _take(self, verdict: Verdict) -> "Clock":
        self.standing, self.due = verdict.standing, verdict.due
        self.fired += verdict.fired
        return self

    @property
    def state(self) -> tuple[str, int]:
        return self.standing.state.value, self.fired


def states(of: Rule, values: Iterable[tuple[int, float]]) -> list[str]:
    clock = Clock(of)
    return [clock.sees(value).standing.state.value for value in values]


@pytest.mark.parametrize(
    ("condition", "breaches", "clear"),
    [("above", [90.1, 1e308], [90, -1e308]), ("below", [9.9, -1e308], [10, 50]), ("outside", [9, 91], [10, 90, 50])],
)
def test_what_is_a_breach(condition: str, breaches: list[float], clear: list[float]) -> None:
    of = rule(condition=Condition(condition))
    assert all(of.breached_by(value) for value in breaches)
    assert not any(of.breached_by(value) for value in clear)


def test_without_waiting_it_fires_and_recovers_at_once() -> None:
    assert states(rule(), [(1, 50), (2, 95), (3, 96), (4, 90)]) == ["ok", "firing", "firing", "ok"]


def test_a_breach_must_last_before_it_fires() -> None:
    clock = Clock(rule(pending=10)).sees((0, 95))
    assert clock.state == ("pending", 0) and clock.due == 10 * SECOND
    assert clock.waits_until(9.9).state == ("pending", 0)
    assert clock.waits_until(10).state == ("firing", 1)
    assert clock.standing.since == 10 * SECOND and clock.due is None


def test_a_breach_that_ends_early_fires_nothing() -> None:
    assert states(rule(pending=10), [(0, 95), (9, 50), (12, 95), (21, 95), (22, 95)]) == ["pending", "ok", "pending", "pending", "firing"]


def test_it_is_over_when_it_has_been_clear_for_long_enough() -> None:
    clock = Clock(rule(recovery=10)).sees((0, 95)).sees((5, 50))
    assert clock.state == ("recovering", 1) and clock.due == 15 * SECOND
    assert clock.sees((8, 95)).state == ("firing", 1)
    assert clock.sees((9, 50)).waits_until(18.9).state == ("recovering", 1)
    assert clock.waits_until(19).state == ("ok", 1)


def test_values_that_come_together_are_judged_one_by_one() -> None:
    """A spike between two values that are shown is none the less a spike."""
    assert Clock(rule()).sees((1, 50), (2, 95), (3, 50)).state == ("ok", 1)
    assert Clock(rule(pending=10)).sees((1, 50), (2, 95), (30, 50)).state == ("ok", 1)
    assert Clock(rule(pending=10)).sees((1, 50), (2, 95), (11, 50)).state == ("ok", 0)


def test_a_late_value_that_breached_fires_once_and_is_over() -> None:
    clock = Clock(rule()).sees((1, 50), (5, 50)).sees((3, 95))
    assert clock.state == ("ok", 1) and clock.standing.value == 50
    assert clock.sees((2, 50)).state == ("ok", 1), "what fired and was over fires no second time"


def test_a_late_value_breaks_a_breach_that_waits() -> None:
    clock = Clock(rule(pending=10)).sees((0, 95)).sees((6, 95)).sees((3, 50))
    assert clock.state == ("pending", 0) and clock.standing.since == 6 * SECOND


def test_a_late_breach_makes_the_recovery_begin_anew() -> None:
    clock = Clock(rule(recovery=10)).sees((0, 95)).sees((2, 50)).sees((8, 50)).sees((6, 95))
    assert clock.state == ("recovering", 1) and clock.standing.since == 8 * SECOND


def test_a_late_value_that_is_clear_changes_nothing_that_fires() -> None:
    assert Clock(rule()).sees((1, 95)).sees((5, 95)).sees((3, 50)).state == ("firing", 1)


def test_a_value_that_is_replaced_is_judged_by_what_it_is_now() -> None:
    assert Clock(rule()).sees((1, 95)).sees((1, 50)).state == ("ok", 1)
    assert Clock(rule(pending=10)).sees((1, 95)).sees((4, 95)).sees((4, 50)).state == ("ok", 0)


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("of", [rule(), rule(pending=5), rule(recovery=5), rule(pending=3, recovery=4)])
def test_however_values_arrive_the_outcome_is_as_if_they_came_in_order(of: Rule, seed: int) -> None:
    """The last state is that of the series, whatever came when; so processes need not agree on who comes first."""
    rolls = random.Random(seed)
    values = [(at, rolls.choice([50, 95])) for at in range(0, 40, 2)]
    straight = Clock(Rule(of.condition, of.low, of.high, of.pending, of.recovery))
    mixed = Clock(of)
    for value in values:
        straight.sees(value)
    order = [[*group] for _, group in itertools.groupby(values, key=lambda value: value[0] // 8)]
    for chunk in order:
        rolls.shuffle(chunk)
        for value in chunk:
            mixed.sees(value)
    assert mixed.waits_until(1000).standing.state is straight.waits_until(1000).standing.state
    assert mixed.standing.value == straight.standing.value and mixed.standing.judged == straight.standing.judged


def test_what_flaps_fires_three_times_and_is_over_when_it_is_calm() -> None:
    clock = Clock(rule())
    for at in range(0, 200, 10):
        clock.sees((at, 95 if at % 20 == 0 else 50))
    assert clock.state == ("recovering", 3)
    calm = 190 + CALM // SECOND
    assert clock.waits_until(calm - 1).state == ("recovering", 3)
    assert clock.waits_until(calm).state == ("ok", 3)
    assert clock.sees((2000, 95)).state == ("firing", 4)
    assert clock.sees((2001, 50)).state == ("ok", 4), "what flapped long ago is forgotten"


def test_silence_fires_when_no_value_comes_for_so_long_and_ends_with_one() -> None:
    clock = Clock(rule(condition=Condition.NO_DATA, quiet=60)).sees((0, 1))
    assert clock.state == ("ok", 0) and clock.due == 60 * SECOND
    assert clock.sees((30, 1)).due == 90 * SECOND
    assert clock.waits_until(89).state == ("ok", 0)
    assert clock.waits_until(90).state == ("firing", 1)
    assert clock.due == clock.now, "a value that comes is found by whoever sweeps next"
    assert clock.sees((100, 1)).state == ("ok", 1)
    assert clock.due == 160 * SECOND


def test_silence_may_wait_and_recover_too() -> None:
    clock = Clock(rule(condition=Condition.STALE, quiet=10, pending=5, recovery=20)).sees((0, 1)).waits_until(12)
    assert clock.state == ("pending", 0) and clock.due == 15 * SECOND
    assert clock.sees((13, 1)).state == ("ok", 0)
    assert clock.waits_until(40).state == ("firing", 1)
    assert clock.sees((41, 1)).state == ("recovering", 1)
    assert clock.waits_until(52).state == ("firing", 1), "silent again before it was over"
    for at in range(53, 75, 5):
        clock.sees((at, 1))
    assert clock.state == ("ok", 1)


def test_a_standing_that_was_kept_goes_on_where_it_stood() -> None:
    """A restart is no event: all there is to know is in the standing."""
    before = Clock(rule(pending=10)).sees((0, 95))
    kept = Standing(**{name: getattr(before.standing, name) for name in ("state", "since", "judged", "value", "fired")})
    verdict = judge(before.rule, kept, [], now=10 * SECOND)
    assert verdict.fired and verdict.standing.state is State.FIRING
    assert not judge(before.rule, verdict.standing, [], now=11 * SECOND).fired
