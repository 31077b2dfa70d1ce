"""Points in time as senders write them: ISO 8601 with offset, unix seconds, or from now (`30m 2h 3d`)."""

import re
from datetime import UTC, datetime, timedelta

from notifications.errors import BadNotification

_FROM_NOW = re.compile(r"([1-9][0-9]{0,5})([smhd])", re.ASCII)
_UNIX = re.compile(r"[0-9]{9,11}(\.[0-9]{1,6})?", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
FARTHEST = timedelta(days=3660)
LATE = timedelta(minutes=1)  # clocks differ: so late is still now


def read(text: object, *, now: datetime, field: str) -> datetime:
    """The time that a sender wrote. Raises BadNotification; whether it lies ahead is for `ahead` to say."""
    if isinstance(text, datetime):
        return _aware(text, field=field)
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        text = f"{text:.6f}".rstrip("0").rstrip(".") if isinstance(text, float) else str(text)
    if not isinstance(text, str) or len(text) > 40:
        raise _unreadable(field)
    text = text.strip()
    if match := _FROM_NOW.fullmatch(text):
        return _reckoned(now, timedelta(**{_UNITS[match[2]]: int(match[1])}), field=field)
    if _UNIX.fullmatch(text):
        return datetime.fromtimestamp(float(text), UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _unreadable(field) from None
    return _aware(moment, field=field)


def ahead(moment: datetime, *, now: datetime, field: str) -> datetime:
    """This time, in UTC, if it lies ahead of us by at most ten years. Raises BadNotification."""
    moment = _aware(moment, field=field)
    if moment < now - LATE:
        raise BadNotification(f"{field} lies in the past.", field=field)
    if moment > now + FARTHEST:
        raise BadNotification(f"{field} lies more than ten years ahead. Unix times are in seconds.", field=field)
    return moment


def _aware(moment: datetime, *, field: str) -> datetime:
    if moment.utcoffset() is None:
        raise BadNotification(f"{field} needs its offset, as in 2026-11-21T07:10:00Z.", field=field)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise _unreadable(field) from None


def _reckoned(now: datetime, distance: timedelta, *, field: str) -> datetime:
    if distance > FARTHEST:
        raise BadNotification(f"{field} lies more than ten years ahead.", field=field)
    return now + distance


def _unreadable(field: str) -> BadNotification:
    return BadNotification(f"{field} is ISO 8601 with offset, unix seconds, or like 30m, 2h, 3d.", field=field)
