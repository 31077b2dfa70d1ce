"""Beat's rows and the tasks: one of each for every job, and what an admin changed stays."""

from typing import Any

import pytest
from django.core.management import call_command
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask, PeriodicTasks

from core import health, jobs
from core.models import Process
from workers import schedule
from workers.celery import app

pytestmark = pytest.mark.django_db


@pytest.fixture
def three_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_jobs", {})
    jobs.register("often", lambda: None, queue="live", every=2)
    jobs.register("hourly", lambda: None, queue="bulk", cron="5 * * * *", enabled=False)
    jobs.register("only_woken", lambda: None)
    PeriodicTask.objects.all().delete()


def row(name: str) -> PeriodicTask:
    return PeriodicTask.objects.select_related("interval", "crontab").get(name=f"signalbox: {name}")


def test_every_job_with_a_time_has_its_row(three_jobs: None) -> None:
    assert schedule.sync() == 2
    often, hourly = row("often"), row("hourly")
    assert (often.task, often.queue, often.interval.every, often.interval.period) == ("workers.tasks.often", "live", 2, "seconds")
    assert (often.enabled, often.expire_seconds) == (True, 2)
    assert (hourly.enabled, hourly.crontab.minute, hourly.crontab.hour, str(hourly.crontab.timezone)) == (False, "5", "*", "UTC")
    assert PeriodicTask.objects.count() == 2


def test_a_second_sync_changes_nothing(three_jobs: None, django_assert_max_num_queries: Any) -> None:
    schedule.sync()
    changed = PeriodicTasks.last_change()
    with django_assert_max_num_queries(4):
        assert schedule.sync() == 0
    assert PeriodicTasks.last_change() == changed


def test_what_the_admin_set_stays_and_the_task_is_put_right(three_jobs: None) -> None:
    schedule.sync()
    slow = IntervalSchedule.objects.create(every=60, period=IntervalSchedule.SECONDS)
    PeriodicTask.objects.filter(name="signalbox: often").update(enabled=False, interval=slow, task="old.name", queue="bulk")
    PeriodicTask.objects.create(name="mine", task="somebody.elses", interval=slow)
    schedule.sync()
    often = row("often")
    assert (often.enabled, often.interval.every, often.task, often.queue) == (False, 60, "workers.tasks.often", "live")
    assert PeriodicTask.objects.get(name="mine").task == "somebody.elses"


def test_of_equal_times_that_somebody_added_by_hand_the_first_is_used(three_jobs: None) -> None:
    IntervalSchedule.objects.all().delete()
    CrontabSchedule.objects.all().delete()
    every = [IntervalSchedule.objects.create(every=2, period=IntervalSchedule.SECONDS) for _ in range(2)]
    at = [CrontabSchedule.objects.create(minute="5", timezone="UTC") for _ in range(2)]
    assert schedule.sync() == 2
    assert (row("often").interval, row("hourly").crontab) == (every[0], at[0])


def test_two_jobs_of_one_time_share_it(three_jobs: None) -> None:
    jobs.register("often_too", lambda: None, every=2)
    jobs.register("hourly_too", lambda: None, cron="5 * * * *")
    schedule.sync()
    assert row("often").interval == row("often_too").interval
    assert row("hourly").crontab == row("hourly_too").crontab
    assert CrontabSchedule.objects.filter(minute="5").count() == 1


def test_migrating_writes_the_rows() -> None:
    PeriodicTask.objects.all().delete()
    call_command("migrate", verbosity=0)
    assert row("note_worker_alive").enabled


def test_every_job_is_a_task_on_its_queue() -> None:
    app.loader.import_default_modules()
    for job in jobs.registered():
        task = app.tasks[job.task]
        assert (task.ignore_result, task.acks_late, task.reject_on_worker_lost) == (True, True, True), job.name
        assert app.amqp.router.route({}, job.task)["queue"].name == job.queue


def test_a_worker_takes_json_one_at_a_time_and_keeps_no_results() -> None:
    conf = app.conf
    assert (list(conf.accept_content), conf.task_serializer, conf.worker_prefetch_multiplier) == (["json"], "json", 1)
    assert (conf.task_ignore_result, conf.result_backend, conf.result_expires) == (True, None, None)
    assert {queue.name for queue in conf.task_queues} == set(jobs.QUEUES)


def test_beat_says_that_it_lives() -> None:
    scheduler = schedule.Scheduler(app=app, lazy=True)
    scheduler._say_alive()
    assert Process.objects.filter(id=health.BEAT).exists()
