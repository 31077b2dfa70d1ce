"""Before each send: is it still needed, and if not, why not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from notifications.deliveries.needed import Facts, still_needed
from notifications.deliveries.reasons import Reason

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
EARLIER, LATER = NOW - timedelta(minutes=5), NOW + timedelta(hours=3)


def test_what_nobody_has_looked_at_is_needed():
    assert still_needed(Facts(), now=NOW).needed


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (Facts(seen_at=EARLIER), Reason("seen", EARLIER)),
        (Facts(read_at=EARLIER, seen_at=EARLIER), Reason("read", EARLIER)),
        (Facts(archived_at=EARLIER), Reason("archived", EARLIER)),
        (Facts(snoozed_until=LATER, seen_at=EARLIER), Reason("snoozed", LATER)),
        (Facts(expires_at=NOW), Reason("expired", NOW)),
        (Facts(withdrawn_at=EARLIER), Reason("withdrawn", EARLIER)),
        (Facts(withdrawn_at=NOW, expires_at=EARLIER), Reason("expired", EARLIER)),
        (Facts(withdrawn_at=EARLIER, expires_at=LATER), Reason("withdrawn", EARLIER)),
        (Facts(active=False), Reason("inactive")),
        (Facts(wanted=False), Reason("preference")),
        (Facts(muted=True), Reason("muted")),
        (Facts(low=True), Reason("low")),
    ],
)
def test_each_fact_that_makes_it_needless_is_the_reason(facts: Facts, reason: Reason):
    verdict = still_needed(facts, now=NOW)
    assert verdict.reason == reason and verdict.until is None
    # Quiet hours put off what is needed, and keep nothing alive that is not.
    assert still_needed(replace(facts, quiet_until=LATER), now=NOW).reason == reason


def test_quiet_hours_put_it_off_until_they_end():
    verdict = still_needed(Facts(quiet_until=LATER), now=NOW)
    assert verdict.until == LATER and verdict.reason == Reason("quiet", LATER)
    assert still_needed(Facts(quiet_until=LATER), now=LATER).needed


def test_what_is_critical_passes_quiet_hours_and_nothing_else():
    assert still_needed(Facts(critical=True, quiet_until=LATER), now=NOW).needed
    assert still_needed(Facts(critical=True, muted=True), now=NOW).reason == Reason("muted")


def test_what_is_sent_always_is_held_back_by_nothing_that_was_done_on_a_page():
    done = Facts(always=True, seen_at=EARLIER, read_at=EARLIER, archived_at=EARLIER, snoozed_until=LATER, quiet_until=LATER, muted=True)
    assert still_needed(done, now=NOW).needed
    assert still_needed(replace(done, withdrawn_at=EARLIER), now=NOW).reason == Reason("withdrawn", EARLIER)
    assert still_needed(replace(done, expires_at=NOW), now=NOW).reason == Reason("expired", NOW)
    assert still_needed(replace(done, active=False), now=NOW).reason == Reason("inactive")


def test_a_snooze_that_is_over_does_not_hold_it_back():
    assert still_needed(Facts(snoozed_until=EARLIER), now=NOW).needed


@pytest.mark.parametrize(
    "reason", [Reason("read", NOW), Reason("preference"), Reason("It answered 503."), Reason("read the manual"), Reason("")]
)
def test_a_reason_is_read_as_it_was_kept(reason: Reason):
    assert Reason.of(reason.stored()) == reason


def test_a_reason_is_told_to_herself_and_to_staff():
    assert Reason("read", NOW).words() == "you read it at"
    assert Reason("read", NOW).words(own=False) == "read at"
    assert Reason("It answered 503.").words() == "It answered 503."
