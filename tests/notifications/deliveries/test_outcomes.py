"""What the metrics tell of deliveries: each outcome once, with the reason where it was not needed."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from notifications import actions
from notifications.deliveries import leasing
from notifications.transports import NotSent
from tests.notifications.deliveries.conftest import Clock, Pigeon, work_off

pytestmark = pytest.mark.django_db

Told = Callable[[], dict[tuple[str, str], float]]


@pytest.fixture
def told() -> Told:
    """(outcome, reason): how often since the test began."""
    before = Counter(leasing.OUTCOMES._values)
    return lambda: {key[1:]: count for key, count in (Counter(leasing.OUTCOMES._values) - before).items() if key[0] == "pigeon"}


def one_is_due(anna: Any, clock: Clock) -> Any:
    sent = actions.notify(anna, title="Hello")
    clock.passes(minutes=2)
    return sent


def test_what_was_sent_failed_and_given_up(pigeon: Pigeon, anna: Any, clock: Clock, told: Told):
    pigeon.answers = [NotSent("It answered 500 to anna@example.com.")]
    one_is_due(anna, clock)
    work_off(clock)
    assert told() == {("failed", ""): 1}
    clock.passes(hours=2)
    work_off(clock)
    assert told() == {("failed", ""): 1, ("sent", ""): 1}
    pigeon.answers = [NotSent("Never.", permanent=True)]
    one_is_due(anna, clock)
    work_off(clock)
    assert told() == {("failed", ""): 1, ("sent", ""): 1, ("dead", ""): 1}


def test_what_was_not_needed_says_why(pigeon: Pigeon, anna: Any, clock: Clock, told: Told):
    actions.mark_read(anna, [one_is_due(anna, clock).id])
    work_off(clock)
    one_is_due(anna, clock)
    anna.first_name = ""
    anna.save()
    work_off(clock)
    assert told() == {("not_needed", "read"): 1, ("not_needed", "address"): 1}


def test_what_waits_for_the_end_of_quiet_hours_is_postponed(pigeon: Pigeon, anna: Any, clock: Clock, told: Told):
    actions.set_quiet_hours(anna, (clock.now - timedelta(hours=1)).time(), (clock.now + timedelta(hours=2)).time())
    one_is_due(anna, clock)
    work_off(clock)
    assert told() == {("postponed", "quiet"): 1}


def test_whoever_was_late_is_not_counted(pigeon: Pigeon, anna: Any, clock: Clock, told: Told):
    one_is_due(anna, clock)
    [mine] = leasing.claim_due("pigeon", now=clock.now, limit=1)
    clock.passes(seconds=leasing.LEASE.total_seconds() + 1)
    [theirs] = leasing.claim_due("pigeon", now=clock.now, limit=1)
    leasing.finish(mine, "done", "", now=clock.now)
    leasing.finish(theirs, "done", "", now=clock.now)
    assert told() == {("sent", ""): 1}
