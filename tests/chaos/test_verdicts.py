"""Each verdict turns red for what it is there for, and stays green for what looks like it and is allowed."""

from dataclasses import replace
from typing import Any

import pytest

from tests.chaos import verdicts
from tests.chaos.records import Evidence, LogTrack, Mark, Outcome, Published, Replaced, Shown, Silence, StateTrack, Stored

LOG, STATE = "chaoslog:a", "chaosstate:a"
ONE, TWO, THREE = (Mark("p", number) for number in (1, 2, 3))


def published(mark: Mark, outcome: Outcome = Outcome.ACKNOWLEDGED, **more: Any) -> Published:
    return Published(mark, LOG, outcome, began=float(mark.number), ended=mark.number + 0.1, **more)


def set_value(number: int, value: int, **more: Any) -> Published:
    return Published(Mark("p", number), STATE, Outcome.ACKNOWLEDGED, 1.0, 1.1, key="k", slot="value", value=value, **more)


def track(*marks: Mark, client: str = "c", **more: Any) -> LogTrack:
    return LogTrack(client, LOG, entries=[Shown(mark, index, 10.0 + index) for index, mark in enumerate(marks)], **more)


def evidence(**given: Any) -> Evidence:
    """Three acknowledged events that are stored and shown by one client; `given` changes that."""
    stored = Stored(logs={LOG: (ONE, TWO, THREE)}, offsets={LOG: (1, 2, 3)}, states={})
    return replace(
        Evidence([published(ONE), published(TWO), published(THREE)], [track(ONE, TWO, THREE)], [], stored),
        **given,
    )


def red(given: Evidence) -> set[str]:
    return {name for name, findings in verdicts.judge(given).items() if findings}


def test_all_is_well_when_everybody_shows_everything() -> None:
    assert red(evidence()) == set()


def test_an_acknowledged_event_that_is_not_shown_is_lost() -> None:
    assert red(evidence(logs=[track(ONE, THREE)])) == {"lost"}


def test_what_a_refetched_region_holds_is_not_lost() -> None:
    entries = [Shown(ONE, 1, 1.0), Replaced((ONE, TWO), 2.0), Shown(THREE, 3, 3.0)]
    assert red(evidence(logs=[LogTrack("c", LOG, entries=entries)])) == set()


def test_a_client_that_was_let_go_need_not_be_complete() -> None:
    assert red(evidence(logs=[track(ONE, finishes=False)])) == set()


def test_an_unknown_outcome_may_be_shown_or_not() -> None:
    unsure = [published(ONE), published(TWO, Outcome.UNKNOWN), published(THREE)]
    stored = Stored(logs={LOG: (ONE, THREE)}, offsets={}, states={})
    assert red(evidence(published=unsure)) == set()
    assert red(evidence(published=unsure, logs=[track(ONE, THREE)], stored=stored)) == set()


def test_half_of_a_transaction_is_lost() -> None:
    unsure = [published(mark, Outcome.UNKNOWN, together="t") for mark in (ONE, TWO)] + [published(THREE)]
    stored = Stored(logs={LOG: (ONE, THREE)}, offsets={}, states={})
    assert red(evidence(published=unsure, logs=[track(ONE, THREE)], stored=stored)) == {"lost"}


def test_a_rolled_back_event_that_was_ever_shown_is_a_ghost() -> None:
    rolled = [published(ONE), published(TWO, Outcome.ROLLED_BACK), published(THREE)]
    entries = [Shown(TWO, 2, 1.0), Replaced((ONE, THREE), 2.0)]
    stored = Stored(logs={LOG: (ONE, THREE)}, offsets={}, states={})
    assert red(evidence(published=rolled, logs=[LogTrack("c", LOG, entries=entries)], stored=stored)) == {"ghost"}


def test_an_event_that_nobody_published_is_a_ghost() -> None:
    assert red(evidence(published=[published(ONE), published(TWO)])) == {"ghost"}


@pytest.mark.parametrize(
    "entries",
    [
        [Shown(ONE, 1, 1.0), Shown(TWO, 2, 2.0), Shown(THREE, 3, 3.0), Shown(ONE, 1, 4.0)],
        [Replaced((ONE, TWO), 1.0), Shown(TWO, 2, 2.0), Shown(THREE, 3, 3.0)],
        [Replaced((ONE, TWO, TWO, THREE), 1.0)],
    ],
)
def test_what_is_shown_twice_is_double_and_nothing_else(entries: list[Any]) -> None:
    assert red(evidence(logs=[LogTrack("c", LOG, entries=entries)])) == {"double"}


def test_an_event_shown_before_and_after_a_refetch_is_not_double() -> None:
    entries = [Shown(ONE, 1, 1.0), Shown(TWO, 2, 1.0), Replaced((ONE,), 2.0), Shown(TWO, 2, 3.0), Shown(THREE, 3, 3.0)]
    assert red(evidence(logs=[LogTrack("c", LOG, entries=entries)])) == set()


def test_a_publishers_sequence_that_is_swapped_is_disorder() -> None:
    assert red(evidence(logs=[track(TWO, ONE, THREE)])) == {"disorder"}


def test_clients_that_disagree_are_disorder() -> None:
    other = Mark("q", 1)
    everything = Stored(logs={LOG: (ONE, other)}, offsets={}, states={})
    both = [published(ONE), published(other)]
    agreed = evidence(published=both, logs=[track(ONE, other), track(ONE, other, client="d")], stored=everything)
    assert red(agreed) == set()
    assert red(replace(agreed, logs=[track(ONE, other), track(other, ONE, client="d")])) == {"disorder"}


def test_a_widget_that_goes_back_is_disorder() -> None:
    widget = StateTrack("c", STATE)
    for value in (1, 3, 2, 3):
        widget.show("value", "k", value)
    stored = Stored(logs={LOG: (ONE, TWO, THREE)}, offsets={}, states={STATE: {("value", "k"): 3}})
    assert red(evidence(states=[widget], stored=stored)) == {"disorder"}


def test_a_last_value_that_is_not_the_databases_is_stale() -> None:
    widget = StateTrack("c", STATE, values={("value", "k"): 2})
    stored = Stored(logs={LOG: (ONE, TWO, THREE)}, offsets={}, states={STATE: {("value", "k"): 3}})
    assert red(evidence(states=[widget], stored=stored)) == {"stale"}
    assert red(evidence(states=[replace(widget, finishes=False)], stored=stored)) == set()


def test_a_database_that_is_older_than_what_was_acknowledged_is_stale() -> None:
    widget = StateTrack("c", STATE, values={("value", "k"): 3})
    stored = Stored(logs={LOG: (ONE, TWO, THREE)}, offsets={}, states={STATE: {("value", "k"): 3}})
    given = evidence(states=[widget], stored=stored)
    assert red(replace(given, published=[*given.published, set_value(9, 4)])) == {"stale"}
    assert red(replace(given, published=[*given.published, set_value(9, 4, lasting=False)])) == set()


def test_a_removed_widget_takes_its_values_along() -> None:
    widget = StateTrack("c", STATE)
    widget.show("value", "k/total", 1)
    widget.show("removed", "k", None)
    assert widget.values == {("config", "k"): "removed"}
    widget.show("config", "k", 5)
    widget.show("value", "k/total", 1)
    assert widget.values == {("config", "k"): 5, ("value", "k/total"): 1} and not widget.backwards


def test_an_old_badge_is_stale() -> None:
    stored = Stored(logs={LOG: (ONE, TWO, THREE)}, offsets={}, states={}, counts={"7": "3"})
    assert red(evidence(stored=stored, counts={("c", "7"): "3"})) == set()
    assert red(evidence(stored=stored, counts={("c", "7"): "2"})) == {"stale"}


def test_what_a_restore_took_back_is_neither_lost_nor_may_it_stay() -> None:
    stored = Stored(logs={LOG: (ONE, THREE)}, offsets={}, states={})
    given = evidence(stored=stored, forgotten=(1.5, 2.5))
    assert red(replace(given, logs=[track(ONE, THREE)])) == set()
    assert red(given) == {"stale"}


def test_what_is_shown_after_silence_had_to_begin_is_a_leak() -> None:
    assert red(evidence(silences=[Silence("c", LOG, 12.5)])) == set()
    assert red(evidence(silences=[Silence("c", LOG, 11.5)])) == {"leak"}
    assert red(evidence(silences=[Silence("c", None, 11.5)])) == {"leak"}
    assert red(evidence(silences=[Silence("other", None, 0.0)])) == set()
