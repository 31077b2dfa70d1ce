"""Quiet hours go by the clock on the wall, also on the days on which that clock is changed."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from notifications.quiet import quiet_until

BERLIN = ZoneInfo("Europe/Berlin")  # 29 March 2026 02:00 -> 03:00, 25 October 2026 03:00 -> 02:00
SYDNEY = ZoneInfo("Australia/Sydney")
NIGHT = (time(22), time(7))


def at(text: str, zone: ZoneInfo = BERLIN, *, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).astimezone(UTC)


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-11-21T21:59:59", None),
        ("2026-11-21T22:00:00", "2026-11-22T07:00:00"),
        ("2026-11-22T00:00:00", "2026-11-22T07:00:00"),
        ("2026-11-22T06:59:59", "2026-11-22T07:00:00"),
        ("2026-11-22T07:00:00", None),
        ("2026-11-22T12:00:00", None),
    ],
)
def test_a_night_passes_midnight(now: str, until: str | None):
    assert quiet_until(at(now), start=NIGHT[0], end=NIGHT[1], zone=BERLIN) == (at(until) if until else None)


def test_hours_within_a_day():
    assert quiet_until(at("2026-11-21T12:30:00"), start=time(12), end=time(13), zone=BERLIN) == at("2026-11-21T13:00:00")
    assert quiet_until(at("2026-11-21T13:00:00"), start=time(12), end=time(13), zone=BERLIN) is None


def test_start_and_end_at_the_same_time_are_no_quiet_hours():
    assert quiet_until(at("2026-11-21T07:00:00"), start=time(7), end=time(7), zone=BERLIN) is None


def test_the_zone_is_the_persons():
    noon = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    assert quiet_until(noon, start=NIGHT[0], end=NIGHT[1], zone=ZoneInfo("UTC")) is None
    assert quiet_until(noon, start=NIGHT[0], end=NIGHT[1], zone=SYDNEY) == datetime(2026, 11, 21, 20, 0, tzinfo=UTC)


@pytest.mark.parametrize(("evening", "hours"), [("2026-03-28T22:00:00", 8), ("2026-06-01T22:00:00", 9), ("2026-10-24T22:00:00", 10)])
def test_a_night_in_which_clocks_change_is_an_hour_shorter_or_longer(evening: str, hours: int):
    begun = at(evening)
    until = quiet_until(begun, start=NIGHT[0], end=NIGHT[1], zone=BERLIN)
    assert until is not None
    assert until.astimezone(BERLIN).time() == time(7)
    assert (until - begun).total_seconds() == hours * 3600


def test_an_end_that_the_clock_skips_is_the_moment_of_the_jump():
    # 02:30 does not exist on 29 March: 01:59:59 is followed by 03:00.
    until = quiet_until(at("2026-03-29T01:30:00"), start=time(22), end=time(2, 30), zone=BERLIN)
    assert until == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    assert quiet_until(datetime(2026, 3, 29, 1, 0, tzinfo=UTC), start=time(22), end=time(2, 30), zone=BERLIN) is None


def test_a_start_that_the_clock_skips_is_the_moment_of_the_jump():
    begins = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    assert quiet_until(begins, start=time(2, 30), end=time(7), zone=BERLIN) == at("2026-03-29T07:00:00")
    assert quiet_until(datetime(2026, 3, 29, 0, 59, tzinfo=UTC), start=time(2, 30), end=time(7), zone=BERLIN) is None


def test_an_hour_that_comes_twice_is_quiet_both_times():
    # 02:30 comes twice on 25 October: quiet from its first to its second.
    first, second = at("2026-10-25T02:30:00", fold=0), at("2026-10-25T02:30:00", fold=1)
    assert (second - first).total_seconds() == 3600
    assert quiet_until(first, start=time(2, 15), end=time(2, 45), zone=BERLIN) == at("2026-10-25T02:45:00", fold=1)
    assert quiet_until(second, start=time(2, 15), end=time(2, 45), zone=BERLIN) == at("2026-10-25T02:45:00", fold=1)


def test_every_minute_of_a_year_is_judged_as_a_clock_on_the_wall_would():
    """Against the plain reading of a wall clock, on all days but those of a change."""
    for day in ("2026-01-15", "2026-03-30", "2026-07-01", "2026-10-26"):
        for hour in range(24):
            for minute in (0, 29, 30, 59):
                now = at(f"{day}T{hour:02}:{minute:02}:00")
                expected = (hour, minute) >= (22, 30) or (hour, minute) < (6, 30)
                assert (quiet_until(now, start=time(22, 30), end=time(6, 30), zone=BERLIN) is not None) is expected
