"""The commit rule from every place that people publish from: what commits is delivered, what rolls back never is.

Threads, nested blocks, savepoints, a fork: test_publishing.py. Both ends at once under one key: tests/core/test_idempotency.py. A worker
that is killed: `make chaos`, row 3.
"""

import asyncio
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from celery import Celery
from django.core.management import BaseCommand, call_command
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client
from django.urls import path

from core.delivery import history
from core.delivery.publishing import ForeignTransaction, NewEvent, apublish, apublish_many, publish, publish_many
from core.models import Channel, Event, Intent
from core.tokens import make_token

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls(__name__)]


class Failed(Exception):
    """What the code around a publish fails with."""


def texts(channel: str = "testlog:a") -> list[str]:
    return [event.data["text"] for event in history.stretch(channel, 0).events]


def two_and_perhaps_fail(fails: bool) -> None:
    """A write of one's own and two events, as an action does it."""
    with transaction.atomic():
        Channel.objects.create(name="testlog:row")
        publish("testlog:a", "line", {"text": "one"})
        publish_many([NewEvent("testlog:a", "line", {"text": "two"}), NewEvent("testlog:b", "line", {"text": "two"})])
        if fails:
            raise Failed


def sync_view(request: HttpRequest) -> HttpResponse:
    two_and_perhaps_fail("fails" in request.GET)
    return HttpResponse("done")


async def async_view(request: HttpRequest) -> HttpResponse:
    await sync_to_async(two_and_perhaps_fail)("fails" in request.GET)
    return HttpResponse("done")


@transaction.atomic
def whole_request_view(request: HttpRequest) -> HttpResponse:
    """As with ATOMIC_REQUESTS: the transaction ends with the view."""
    two_and_perhaps_fail(fails=False)
    assert texts() == []
    if "fails" in request.GET:
        raise Failed
    return HttpResponse("done")


urlpatterns = [path("sync/", sync_view), path("async/", async_view), path("whole/", whole_request_view)]


def by_view(address: str) -> Callable[[bool], None]:
    return lambda fails: _answered(Client().get(f"/{address}/", {"fails": "1"} if fails else {}))


def by_async_view(fails: bool) -> None:
    async def ask() -> None:
        _answered(await AsyncClient().get("/async/", {"fails": "1"} if fails else {}))

    asyncio.run(ask())


def _answered(answer: Any) -> None:
    assert answer.content == b"done"


def by_task(fails: bool) -> None:
    """As a worker runs it; that a worker of its own does too is shown by tests/e2e/test_mission.py."""
    app = Celery("commit-rule", set_as_current=False)
    app.task(two_and_perhaps_fail, name="two").apply(args=[fails]).get(disable_sync_subtasks=False)


class Command(BaseCommand):
    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--fails", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        two_and_perhaps_fail(options["fails"])


def by_command(fails: bool) -> None:
    call_command(Command(stdout=StringIO()), fails=fails)


WAYS = [by_view("sync"), by_async_view, by_view("whole"), by_task, by_command]
NAMES = ["a view", "an async view", "a view in one transaction", "a task", "a command"]


@pytest.mark.parametrize("way", WAYS, ids=NAMES)
def test_what_commits_is_numbered_at_once(way: Callable[[bool], None]) -> None:
    way(False)
    assert texts() == ["one", "two"] and texts("testlog:b") == ["two"]
    assert Channel.objects.filter(name="testlog:row").exists()


@pytest.mark.parametrize("way", WAYS, ids=NAMES)
def test_what_rolls_back_leaves_nothing_and_disturbs_nothing(way: Callable[[bool], None]) -> None:
    with pytest.raises(Failed):
        way(True)
    assert not Event.objects.exists() and not Channel.objects.exists()
    publish("testlog:a", "line", {"text": "after"})
    assert texts() == ["after"]


async def test_coroutines_that_publish_at_once_are_all_numbered_once() -> None:
    await asyncio.gather(*[apublish("testlog:a", "line", {"text": str(number)}) for number in range(10)])
    await apublish_many([NewEvent("testlog:a", "line", {"text": "last"})])
    shown = await asyncio.to_thread(texts)
    assert sorted(shown[:-1], key=int) == [str(number) for number in range(10)] and shown[-1] == "last"


def ghosts_that_fail() -> None:
    with transaction.atomic():
        publish_many([NewEvent(f"testlog:{name}", "line", {"text": "ghost"}) for name in "cba"])
        raise Failed


def test_a_savepoint_that_rolls_back_between_many_channels_takes_its_own_along() -> None:
    with transaction.atomic():
        publish_many([NewEvent(f"testlog:{name}", "line", {"text": "outer"}) for name in "abc"])
        with pytest.raises(Failed):
            ghosts_that_fail()
        publish_many([NewEvent(f"testlog:{name}", "line", {"text": "end"}) for name in "bca"])
    assert [texts(f"testlog:{name}") for name in "abc"] == [["outer", "end"]] * 3


def test_publishing_is_refused_where_only_another_database_is_in_a_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    class Other:
        in_atomic_block = True

    monkeypatch.setitem(connections.settings, "other", connections.settings["default"])
    monkeypatch.setattr(connections._connections, "other", Other(), raising=False)
    with pytest.raises(ForeignTransaction, match="using='default'"):
        publish("testlog:a", "line", {"text": "ghost"})
    assert not Event.objects.exists()
    with transaction.atomic():
        publish("testlog:a", "line", {"text": "both"})
    assert texts() == ["both"]


@pytest.mark.urls("core.urls")
def test_the_second_call_gets_the_first_answer_though_its_event_was_trimmed(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.support.kinds import Lines

    monkeypatch.setattr(Lines, "writable", lambda self, reader, key: True)
    _, token = make_token(alice, "curl", ["publish:*"])
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "deploy-42"}
    body = {"channel": "testlog:a", "type": "raw", "data": {"text": "once"}}

    def ask() -> Any:
        return Client().post("/api/v1/publish", body, content_type="application/json", headers=headers)

    first = ask()
    assert first.status_code == 202, first.content
    Event.objects.all().delete()
    Channel.objects.update(tail=2)
    second = ask()
    assert (second.status_code, second.content) == (202, first.content) and second.headers["Idempotent-Replayed"] == "true"
    assert not Event.objects.exists() and Intent.objects.count() == 1
