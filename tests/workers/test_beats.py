"""Two beats: one works, the other takes over when it ends or is not heard of any more, and runs nothing again."""

import logging
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.db import OperationalError
from django.db.models.functions import Now
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from core import leases
from core.models import Lease
from workers import schedule
from workers.celery import app

pytestmark = pytest.mark.django_db(transaction=True)  # beat closes old connections


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which beat sent which task: one task, due every hour."""
    told: list[str] = []
    PeriodicTask.objects.all().delete()
    every = IntervalSchedule.objects.create(every=3600, period="seconds")
    PeriodicTask.objects.create(name="hourly", task="t", interval=every, last_run_at=timezone.now() - timedelta(hours=2))
    monkeypatch.setattr(schedule.Scheduler, "producer", mock.Mock())  # else it would wait for a broker
    monkeypatch.setattr(schedule.Scheduler, "apply_async", lambda self, entry, **_: told.append(f"{self.holder} {entry.name}"))
    return told


def beat(name: str) -> Any:
    made = schedule.Scheduler(app=app, lazy=True)
    made._finalize.cancel()  # it would write as this process ends
    made.holder = name
    return made


def lapse() -> None:
    Lease.objects.update(expires_at=Now() - timedelta(seconds=1))


def make_due() -> None:
    task = PeriodicTask.objects.get()
    assert task.last_run_at is not None
    task.last_run_at -= timedelta(hours=2)
    task.save()


def test_one_of_two_beats_works(sent: list[str]) -> None:
    first, second = beat("first"), beat("second")
    for _ in range(3):
        first.tick()
        assert second.tick() == schedule.STANDBY
    assert sent == ["first hourly"]
    assert leases.holder_of("beat") == "first"


def test_the_other_takes_over_when_it_is_killed_and_runs_nothing_again(sent: list[str]) -> None:
    first, second = beat("first"), beat("second")
    first.tick()
    first.sync()  # as every fifteen seconds
    second.tick()
    lapse()
    second.tick()
    assert (sent, leases.holder_of("beat")) == (["first hourly"], "second")
    make_due()
    second.tick()
    assert sent == ["first hourly", "second hourly"]


def test_one_that_was_stopped_and_goes_on_neither_sends_nor_overwrites(sent: list[str]) -> None:
    first, second = beat("first"), beat("second")
    first.tick()
    first.sync()
    lapse()
    second.tick()
    make_due()
    second.tick()
    second.sync()
    ran = PeriodicTask.objects.get().last_run_at
    first._dirty.add("hourly")
    assert first.tick() == schedule.STANDBY
    first.sync()
    assert (sent, PeriodicTask.objects.get().last_run_at) == (["first hourly", "second hourly"], ran)


def test_one_that_ends_hands_over_at_once(sent: list[str]) -> None:
    first, second = beat("first"), beat("second")
    first.tick()
    first.close()
    assert leases.holder_of("beat") == ""
    second.tick()
    assert (sent, leases.holder_of("beat")) == (["first hourly"], "second")


def test_a_beat_without_a_database_waits_and_says_so_once(
    sent: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*given: Any, **named: Any) -> bool:
        raise OperationalError("away")

    one = beat("first")
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(leases, "take", away)
        assert [one.tick() for _ in range(3)] == [schedule.STANDBY] * 3
    assert sent == []
    one.tick()
    said = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert said == ["Beat waits for the database: away", "Beat finds the database again."]
    assert sent == ["first hourly"]


def test_its_library_says_nothing_more_of_that(settings: Any) -> None:
    """The real filter of our settings, on the library's own logger."""
    (name,) = settings.LOGGING["loggers"]["django_celery_beat.schedulers"]["filters"]
    assert settings.LOGGING["filters"][name] == {"()": "core.unavailable.SaidAlready"}
    library = logging.getLogger("django_celery_beat.schedulers")
    for error, passes in ((OperationalError("away"), False), (OperationalError("no such table: x"), True), (KeyError("x"), True)):
        given = (library.name, logging.ERROR, "x.py", 1, "Database error while sync: %r", (error,))
        record = library.makeRecord(*given, (type(error), error, None))
        assert bool(library.filter(record)) is passes
