"""Jobs: woken after the commit, by a thread that nobody waits for; lost by nobody when the broker is dead."""

import json
import logging
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError, transaction

from core import jobs


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[list[str]]:
    """A registry of the test's own with the jobs `tidy` and `send`, run in this process; and what ran."""
    settings.CELERY_BROKER_URL = ""
    done: list[str] = []
    monkeypatch.setattr(jobs, "_jobs", {})
    monkeypatch.setattr(jobs, "_threads", jobs._Threads())
    monkeypatch.setattr(jobs, "PAUSE", 0.001)
    jobs.register("tidy", lambda: done.append("tidy"), queue="bulk")
    jobs.register("send", lambda: done.append("send"))
    yield done
    assert jobs.wait_until_idle(10)


# Registering


def test_a_job_is_registered_once(ran: list[str]) -> None:
    jobs.register("again", test_a_job_is_registered_once, every=5)
    jobs.register("again", test_a_job_is_registered_once, every=5)
    with pytest.raises(ValueError, match="again"):
        jobs.register("again", lambda: None)


@pytest.mark.parametrize(("name", "queue"), [("a job", "live"), ("", "live"), ("a.b", "live"), ("job", "other")])
def test_a_bad_name_or_queue_is_refused(ran: list[str], name: str, queue: str) -> None:
    with pytest.raises(ValueError, match="Job"):
        jobs.register(name, lambda: None, queue=queue)


def test_an_unknown_job_is_told_which_there_are(ran: list[str]) -> None:
    with pytest.raises(jobs.UnknownJob, match="send, tidy"):
        jobs.wake("other")


# Waking


@pytest.mark.django_db(transaction=True)
def test_a_job_runs_after_the_commit_and_not_before(ran: list[str]) -> None:
    with transaction.atomic():
        jobs.wake("send")
        assert jobs.wait_until_idle(10)
        assert ran == []
    assert jobs.wait_until_idle(10)
    assert ran == ["send"]


@pytest.mark.django_db(transaction=True)
def test_a_rolled_back_transaction_wakes_nobody(ran: list[str]) -> None:
    with transaction.atomic():
        jobs.wake("send")
        transaction.set_rollback(True)
    assert jobs.wait_until_idle(10)
    assert ran == []


def hold(name: str) -> tuple[threading.Event, threading.Event]:
    """Make a job wait until the test lets it go: (it has begun, let it go)."""
    begun, go = threading.Event(), threading.Event()
    inner = jobs.job(name).function

    def waiting() -> None:
        begun.set()
        assert go.wait(30)
        inner()

    jobs._jobs[name] = jobs.Job(name, waiting, jobs.job(name).queue)
    return begun, go


@pytest.mark.django_db(transaction=True)
def test_a_thousand_wakes_while_it_runs_are_one_run_more(ran: list[str]) -> None:
    begun, go = hold("send")
    jobs.wake("send")
    assert begun.wait(10)
    for _ in range(1_000):
        jobs.wake("send")
    go.set()
    assert jobs.wait_until_idle(10)
    assert ran == ["send", "send"]


@pytest.mark.django_db(transaction=True)
def test_idle_is_when_what_a_job_woke_has_run_too(ran: list[str]) -> None:
    jobs.register("both", lambda: jobs.wake("tidy"))
    jobs.wake("tidy")
    assert jobs.wait_until_idle(10)
    jobs.wake("both")
    assert jobs.wait_until_idle(10)
    assert ran == ["tidy", "tidy"]


@pytest.mark.django_db(transaction=True)
def test_a_long_job_does_not_keep_those_of_other_queues_waiting(ran: list[str]) -> None:
    begun, go = hold("tidy")
    jobs.wake("tidy")
    assert begun.wait(10)
    jobs.wake("send")
    assert jobs._threads.of(jobs.job("send")).wait_until_idle(10)
    assert ran == ["send"]
    go.set()


@pytest.mark.django_db(transaction=True)
def test_a_job_that_breaks_is_logged_and_runs_again_when_woken(ran: list[str], caplog: pytest.LogCaptureFixture) -> None:
    def break_once() -> None:
        jobs._jobs["send"] = jobs.Job("send", lambda: ran.append("well"))
        raise KeyError("lost")

    jobs._jobs["send"] = jobs.Job("send", break_once)
    for _ in range(2):
        jobs.wake("send")
        assert jobs.wait_until_idle(10)
    assert ran == ["well"]
    assert ["Job send broke." in record.getMessage() for record in caplog.records] == [True]


@pytest.mark.django_db(transaction=True)
def test_a_test_may_note_what_is_woken(ran: list[str]) -> None:
    with jobs.collected() as woken:
        jobs.wake("send")
        jobs.wake("tidy")
    assert (woken, ran) == (["send", "tidy"], [])


@pytest.mark.django_db(transaction=True)
def test_jobs_are_woken_after_a_fork_too(ran: list[str]) -> None:
    jobs.wake("send")
    assert jobs.wait_until_idle(10)
    read, write = os.pipe()
    child = os.fork()
    if not child:
        # In the child: whatever happens, it ends here.
        try:
            jobs._jobs["send"] = jobs.Job("send", lambda: os.write(write, b"ran"))
            jobs._wake_now(jobs.job("send"))
            jobs.wait_until_idle(10)
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    os.close(write)
    with os.fdopen(read, "rb") as heard:
        assert heard.read() == b"ran"
    os.waitpid(child, 0)


# Sweeping where there is no broker


def test_the_sweeper_wakes_each_job_when_its_time_has_come(ran: list[str]) -> None:
    jobs.register("often", lambda: None, every=2)
    jobs.register("seldom", lambda: None, every=5)
    jobs.register("off", lambda: None, every=1, enabled=False)
    sweeper = jobs._Sweeper()
    due = {at: [job.name for job in sweeper.due(float(at))] for at in (100, 101, 102, 103, 104, 105)}
    assert due == {100: ["often", "seldom"], 101: [], 102: ["often"], 103: [], 104: ["often"], 105: ["seldom"]}


# With a broker


@pytest.fixture
def broker(ran: list[str], settings: Any) -> Iterator[Any]:
    """Says which broker this process sends to."""

    def use(url: str) -> None:
        settings.CELERY_BROKER_URL = url
        jobs._forget_threads()

    yield use
    assert jobs.wait_until_idle(10)
    jobs._producer.cache_clear()


def messages(url: str, queue: str) -> list[dict[str, Any]]:
    import redis

    with redis.Redis.from_url(url) as client:
        return [json.loads(message) for message in client.lrange(queue, 0, -1)]


@pytest.mark.valkey
@pytest.mark.django_db(transaction=True)
def test_with_a_broker_a_message_goes_to_the_jobs_queue(broker: Any, ran: list[str], valkey: Any) -> None:
    jobs.register("sample", lambda: None, queue="live", every=2)
    broker(valkey.url)
    jobs.wake("sample")
    assert jobs.wait_until_idle(10)
    (message,) = messages(valkey.url, "live")
    assert (message["headers"]["task"], message["content-type"]) == ("workers.tasks.sample", "application/json")
    assert message["headers"]["expires"]
    assert ran == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("answers", [False, True], ids=["refuses", "accepts and is silent"])
def test_a_dead_broker_keeps_nobody_waiting(broker: Any, answers: bool, unused_tcp_port: int, caplog: pytest.LogCaptureFixture) -> None:
    import socket

    with socket.socket() as listener:
        if answers:
            listener.bind(("127.0.0.1", unused_tcp_port))
            listener.listen(16)
        broker(f"redis://127.0.0.1:{unused_tcp_port}/0")
        unsent = jobs.WOKEN.value(outcome="unsent")
        for number in range(3):
            jobs.wake("send")
            if answers and not number:
                assert jobs.WOKEN.value(outcome="unsent") == unsent, "whoever woke it has waited until the broker was given up"
            assert jobs.wait_until_idle(30)
    assert jobs.WOKEN.value(outcome="unsent") == unsent + 3
    assert [record.levelname for record in caplog.records if record.name == "core.jobs"] in (["WARNING"], [])


@pytest.mark.django_db
def test_a_database_that_is_away_is_said_once_an_outage_and_not_by_a_traceback(caplog: pytest.LogCaptureFixture):
    fails = [OperationalError("away")]

    def work() -> None:
        if fails:
            raise fails[0]

    job = jobs.Job("late", work)
    with caplog.at_level(logging.WARNING, "core.jobs"):
        assert [jobs.run_or_wait(job), jobs.run_or_wait(job)] == [False, False]
        fails.clear()
        assert [jobs.run_or_wait(job), jobs.run_or_wait(job)] == [True, True]
    said = [(record.getMessage(), record.exc_info) for record in caplog.records]
    assert said == [("Jobs wait, the database is busy or away: away", None), ("Jobs find the database again.", None)]


@pytest.mark.django_db
def test_any_other_error_of_a_job_is_its_own():
    def work() -> None:
        raise OperationalError("no such table: x")

    with pytest.raises(OperationalError, match="no such table"):
        jobs.run_or_wait(jobs.Job("broken", work))
