"""Leases between real processes: several at once, one that is killed at the worst moment, and the way from a command to a webhook."""

from collections import Counter
from collections.abc import Callable

import pytest

from tests.support import servers
from tests.support.receiver import receiver

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


def site_for(new_site: NewSite, port: int, *, database: str = "sqlite", redis: bool = False) -> servers.Site:
    return new_site(database=database, redis=redis, OUTBOUND_ALLOW=f"127.0.0.1:{port}")


@pytest.mark.parametrize("database", DATABASES)
def test_four_at_once_send_each_exactly_once(new_site: NewSite, database: str) -> None:
    with receiver() as hook:
        site = site_for(new_site, hook.port, database=database)
        said = site.manage("shell", "-c", PEOPLE.format(people=40, url=hook.url) + AT_ONCE).stdout
        assert "[('done', 1)]" in said
        assert Counter(received.path for received in hook.requests) == {f"/u{n}": 1 for n in range(40)}


@pytest.mark.parametrize("database", DATABASES)
def test_a_worker_killed_between_sending_and_noting_sends_it_again_under_the_same_id(new_site: NewSite, database: str) -> None:
    with receiver() as hook:
        site = site_for(new_site, hook.port, database=database)
        assert site.manage("shell", "-c", PEOPLE.format(people=1, url=hook.url) + KILLED, check=False).returncode == -9
        assert len(hook.requests) == 1
        said = site.manage("shell", "-c", LATER).stdout
        # While the lease runs nobody else takes it; then it goes out again, and the other side can tell that it has it.
        assert "at once 0" in said and "later 1" in said and "[('done', 2)]" in said
        first, second = hook.requests
        assert first.headers["webhook-id"] == second.headers["webhook-id"] and first.body == second.body


@pytest.mark.valkey
def test_a_celery_worker_brings_what_is_urgent_at_once(new_site: NewSite) -> None:
    with receiver() as hook:
        site = site_for(new_site, hook.port, redis=True)
        site.manage("shell", "-c", PEOPLE.format(people=1, url=hook.url))
        with site.worker():
            site.manage("notify", "user:u0", "Urgent", "--priority", "high")
            # The one that waited in the table since before there was a worker comes with it: one job looks at all that is due.
            bodies = b"".join(received.body for received in hook.wait_for(2))
        assert b"Hello" in bodies and b"Urgent" in bodies
