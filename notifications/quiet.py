"""Quiet hours: from one time of day to another, in a person's own time zone. Pure."""

from datetime import UTC, datetime, time, timedelta, tzinfo


def quiet_until(now: datetime, *, start: time, end: time, zone: tzinfo) -> datetime | None:
    """When the quiet hours end that now lies in; None where it lies in none.

    By the clock on her wall: over a change of clocks they last an hour more or less. Start equal to end: no quiet hours.
    """
    if start == end:
        return None
    today = now.astimezone(zone).date()
    # From yesterday's evening too: hours that pass midnight belong to the day on which they begin.
    for day in (today - timedelta(days=1), today):
        begins = _instant(datetime.combine(day, start), zone, later=False)
        ends = _instant(datetime.combine(day if end > start else day + timedelta(days=1), end), zone, later=True)
        if begins <= now < ends:
            return ends
    return None


def _instant(wall: datetime, zone: tzinfo, *, later: bool) -> datetime:
    """The instant at which the clock on the wall shows this. Shown twice: the earlier, or the `later`. Skipped: when it jumps past it."""
    first, second = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first.astimezone(zone).replace(tzinfo=None) != wall:
        # In the gap, fold 1 reckons by the new offset, which lies before the jump by the wall's distance from it.
        return _jump(second, first, zone)
    return second if later else first


def _jump(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """The instant between these two at which the zone's offset changes, to the second."""
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)
