"""Times that recur, written as five cron fields: minute, hour, day of month, month, day of week. Pure.

All five must fit, as in Celery: `0 9 13 * fri` is each Friday the 13th. A time that summer time leaves out comes an hour later on the
clock; one that it gives twice comes once, the first time.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from zoneinfo import ZoneInfo

from celery.schedules import ParseException, crontab_parser

FIELDS = (("minute", 60, 0), ("hour", 24, 0), ("day of month", 31, 1), ("month", 12, 1), ("day of week", 7, 0))
FARTHEST = 366 * 9  # days: the 29th of February comes at least every eight years
_WORD = re.compile(r"[0-9a-z*/,-]{1,60}", re.ASCII | re.IGNORECASE)
_NUMBERS = re.compile(r"[0-9]+", re.ASCII)


class BadCron(ValueError):
    """These are not five cron fields; the words say which is wrong."""


@dataclass(frozen=True, slots=True)
class Cron:
    """A timetable. `words` are its five fields as they were written."""

    words: tuple[str, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # 0 is Sunday

    def after(self, moment: datetime, *, zone: ZoneInfo) -> datetime | None:
        """The next time after a moment, in UTC; None when there is none in nine years."""
        start = moment.astimezone(zone).date() - timedelta(days=1)  # what summer time moved may lie on the day before
        times = chain.from_iterable(self._on(start + timedelta(days=number), zone) for number in range(FARTHEST))
        return next((time for time in times if time > moment), None)

    def _on(self, day: date, zone: ZoneInfo) -> Iterator[datetime]:
        if day.month in self.months and day.day in self.days and day.isoweekday() % 7 in self.weekdays:
            for hour in self.hours:
                for minute in self.minutes:
                    yield datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone).astimezone(UTC)


def read(text: str) -> Cron:
    """Read five fields. Raises BadCron."""
    words = tuple(text.split())
    if len(words) != len(FIELDS):
        raise BadCron(f"A timetable has five fields (minute, hour, day of month, month, day of week), not {len(words)}: 0 9 * * mon-fri.")
    minutes, hours, days, months, weekdays = (
        _field(word, name, size, least) for word, (name, size, least) in zip(words, FIELDS, strict=True)
    )
    weekdays = {day % 7 for day in weekdays}
    return Cron(words, tuple(sorted(minutes)), tuple(sorted(hours)), frozenset(days), frozenset(months), frozenset(weekdays))


def _field(word: str, name: str, size: int, least: int) -> set[int]:
    # Of a huge number the parser would make a huge range before it refuses it.
    if not _WORD.fullmatch(word) or any(int(number) > 99 for number in _NUMBERS.findall(word)):
        raise BadCron(f"{word[:20]!r} is no {name}: write *, a number, a list 1,15, a range 1-5 or a step */5; in 60 characters.")
    if name == "day of week" and "7" in word:
        size = 8  # Sunday is 0, and 7 as well
    try:
        found = set(crontab_parser(size, least).parse(word.lower()))
    except (ParseException, ValueError) as error:
        raise BadCron(f"{word!r} is no {name}: {error}.") from None
    if not found:
        raise BadCron(f"{word!r} is no {name}.")
    return found
