"""Until when a person may put something off, in her own time zone. Pure but for `zone_of`."""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from core.models import Profile

MORNING = 9
CHOICES = {"hour": "1 hour", "tomorrow": "Tomorrow, 9:00", "week": "Next week, Monday 9:00"}


def until(choice: str, *, now: datetime, zone: tzinfo) -> datetime | None:
    """When it comes back; None for a choice that is none.

    The microseconds are now's: no two snoozes end in the same one, so that each can be undone by itself.
    """
    if choice == "hour":
        return now + timedelta(hours=1)
    local = now.astimezone(zone)
    days = {"tomorrow": 1, "week": 7 - local.weekday()}.get(choice)
    if days is None:
        return None
    # By the calendar and not by hours: a day on which clocks change has 23 or 25.
    morning = (local + timedelta(days=days)).replace(hour=MORNING, minute=0, second=0, fold=0)
    return morning.astimezone(UTC)


def zone_of(user: Any) -> tzinfo:
    """A person's time zone; UTC where she named none, or one that this machine does not know."""
    name = Profile.objects.filter(user=user).values_list("time_zone", flat=True).first() or "UTC"
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        return UTC
