"""What many ask for at once is made once, and not kept longer than a moment."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.shared import Shared


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_who_asks_for_the_same_gets_what_the_first_one_made() -> None:
    made: list[str] = []
    shared: Shared[str] = Shared(clock=Clock())
    assert [shared.get("board", lambda: made.append("x") or "html") for _ in range(100)] == ["html"] * 100  # type: ignore[func-returns-value]
    assert made == ["x"]


def test_another_position_is_another_answer() -> None:
    shared: Shared[str] = Shared(clock=Clock())
    assert shared.get((7, "e3f1:41"), lambda: "old") == "old"
    assert shared.get((7, "e3f1:42"), lambda: "new") == "new"


def test_after_a_moment_it_is_made_anew() -> None:
    clock = Clock()
    shared: Shared[str] = Shared(seconds=1, clock=clock)
    assert shared.get("board", lambda: "old") == "old"
    clock.now = 1.0
    assert shared.get("board", lambda: "new") == "new"


def test_a_crowd_that_comes_while_it_is_made_waits_for_it() -> None:
    shared: Shared[str] = Shared()
    begun, go_on, made = threading.Event(), threading.Event(), []

    def make() -> str:
        begun.set()
        go_on.wait(30)
        made.append(1)
        return "html"

    with ThreadPoolExecutor(9) as threads:
        first = threads.submit(shared.get, "board", make)
        begun.wait(30)
        others = [threads.submit(shared.get, "board", make) for _ in range(8)]
        go_on.set()
        assert {one.result(30) for one in [first, *others]} == {"html"} and made == [1]


def test_a_failure_is_kept_by_nobody() -> None:
    shared: Shared[str] = Shared(clock=Clock())

    def fail() -> str:
        raise LookupError

    with pytest.raises(LookupError):
        shared.get("board", fail)
    assert shared.get("board", lambda: "html") == "html"


def test_only_the_newest_are_kept() -> None:
    shared: Shared[int] = Shared(most=2, clock=Clock())
    for key in (1, 2, 3):
        shared.get(key, lambda key=key: key)  # type: ignore[misc]
    assert shared.get(1, lambda: -1) == -1 and shared.get(3, lambda: -3) == 3
