"""The clock of the rows that set it: whoever asks for the time hears the same one."""

from collections.abc import Callable
from pathlib import Path

from tests.support import servers

HOURS = 5
_ASK = """
import time
from datetime import UTC, datetime, timedelta
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask
from django_celery_beat.schedulers import ModelEntry
from workers.celery import app
every, cron = IntervalSchedule(every=5, period="seconds"), CrontabSchedule(hour="3", timezone="UTC")
entry = ModelEntry(PeriodicTask(name="x", task="x", crontab=cron), app=app)
asked = [timezone.now(), app.now(), every.schedule.now(), cron.schedule.now(), entry.default_now(), entry._default_now(),
    datetime.fromtimestamp(time.time(), UTC)]
real = datetime.now(UTC)
print([round((one - real) / timedelta(minutes=6)) for one in asked])
"""


def test_django_celery_and_beat_hear_the_same_wrong_time(new_site: Callable[..., servers.Site], tmp_path: Path) -> None:
    # Beat whose timetables told the time by two clocks waited for one that was hours away, on some hours of the day.
    file = tmp_path / "clock"
    file.write_text(str(HOURS * 3600))
    site = new_site(DJANGO_SETTINGS_MODULE="tests.chaos.settings", CHAOS_CLOCK=str(file))
    assert site.manage("shell", "-v0", "-c", _ASK).stdout.split("\n")[-2] == str([HOURS * 10] * 7)
