"""Many at once, in real transactions of a process of its own: on SQLite, and on Postgres where it is."""

from collections.abc import Callable

import pytest

from tests.support import servers

KEYS = """
import threading
from django.contrib.auth import get_user_model
from django.db import connection
from notifications.actions import notify
from notifications.models import InboxItem, Notification
person = get_user_model().objects.create_user("u")
gate = threading.Barrier(6)
def send(n):
    gate.wait()
    for turn in range(5):
        notify("u", title=f"{n} {turn}", key="k")
    connection.close()
threads = [threading.Thread(target=send, args=[n]) for n in range(6)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print("items", InboxItem.objects.count(), "payloads", Notification.objects.count())
"""
ROWS = """
import threading
from django.contrib.auth import get_user_model
from django.db import connection
from core import jobs
from notifications.broadcasts import actions
from notifications.models import InboxItem
model = get_user_model()
model.objects.bulk_create(model(username=f"u{n}") for n in range(100))
made = actions.broadcast("all", title="x")
gate = threading.Barrier(4)
def write():
    gate.wait()
    while actions.write_chunk(made.pk, size=7):
        pass
    connection.close()
def look(person):
    gate.wait()
    actions.ensure_items(person)
    connection.close()
threads = [threading.Thread(target=write), threading.Thread(target=write)]
threads += [threading.Thread(target=look, args=[person]) for person in model.objects.order_by("-pk")[:2]]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
# Who finds another one writing goes away: the job that the send woke in this process may be the one that ends it.
jobs.wait_until_idle(30)
made.refresh_from_db()
print(made.state, made.written, InboxItem.objects.count())
"""
DATABASES = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.mark.parametrize("database", DATABASES)
def test_one_key_sent_by_many_at_once_is_one_notification(new_site: Callable[..., servers.Site], database: str) -> None:
    assert "items 1 payloads 1" in new_site(database=database).manage("shell", "-c", KEYS).stdout


@pytest.mark.parametrize("database", DATABASES)
def test_a_broadcast_written_by_two_workers_while_people_look_has_everybody_once(
    new_site: Callable[..., servers.Site], database: str
) -> None:
    assert "done 100 100" in new_site(database=database).manage("shell", "-c", ROWS).stdout


# Counted in the statements that write rows and events, not in seconds: machines differ, the number of statements must not.
MANY = """
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext
from notifications.actions import notify
from notifications.models import InboxItem
model = get_user_model()
model.objects.bulk_create(model(username=f"u{n}") for n in range(10_000))
notify("u0", title="warm")
with CaptureQueriesContext(connection) as caught:
    sent = notify("all", title="x")
inserts = [query["sql"][:60] for query in caught if query["sql"].startswith("INSERT") and "inboxitem" in query["sql"][:60]]
print("sent", sent.recipients, "rows", InboxItem.objects.filter(notification=sent.id).count(), "inserts", len(inserts))
"""


@pytest.mark.parametrize("database", DATABASES)
def test_ten_thousand_people_get_their_rows_in_one_statement(new_site: Callable[..., servers.Site], database: str) -> None:
    assert "sent 10000 rows 10000 inserts 1" in new_site(database=database).manage("shell", "-c", MANY).stdout
