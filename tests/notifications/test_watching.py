"""watching:<channel>: whoever looks at a channel now, told by its sender, its API and its broadcasts."""

import json
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from core.delivery import history
from core.delivery.channel import registry
from core.delivery.executor import on_executor
from core.models import Presence, Process
from dashboard.actions import save_dashboard
from dashboard.models import Dashboard
from notifications import actions, audiences
from notifications.broadcasts import actions as broadcasts
from notifications.broadcasts.actions import sending
from notifications.errors import UnknownAudience
from notifications.models import Notification
from notifications.rooms.actions import open_room
from notifications.rooms.models import Room
from notifications.rooms.people import Person
from tests.notifications.conftest import titles
from tests.support.kinds import Lines
from tests.support.live import live_client

pytestmark = pytest.mark.django_db
CONSOLE = "/admin/signalbox_notifications/broadcast/add/"


@pytest.fixture(autouse=True)
def lines() -> Iterator[None]:
    known = dict(registry.kinds)
    registry.register(Lines())
    yield
    registry.kinds = known


def look(channel: str, *names: str, lapsed: bool = False) -> None:
    """Let these people have a channel open in a process that lives, or has died."""
    until = timezone.now() + timedelta(seconds=-5 if lapsed else 60)
    process = Process.objects.create(pk=f"p{Process.objects.count()}", expires_at=until)
    Presence.objects.bulk_create([Presence(process=process, channel=channel, who=name, tabs=1) for name in names])


def test_who_looks_at_a_channel_is_told_once_and_nobody_else(alice: Any, bob: Any, charlie: Any) -> None:
    look("testlog:a", "bob", "guest-77")
    look("testlog:a", "bob", "charlie")
    look("testlog:b", "alice")
    assert actions.notify("watching:testlog:a", title="Here").recipients == 2
    assert (titles(alice), titles(bob), titles(charlie)) == ([], ["Here"], ["Here"])


@pytest.mark.django_db(transaction=True)
async def test_boards_and_rooms_are_named_by_their_slugs_and_reach_whose_pages_are_open(
    running_hub: None, alice: Any, bob: Any, charlie: Any
) -> None:
    def made() -> tuple[str, str]:
        board = save_dashboard(Dashboard(slug="wall", title="Wall", owner=bob))
        save_dashboard(Dashboard(slug="other", title="Other", owner=alice))
        return board.channel, open_room("club", title="Club", access=Room.Access.MEMBERS, owner=Person.of_user(alice)).channel

    def cookies_of(person: Any) -> str:
        browser = Client()
        browser.force_login(person)
        return "; ".join(f"{name}={morsel.value}" for name, morsel in browser.cookies.items())

    def told() -> list[int]:
        words = ("dashboard:wall", "room:club", "dashboard:other")
        return [actions.notify(f"watching:{word}", title=word).recipients for word in words]

    async with AsyncExitStack() as pages:
        for person, channel in zip((bob, alice), await on_executor(made), strict=True):
            about = f"presence:{channel.replace(':', '.')}"
            at = {name: str(where) for name, where in (await on_executor(history.positions, [channel, about])).items()}
            page = await pages.enter_async_context(live_client(positions=at, cookies=await on_executor(cookies_of, person)))
            await page.resume()
            await page.texts_until(about, person.username)
        assert await on_executor(told) == [1, 1, 0]
    assert [await on_executor(titles, person) for person in (bob, alice, charlie)] == [["dashboard:wall"], ["room:club"], []]


def test_who_has_left_with_her_process_is_not_told(bob: Any) -> None:
    look("testlog:a", "bob", lapsed=True)
    assert actions.notify("watching:testlog:a", title="Here").recipients == 0


@pytest.mark.parametrize(
    "word",
    ["watching:", "watching:nonsense", "watching:nokind:1", "watching:presence:testlog.a", "watching:system:authority", "watching:user:1"],
)
def test_what_nobody_can_look_at_is_no_audience(db: None, word: str) -> None:
    with pytest.raises(UnknownAudience):
        audiences.resolve(word)


def test_a_planned_broadcast_is_for_those_who_look_when_it_is_sent(alice: Any, bob: Any, charlie: Any) -> None:
    look("testlog:a", "bob")
    at = timezone.now() + timedelta(hours=1)
    made = broadcasts.broadcast("watching:testlog:a", title="Later", send_at=at)
    Presence.objects.all().delete()
    look("testlog:a", "charlie")
    broadcasts.work_off_due(now=at)
    look("testlog:a", "alice")
    while broadcasts.write_chunk(made.pk):
        pass
    assert (titles(alice), titles(bob), titles(charlie)) == ([], [], ["Later"])


def test_over_the_api_one_may_tell_who_looks_at_what_one_may_read(api_of: Callable[..., Any], alice: Any, bob: Any) -> None:
    look("testlog:a", "bob")
    assert api_of(alice).post("notify/watching:testlog:a", b"Staff may").status_code == 202
    assert api_of(bob).post("notify/watching:testlog:a", b"Others may not").status_code == 404
    assert api_of(alice, "notify:ops").post("notify/watching:testlog:a", b"Not by this token").status_code == 403
    assert titles(bob) == ["Staff may"]


@pytest.fixture
def hidden(monkeypatch: pytest.MonkeyPatch, bob: Any, charlie: Any) -> None:
    """Bob looks at a channel that only charlie may read."""
    look("testlog:a", "bob")
    monkeypatch.setattr(
        registry.kinds["testlog"], "readable", lambda readers, keys: {(r, k) for r in readers for k in keys if r.user == str(charlie.pk)}
    )
    monkeypatch.setattr(registry.kinds["testlog"], "resolve", lambda name: None if name == "none" else name)


@pytest.mark.parametrize("call", ["notifications", "broadcasts"])
def test_over_the_api_a_channel_that_one_may_not_read_is_as_one_that_is_not_there(
    hidden: None, api_of: Callable[..., Any], alice: Any, bob: Any, call: str
) -> None:
    api = api_of(alice)
    refused, missing = (api.post(call, {"audience": f"watching:testlog:{key}", "title": "x"}) for key in ("a", "none"))
    assert (refused.status_code, refused.content) == (missing.status_code, missing.content)
    assert (refused.status_code, json.loads(refused.content)["code"]) == (404, "not_found")
    assert not Notification.objects.exists()


@pytest.mark.parametrize("field", ["names", "without"])
def test_the_console_neither_counts_nor_tells_who_looks_at_what_one_may_not_read(
    hidden: None, browser_of: Callable[[Any], Any], alice: Any, field: str
) -> None:
    browser = browser_of(alice)
    said = {"title": "x", "priority": "2", "audience": "names", "names": "alice, bob"}
    shown = [
        browser.post(f"{CONSOLE}{page}", said | {field: f"watching:testlog:{key}"}).content.decode()
        for page in ("count/", "")
        for key in ("a", "none")
    ]
    for page in shown:
        assert "that you may read" in page
        assert "num count" not in page and "Send to " not in page
    assert shown[0] == shown[1]
    assert not Notification.objects.exists()


def test_a_planned_broadcast_asks_again_whether_its_sender_may_read_the_channel(
    alice: Any, bob: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    look("testlog:a", "bob")
    at = timezone.now() + timedelta(hours=1)
    made = broadcasts.broadcast("watching:testlog:a", title="Later", send_at=at, sender=alice)
    row = broadcasts.recur("watching:testlog:a", "0 * * * *", title="Again", sender=alice)
    monkeypatch.setattr(registry.kinds["testlog"], "readable", lambda readers, keys: set())
    broadcasts.work_off_due(now=at)
    made.refresh_from_db()
    assert (made.state, made.reason) == ("cancelled", sending.NO_CHANNEL)
    assert row.next_at is not None
    broadcasts.work_off_recurring(row.next_at)
    row.refresh_from_db()
    assert "that you may read" in row.reason
    assert titles(bob) == []


def test_the_page_of_it_says_why(browser_of: Callable[[Any], Any], bob: Any) -> None:
    look("testlog:a", "bob")
    sent = actions.notify("watching:testlog:a", title="Here")
    assert "it went to whoever was looking at testlog:a" in browser_of(bob).get(f"/inbox/{sent.id}/").content.decode()
