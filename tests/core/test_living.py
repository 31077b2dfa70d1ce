"""The page of the living system: what the processes told, a channel's newest events, and disconnecting somebody."""

import asyncio
import os
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from core import health, leases
from core.delivery import report
from core.delivery.hub import hub
from core.living import living
from core.models import Event, Presence, Process
from tests.core.delivery.conftest import running_hub  # noqa: F401
from tests.support.live import live_client
from workers import telling

REPORT = {"connections": 3, "publishes": 1.5, "deliveries": 30.0, "guests": 1, "rates": {"gaps": 1.5}, "lag_p50": 0.005, "lag_p99": 0.1}


def told(process: str, **more: Any) -> Process:
    """A process that lives and reported."""
    return Process.objects.create(id=process, expires_at=timezone.now() + timedelta(seconds=15), figures={**REPORT, **more})


@pytest.fixture
def may(alice: Any) -> Client:
    """A browser of the staff, who may look and disconnect."""
    alice.user_permissions.add(*Permission.objects.filter(codename__in=["view_process", "disconnect_people"]))
    client = Client()
    client.force_login(alice)
    return client


@pytest.mark.django_db
def test_people_and_channels_of_all_processes_are_put_together():
    told("one", people=[["7", "bob", 2], ["8", "eve", 1]], channels=[["room:1", 3, 12], ["user:7", 2, 4]])
    told("two", people=[["7", "bob", 1]], channels=[["room:1", 5, 12]])
    Process.objects.create(id="dead", expires_at=timezone.now() - timedelta(seconds=1), figures={**REPORT, "connections": 99})
    found = living()
    assert [process.id for process in found.processes] == ["one", "two"]
    assert (found.service.connections, found.guests) == (6, 2)
    assert found.people == [("7", "bob", 3), ("8", "eve", 1)]
    assert found.channels == [("room:1", 8), ("user:7", 2)]
    assert (found.service.publishes, found.service.deliveries, found.rates["gaps"]) == (1.5, 60.0, 3.0)


@pytest.mark.django_db
def test_the_page_shows_them_in_as_many_queries_for_any_number(may: Client):
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as made:
            shown = may.get("/admin/live/?part=1")
        assert shown.status_code == 200
        return len(made)

    told("one", people=[["7", "bob", 2]], channels=[["room:1", 3, 12]], where="web-1-77")
    queries()
    few = queries()
    for number in range(5):
        told(f"more{number}", people=[[str(n), f"person{n}", 1] for n in range(50)], channels=[[f"room:{n}", 1, 1] for n in range(50)])
    assert queries() == few
    page = may.get("/admin/live/").content.decode()
    assert "person49" in page
    assert "web-1-77" in page and "more3" in page  # its machine or container and its process; its row's key, before it has told
    assert "under 100 ms" in page
    assert "hx-trigger" in page


@pytest.mark.django_db
def test_workers_and_the_beat_are_no_web_processes_and_say_what_they_did(may: Client):
    assert "No worker has told of itself" in may.get("/admin/live/").content.decode()
    assert "No beat was heard of" in may.get("/admin/live/").content.decode()
    telling._told_at = float("-inf")
    telling.tell("celery@<one>", "trim_events")
    telling.tell("celery@<one>", "roll_up")  # too soon to be told
    for key in (health.WORKER, health.BEAT):
        health.note_alive(key)
    leases.take("beat", holder="host-4711", seconds=15)
    found = living()
    assert found.processes == [] and found.service.processes == 0
    assert [(worker.name, worker.job) for worker in found.workers] == [("celery@<one>", "trim_events")]
    assert found.beat is not None and found.beat.name == "host-4711"
    page = may.get("/admin/live/").content.decode()
    assert "celery@&lt;one&gt;" in page and "trim_events" in page and "host-4711" in page


@pytest.mark.django_db
def test_a_channel_names_who_watches_it(may: Client):
    assert "Nobody with a name watches it now." in may.get("/admin/live/?channel=room:1").content.decode()
    one, two = told("one"), told("two")
    dead = Process.objects.create(id="dead", expires_at=timezone.now() - timedelta(seconds=1))
    for process, who, tabs in ((one, "bob", 1), (two, "bob", 1), (one, "eve", 1), (dead, "mallory", 1)):
        Presence.objects.create(process=process, channel="room:1", who=who, tabs=tabs)
    page = may.get("/admin/live/?channel=room:1").content.decode()
    assert "Watching: bob (2 tabs), eve" in page and "mallory" not in page


@pytest.mark.django_db
def test_the_tail_of_a_channel_is_escaped_and_cut(may: Client):
    Event.objects.create(channel="room:1", offset=1, type="message.put", key="<b>", data='{"text": "<script>' + "x" * 1000 + '"}')
    page = may.get("/admin/live/?channel=room:1").content.decode()
    assert "&lt;script&gt;" in page and "<script>x" not in page
    assert "x" * 301 not in page
    assert "message.put" in page


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["room:1\n", "room:١", "../etc", "x" * 5000, "%00", "room:*", "<script>"])
def test_a_name_that_is_none_is_told_what_one_is(may: Client, name: str):
    answer = may.get("/admin/live/", {"channel": name})
    assert answer.status_code == 200
    assert b"<script>" not in answer.content.split(b"<body")[1].split(b"<script")[0]


@pytest.mark.django_db
def test_who_may_not_look_or_disconnect_may_not(alice: Any, charlie: Any, client: Client):
    assert client.get("/admin/live/").status_code == 302
    client.force_login(charlie)
    assert client.get("/admin/live/", follow=True).status_code == 404
    client.force_login(alice)
    alice.user_permissions.clear()
    alice.groups.clear()
    assert client.get("/admin/live/").status_code == 403
    assert client.post("/admin/live/disconnect/", {"user": str(charlie.pk)}).status_code == 403
    assert client.get("/admin/live/disconnect/").status_code == 405


@pytest.mark.django_db
@pytest.mark.parametrize("number", ["", "0", "x", "1" * 100, "-1", "٧"])
def test_nobody_is_disconnected_by_a_number_that_nobody_has(may: Client, number: str):
    page = may.post("/admin/live/disconnect/", {"user": number}, follow=True).content.decode()
    assert "There is nobody of that number." in page
    assert not Event.objects.filter(channel="system:authority", data__contains="disconnect").exists()


@pytest.mark.django_db
def test_who_may_disconnects_one_person_and_is_told_so(may: Client, bob: Any, charlie: Any):
    page = may.post("/admin/live/disconnect/", {"user": str(bob.pk)}, follow=True)
    assert page.redirect_chain == [("/admin/live/", 302)]
    assert "Bob is being disconnected; open pages come back by themselves within seconds." in page.content.decode()
    said = list(Event.objects.filter(channel="system:authority", data__contains="disconnect").values_list("data", flat=True))
    assert len(said) == 1
    assert str(bob.pk) in said[0] and str(charlie.pk) not in said[0].replace(str(bob.pk), "")


@pytest.mark.django_db(transaction=True)
async def test_a_report_tells_who_is_there_and_a_disconnect_sends_her_away_with_a_hint(
    running_hub: None,  # noqa: F811
    bob: Any,
    monkeypatch: pytest.MonkeyPatch,
):
    from asgiref.sync import sync_to_async

    from core.delivery import authority

    client = Client()
    await sync_to_async(client.force_login)(bob)
    cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
    async with live_client(cookies=cookies, positions={f"user:{bob.pk}": "0:0"}) as page:
        await page.resume()
        told_now = hub.report.take(hub.loop.time())  # type: ignore[union-attr]
        assert told_now["guests"] == 0
        assert told_now["where"].endswith(f"-{os.getpid()}")
        assert told_now["people"] == [(str(bob.pk), "bob", 1)]
        assert [row[:2] for row in told_now["channels"] if row[0].startswith("user:")] == [(f"user:{bob.pk}", 1)]
        await sync_to_async(authority.disconnect)(bob.pk)
        await page.until(lambda me: me.closed is not None, described="the close")
        assert page.closed == 1012
        assert page.frames[-1]["signal"] == "closing"


@pytest.mark.django_db(transaction=True)
async def test_a_process_writes_its_report_by_itself(running_hub: None, monkeypatch: pytest.MonkeyPatch):  # noqa: F811
    monkeypatch.setattr(report, "EVERY", 0.01)
    hub.spawn(report.Report(hub).keep())
    async with asyncio.timeout(20):
        while not await Process.objects.filter(pk=hub.id, figures__connections=0).aexists():
            await asyncio.sleep(0.05)


def test_the_bound_of_a_bucket_stands_for_what_is_in_it():
    counts = [0] * (len(report.figures.lag.buckets) + 1)
    assert report._quantile(counts, 0.5) is None
    counts[2], counts[5] = 98, 2
    assert report._quantile(counts, 0.5) == report.figures.lag.buckets[2]
    assert report._quantile(counts, 0.99) == report.figures.lag.buckets[5]
