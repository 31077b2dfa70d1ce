"""Token buckets, with a clock that stands in the test's hand."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import rates
from core.errors import Code, Problem


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_burst_passes_and_then_the_rate_holds(clock: Clock) -> None:
    rate = rates.Rate(50, 200, clock)
    assert [rate.take("a") for _ in range(200)] == [0.0] * 200
    assert rate.take("a") == pytest.approx(0.02)
    clock.now = 0.02
    assert rate.take("a") == 0
    assert rate.take("a") > 0


def test_a_long_rest_saves_up_no_more_than_the_burst(clock: Clock) -> None:
    rate = rates.Rate(50, 3, clock)
    clock.now = 1e9
    assert [rate.take("a") == 0 for _ in range(4)] == [True, True, True, False]


def test_one_caller_does_not_spend_what_is_anothers(clock: Clock) -> None:
    rate = rates.Rate(1, 1, clock)
    assert [rate.take("a"), rate.take("b")] == [0, 0]
    assert rate.take("a") > 0


@given(st.lists(st.floats(0, 2), max_size=200))
def test_never_more_than_burst_and_rate_allow(steps: list[float]) -> None:
    clock = Clock()
    rate, passed = rates.Rate(5, 10, clock), 0
    for step in steps:
        clock.now += step
        passed += rate.take("a") == 0
        assert passed <= 10 + 5 * clock.now + 1e-6


@given(st.integers(1, 300))
def test_whoever_waits_as_long_as_told_gets_through(calls: int) -> None:
    clock = Clock()
    rate = rates.Rate(7, 3, clock)
    for _ in range(calls):
        wait = rate.take("a")
        if wait:
            clock.now += wait + 1e-9
            assert rate.take("a") == 0


def test_many_callers_do_not_fill_the_memory(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "MAX_CALLERS", 100)
    rate = rates.Rate(1, 1, clock)
    for number in range(1_000):
        clock.now += 0.01
        rate.take(f"caller {number}")
        assert len(rate._buckets) <= 100


def test_threads_together_get_no_more_than_one_would(clock: Clock) -> None:
    rate, passed = rates.Rate(1, 500, clock), []
    threads = [threading.Thread(target=lambda: passed.extend(rate.take("a") == 0 for _ in range(200))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(passed), sum(passed)) == (1600, 500)


@pytest.mark.parametrize(("path", "at_once"), [("notify/ops", 200), ("widgets", 1000), ("widgets/ops/cpu", 1000), ("widgetsx", 200)])
def test_widget_values_have_a_rate_of_their_own(path: str, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "CALLS", rates.Rate(50, 200, lambda: 0.0))
    monkeypatch.setattr(rates, "WIDGETS", rates.Rate(1000, 1000, lambda: 0.0))
    for _ in range(at_once):
        rates.check("token:1", path)
    with pytest.raises(Problem) as refused:
        rates.check("token:1", path)
    assert refused.value.code is Code.TOO_MANY
