"""Until when a person may put something off, on the clock of her browser, else of her own time zone. Pure but for `zone_of`."""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from core.models import Profile

MORNING = 9
CHOICES = {"hour": "1 hour", "tomorrow": "Tomorrow, 9:00", "week": "Next week, Monday 9:00"}
FARTHEST = timedelta(days=366)
_TYPED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?", re.ASCII)  # what <input type="datetime-local"> sends


class BadTime(ValueError):
    """A time of her own that cannot be; says what could."""


def until(choice: str, *, now: datetime, zone: tzinfo) -> datetime | None:
    """When it comes back; None for a choice that is none."""
    if choice == "hour":
        return now + timedelta(hours=1)
    local = now.astimezone(zone)
    days = {"tomorrow": 1, "week": 7 - local.weekday()}.get(choice)
    if days is None:
        return None
    # By the calendar and not by hours: a day on which clocks change has 23 or 25.
    morning = (local + timedelta(days=days)).replace(hour=MORNING, minute=0, second=0, microsecond=0, fold=0)
    return morning.astimezone(UTC)


def typed(text: str, *, now: datetime, zone: tzinfo) -> datetime:
    """When it comes back, by the time that she typed, on the clock of `zone`. Raises BadTime.

    In an hour that a clock jumps over it is an hour later; of an hour that comes twice it is the first.
    """
    try:
        if not _TYPED.fullmatch(text):
            raise ValueError(text)
        moment = datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadTime("That is no time. Take a day and an hour.") from None
    if moment <= now:
        raise BadTime("That time has passed.")
    if moment > now + FARTHEST:
        raise BadTime("That is more than a year ahead.")
    return moment


def zone_known(name: str) -> tzinfo | None:
    """The zone of this name, as a browser says it; None for one that this machine does not know."""
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        return None


def zone_of(user: Any) -> tzinfo:
    """A person's time zone; UTC where she named none, or one that this machine does not know."""
    name = Profile.objects.filter(user=user).values_list("time_zone", flat=True).first() or "UTC"
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        return UTC
