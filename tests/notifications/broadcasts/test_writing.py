"""The rows of a broadcast whose workers are killed: at every boundary of a chunk in this process, at random on Postgres."""

import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from unittest import mock

import psutil
import pytest
from celery import Celery
from django.contrib.auth import get_user_model
from django.db import DatabaseError

from core import jobs
from notifications.actions import broadcast
from notifications.broadcasts import actions as broadcasts
from notifications.broadcasts.actions import due, writing
from notifications.models import Broadcast, BroadcastChunk, Delivery, InboxItem, Preference
from tests.support import servers

User = get_user_model()


class Killed(BaseException):
    """What stands for kill -9 in one process: nothing catches it, and the transaction is gone."""


def work_until_killed(place: str, *, passing: int, after: bool) -> None:
    """Work off what is due, and die before or after the n-th call of a step of the writing."""
    step, calls = getattr(writing, place), [0]

    def dying(*given: Any, **named: Any) -> Any:
        calls[0] += 1
        if calls[0] == passing and not after:
            raise Killed
        made = step(*given, **named)
        if calls[0] == passing:
            raise Killed
        return made

    with mock.patch.object(writing, place, dying), pytest.raises(Killed):
        broadcasts.work_off_due()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("place", ["people_of", "_insert_items", "_checkpoint", "_finish", "publish_many"])
def test_killed_at_every_boundary_of_every_chunk_everybody_has_it_once(settings: Any, place: str, after: bool) -> None:
    settings.BROADCAST_CHUNK = 3
    User.objects.bulk_create(User(username=f"u{n}") for n in range(8))
    with jobs.collected():
        made = broadcast("all", title="x")
        # The first worker dies in its first chunk; the next ones write one, and die in the second.
        for passing in (1,) if place == "_finish" else (1, 2, 2):
            work_until_killed(place, passing=passing, after=after)
            assert InboxItem.objects.count() == sum(BroadcastChunk.objects.values_list("written", flat=True))
        broadcasts.work_off_due()
    made.refresh_from_db()
    assert (made.state, made.written, InboxItem.objects.values("user").distinct().count(), InboxItem.objects.count()) == ("done", 8, 8, 8)


@pytest.mark.django_db
def test_what_one_broadcast_cannot_do_now_keeps_no_other_waiting(monkeypatch: pytest.MonkeyPatch, alice: Any) -> None:
    broken = broadcast("all", title="Broken")
    broadcast("all", title="Sound")
    insert = writing._insert_items

    def failing(made: Broadcast, people: Any) -> int:
        if made.pk == broken.pk:
            raise DatabaseError("somebody of the chunk was deleted")
        return insert(made, people)

    monkeypatch.setattr(writing, "_insert_items", failing)
    broadcasts.work_off_due()
    assert list(Broadcast.objects.order_by("pk").values_list("state", flat=True)) == ["sending", "done"]
    monkeypatch.undo()
    broadcasts.work_off_due()
    assert set(Broadcast.objects.values_list("state", flat=True)) == {"done"}


@pytest.mark.django_db
def test_two_broadcasts_are_written_in_turn(settings: Any, alice: Any) -> None:
    settings.BROADCAST_CHUNK = 2
    User.objects.bulk_create(User(username=f"u{n}") for n in range(5))
    long, short = broadcast("all", title="Long"), broadcast("user:alice", title="Short")
    with mock.patch.object(due, "write_chunk", wraps=writing.write_chunk) as written:
        broadcasts.work_off_due()
    assert [call.args[0] for call in written.call_args_list][:4] == [long.pk, short.pk, long.pk, short.pk]


@pytest.mark.django_db
def test_each_chunk_writes_what_is_owed_outside_the_page_once(settings: Any, alice: Any, bob: Any) -> None:
    """E-mail is off for announcements unless somebody wants it: bob does."""
    settings.EMAIL_URL, settings.BROADCAST_CHUNK = "console://", 1
    Preference.objects.create(user=bob, category="broadcast", transport="email", enabled=True)
    broadcast("all", title="x")
    broadcasts.ensure_items(bob)
    broadcasts.work_off_due()
    broadcasts.work_off_due()
    assert list(Delivery.objects.values_list("item__user__username", "transport")) == [("bob", "email")]


SEND = "from notifications.actions import broadcast; broadcast('all', title='x')"
PEOPLE = """
INSERT INTO auth_user (username, password, is_superuser, is_staff, is_active, first_name, last_name, email, date_joined)
SELECT 'u' || n, '', false, false, true, '', '', '', now() FROM generate_series(1, 50000) AS n
"""
ASK = """
SELECT (SELECT written FROM signalbox_notifications_broadcast), count(*), count(DISTINCT user_id) FROM signalbox_notifications_inboxitem
"""
CHUNKS = 50


@pytest.mark.postgres
def test_fifty_thousand_people_have_it_once_though_workers_are_killed_at_random(new_site: Callable[..., servers.Site]) -> None:
    """Celery workers on Postgres: their processes are killed in the middle of chunks, and once whole workers with all that they have."""
    import psycopg

    site = new_site(database="postgres", redis=True, BROADCAST_CHUNK=str(50_000 // CHUNKS))
    arguments = [sys.executable, "-m", "celery", "-A", "workers.celery", "worker", "-Q", "bulk", "--loglevel", "ERROR"]
    quick = ["--concurrency", "2", "--without-gossip", "--without-mingle"]
    worker = servers.Process([*arguments, *quick], site.folder / "worker.log", site.env())
    killed, beat = 0, Beat(site.environment["REDIS_URL"])
    with psycopg.connect(site.environment["DATABASE_URL"], autocommit=True) as database:

        def chunks() -> int:
            row = database.execute("SELECT count(*) FROM signalbox_notifications_broadcastchunk").fetchone()
            return int(row[0]) if row else 0

        def written(goal: int) -> bool:
            return done() or chunks() >= goal

        def done() -> bool:
            beat.sweep()
            row = database.execute("SELECT state FROM signalbox_notifications_broadcast").fetchone()
            return row == ("done",)

        database.execute(PEOPLE)
        site.manage("shell", "-v0", "-c", SEND)
        try:
            worker.start()
            for goal in (5, 20, 35):
                servers.wait_until(partial(written, goal), described=f"{goal} chunks", log=worker.log)
                if goal == 20:
                    worker.kill()
                    killed += 1
                    worker.start()
                else:
                    killed += _kill_children(worker.pid)
            servers.wait_until(done, described="everybody to have it", log=worker.log)
        finally:
            worker.kill()
        assert killed >= 4, "the workers were done before they were killed"
        assert database.execute(ASK).fetchone() == (50_000, 50_000, 50_000)


class Beat:
    """Sends what beat sends every five seconds, here every half a second: a killed worker's lock outlives it for a moment."""

    def __init__(self, url: str) -> None:
        self._app = Celery(broker=url, set_as_current=False)
        self._next = 0.0

    def sweep(self) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + 0.5
            self._app.send_task("workers.tasks.broadcasts_due", queue="bulk", expires=2, ignore_result=True)


def _kill_children(pid: int) -> int:
    """kill -9 to the processes of a worker's pool, which it then replaces. Returns how many."""
    children = psutil.Process(pid).children()
    for child in children:
        os.kill(child.pid, signal.SIGKILL)
    return len(children)
