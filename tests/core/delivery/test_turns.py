"""Turns at numbering: one of many numbers for all that waited for her."""

import itertools
import threading
from contextlib import suppress

from core.delivery.turns import Turns

PATIENCE = 30.0


class Clock:
    """Counts, and lets a test wait until it was asked so often."""

    def __init__(self) -> None:
        self.asked = itertools.count(1)
        self.times = threading.Semaphore(0)

    def __call__(self) -> float:
        self.times.release()
        return next(self.asked)

    def wait(self, times: int) -> None:
        for _ in range(times):
            assert self.times.acquire(timeout=PATIENCE)


def waiting(turns: Turns, told: list[bool], count: int, first: type[Exception] | None = None) -> list[threading.Thread]:
    def wait() -> None:
        with suppress(RuntimeError), turns.take("room:1", PATIENCE) as mine:
            told.append(mine)
            if first and len(told) == 1:
                raise first

    threads = [threading.Thread(target=wait) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads


def test_of_all_who_waited_meanwhile_one_numbers_and_the_others_have_nothing_left_to_do() -> None:
    clock, told = Clock(), list[bool]()
    turns = Turns(clock)
    with turns.take("room:1", PATIENCE) as mine:
        assert mine
        clock.wait(2)  # our own
        threads = waiting(turns, told, 3)
        clock.wait(3)  # theirs, as they came
    for thread in threads:
        thread.join(PATIENCE)
    assert told == [True, False, False]


def test_a_numbering_that_failed_leaves_the_work_to_the_next() -> None:
    clock, told = Clock(), list[bool]()
    turns = Turns(clock)
    with turns.take("room:1", PATIENCE):
        clock.wait(2)
        threads = waiting(turns, told, 3, first=RuntimeError)
        clock.wait(3)
    for thread in threads:
        thread.join(PATIENCE)
    assert told == [True, True, False]


def test_who_comes_after_a_numbering_ended_numbers_herself() -> None:
    turns = Turns()
    for _ in range(2):
        with turns.take("room:1", PATIENCE) as mine:
            assert mine


def test_who_loses_patience_goes_on_without_the_turn_and_takes_none_away() -> None:
    turns = Turns()
    with turns.take("room:1", PATIENCE), turns.take("room:1", 0.0) as mine:
        assert mine
    with turns.take("room:1", 0.0) as mine:
        assert mine
