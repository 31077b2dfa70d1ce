"""Leases between real processes: several at once, one that is killed at the worst moment, and the way from a command to a webhook."""

import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing

import pytest
from celery import Celery

from notifications.deliveries import sending
from tests.support import servers
from tests.support.receiver import Answer, hangs, receiver
from tests.support.servers import wait_until

DATABASES = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
NewSite = Callable[..., servers.Site]

PEOPLE = """
from core import jobs
from django.contrib.auth import get_user_model
from notifications import actions, preferences
from notifications.models import Priority
model = get_user_model()
for n in range({people}):
    preferences.set_webhook(model.objects.create_user(f"u{{n}}"), f"{url}/u{{n}}", "plain")
# Nobody works on it yet: without a broker this very process would, and end in the middle of it.
with jobs.collected():
    actions.notify("all", title="Hello", priority=Priority.HIGH)
"""
AT_ONCE = """
import threading
from django.db import connection
from notifications.deliveries import sending
from notifications.models import Delivery
sending.AT_ONCE = 5
gate = threading.Barrier(4)
def work():
    gate.wait()
    sending.work_off("webhook")
    connection.close()
threads = [threading.Thread(target=work) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(sorted(Delivery.objects.values_list("state", "attempts").distinct()))
"""
KILLED = """
import os, signal
from notifications.deliveries import leasing, sending
leasing.finish = lambda *arguments, **values: os.kill(os.getpid(), signal.SIGKILL)
sending.work_off("webhook")
"""
LATER = """
from datetime import timedelta
from django.utils import timezone
from notifications.deliveries import sending
from notifications.models import Delivery
print("at once", sending.work_off("webhook"))
print("later", sending.work_off("webhook", clock=lambda: timezone.now() + timedelta(minutes=6)))
print(list(Delivery.objects.values_list("state", "attempts")))
"""
LEASES_END = """
from django.utils import timezone
from notifications.models import Delivery
Delivery.objects.filter(state="leased").update(due_at=timezone.now())
"""


def site_for(new_site: NewSite, port: int, *, database: str = "sqlite", redis: bool = False) -> servers.Site:
    return new_site(database=database, redis=redis, OUTBOUND_ALLOW=f"127.0.0.1:{port}")


@pytest.mark.parametrize("database", DATABASES)
def test_four_at_once_send_each_exactly_once(new_site: NewSite, database: str) -> None:
    with receiver() as hook:
        site = site_for(new_site, hook.port, database=database)
        said = site.manage("shell", "-c", PEOPLE.format(people=40, url=hook.url) + AT_ONCE).stdout
        assert "[('done', 1)]" in said
        assert Counter(received.path for received in hook.requests) == {f"/u{n}": 1 for n in range(40)}


@pytest.mark.postgres
def test_a_process_killed_between_acceptance_and_noting_sends_it_again_under_the_same_id(new_site: NewSite) -> None:
    with receiver() as hook:
        site = site_for(new_site, hook.port, database="postgres")
        assert site.manage("shell", "-c", PEOPLE.format(people=1, url=hook.url) + KILLED, check=False).returncode == -9
        assert len(hook.requests) == 1
        said = site.manage("shell", "-c", LATER).stdout
        # While the lease runs nobody else takes it; then it goes out again, and the other side can tell that it has it.
        assert "at once 0" in said and "later 1" in said and "[('done', 2)]" in said
        first, second = hook.requests
        assert first.headers["webhook-id"] == second.headers["webhook-id"] and first.body == second.body


@pytest.mark.valkey
def test_a_worker_killed_at_work_loses_nothing_and_says_twice_only_what_was_on_its_way(new_site: NewSite) -> None:
    people = sending.AT_ONCE + 4
    with receiver(Answer(raw=hangs)) as hook:
        site = site_for(new_site, hook.port, redis=True)
        site.manage("shell", "-c", PEOPLE.format(people=people, url=hook.url))
        ask_for_work(site)
        with site.worker() as worker:
            hook.wait_for(sending.THREADS)
            worker.kill()
        # The other side has eight of them; the rest of the lease waited for a thread, and four wait for a worker.
        on_their_way = {received.path for received in hook.requests}
        assert len(on_their_way) == len(hook.requests) == sending.THREADS
        assert states(site) == {"leased": sending.AT_ONCE, "due": 4}
        hook.answers = [Answer()]
        site.manage("shell", "-c", LEASES_END)
        ask_for_work(site)
        with site.worker():
            received = hook.wait_for(people + sending.THREADS)
            wait_until(lambda: states(site) == {"done": people}, described="every one to be noted")
        times = Counter(one.path for one in received)
        assert times == {f"/u{n}": 2 if f"/u{n}" in on_their_way else 1 for n in range(people)}
        # Whoever got it twice can tell: the same id, the same words.
        assert len({(one.path, one.headers["webhook-id"], one.body) for one in received}) == people


def ask_for_work(site: servers.Site) -> None:
    """What `jobs.wake` sends, kept however long a worker takes to start."""
    Celery(broker=site.environment["REDIS_URL"], set_as_current=False).send_task("workers.tasks.deliveries_webhook", queue="delivery")


def states(site: servers.Site) -> dict[str, int]:
    """How many deliveries of a site on SQLite stand how."""
    with closing(sqlite3.connect(site.folder / "signalbox.sqlite3")) as database:
        return dict(database.execute("SELECT state, COUNT(*) FROM signalbox_notifications_delivery GROUP BY state"))


@pytest.mark.valkey
def test_a_celery_worker_brings_what_is_urgent_at_once(new_site: NewSite) -> None:
    with receiver() as hook:
        site = site_for(new_site, hook.port, redis=True)
        site.manage("shell", "-c", PEOPLE.format(people=1, url=hook.url))
        ask_for_work(site)
        with site.worker():
            hook.wait_for(1)  # what waited since before there was a worker: now there is one
            site.manage("notify", "user:u0", "Urgent", "--priority", "high")
            bodies = b"".join(received.body for received in hook.wait_for(2))
        assert b"Hello" in bodies and b"Urgent" in bodies
