"""Pause, resume, cancel, withdraw: by Python, over the API, and from the console; nobody twice, nobody missed, nobody afterwards."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from notifications import policy
from notifications.actions import broadcast
from notifications.broadcasts import actions as broadcasts
from notifications.errors import WrongState
from notifications.kinds import progress_html
from notifications.models import Broadcast, InboxItem
from tests.notifications.conftest import carried, newest_event, titles

pytestmark = pytest.mark.django_db
User = get_user_model()
Browser = Callable[[Any], Client]
CONSOLE = "/admin/signalbox_notifications/broadcast"


@pytest.fixture
def made(alice: Any) -> Broadcast:
    """One to 26 people, of whom ten have their rows."""
    User.objects.bulk_create(User(username=f"u{n:03}") for n in range(25))
    sent = broadcast("all", title="Maintenance", sender=alice)
    assert broadcasts.write_chunk(sent.pk, size=10)
    return sent


def rows(made: Broadcast) -> int:
    return InboxItem.objects.filter(notification=made.notification_id).count()


def test_a_paused_one_writes_no_more_and_a_resumed_one_reaches_everybody_once(made: Broadcast) -> None:
    broadcasts.pause(made)
    broadcasts.work_off_due()
    assert (rows(made), Broadcast.objects.get().state) == (10, "paused")
    assert broadcasts.resume(made).state == "sending"
    broadcasts.work_off_due()
    done = Broadcast.objects.get()
    assert (rows(made), done.state, done.written) == (26, "done", 26)


def test_a_cancelled_one_reaches_nobody_else_and_leaves_nobody(made: Broadcast) -> None:
    before = newest_event()
    broadcasts.cancel(made)
    broadcasts.work_off_due()
    assert (rows(made), Broadcast.objects.get().state) == (10, "cancelled")
    assert carried("audience:all", after=before) == []


@pytest.mark.parametrize("first", [lambda made: None, broadcasts.pause, broadcasts.cancel, lambda made: broadcasts.work_off_due()])
def test_a_withdrawn_one_leaves_screens_and_inboxes_once(made: Broadcast, first: Callable[..., Any], alice: Any) -> None:
    first(made)
    before = newest_event()
    for _ in range(2):
        broadcasts.cancel(made, withdraw=True)
    broadcasts.work_off_due()
    assert [event.type for event in carried("audience:all", after=before)] == ["broadcast.gone"]
    assert titles(alice) == []


def test_a_planned_one_may_be_paused_past_its_time_and_cancelled(alice: Any, bob: Any) -> None:
    at = timezone.now() + timedelta(hours=1)
    one, other = (broadcast("all", title=title, send_at=at) for title in ("One", "Other"))
    broadcasts.pause(one)
    broadcasts.cancel(other, withdraw=True)
    broadcasts.work_off_due(now=at + timedelta(minutes=1))
    assert titles(bob) == []
    assert carried("audience:all") == []
    assert broadcasts.resume(one).state == "scheduled"
    broadcasts.work_off_due(now=at + timedelta(minutes=2))
    assert titles(bob) == ["One"]


def test_what_makes_no_sense_is_refused_and_says_when_it_would(made: Broadcast) -> None:
    with pytest.raises(WrongState) as caught:
        broadcasts.resume(made)
    assert caught.value.allowed == ["paused"]
    broadcasts.work_off_due()
    for act in (broadcasts.pause, broadcasts.cancel):
        with pytest.raises(WrongState):
            act(made)


def test_who_sees_a_stopped_one_on_her_screen_may_still_open_it(made: Broadcast, browser_of: Browser) -> None:
    last = User.objects.order_by("-pk").first()
    broadcasts.cancel(made)
    assert browser_of(last).get(f"/inbox/{made.notification_id}/").status_code == 200
    late = User.objects.create_user("late")
    assert browser_of(late).get(f"/inbox/{made.notification_id}/").status_code == 404
    broadcasts.cancel(made, withdraw=True)
    assert browser_of(last).get(f"/inbox/{made.notification_id}/").status_code == 404


# Over the API


def test_it_is_steered_over_the_api(made: Broadcast, alice: Any, api_of: Callable[..., Any]) -> None:
    api, seen = api_of(alice), []
    for call, body in (("pause", b""), ("resume", b""), ("cancel", {"withdraw": True})):
        answer = api.post(f"broadcasts/{made.pk}/{call}", body)
        assert answer.status_code == 200, answer.content
        seen.append(json.loads(answer.content)["state"])
    assert seen == ["paused", "sending", "cancelled"]
    assert api.post(f"broadcasts/{made.pk}/cancel").status_code == 409
    assert titles(alice) == []


@pytest.mark.parametrize("call", ["pause", "resume", "cancel"])
def test_the_api_refuses_who_may_not_and_what_is_not_there(
    made: Broadcast, alice: Any, bob: Any, api_of: Callable[..., Any], call: str
) -> None:
    assert api_of(bob).post(f"broadcasts/{made.pk}/{call}").status_code == 403
    assert api_of(alice, "notify:*").post(f"broadcasts/{made.pk}/{call}").status_code == 403
    assert api_of(alice).post(f"broadcasts/999999/{call}").status_code == 404
    assert api_of(alice).post(f"broadcasts/{made.pk}/cancel", {"withdraw": "maybe"}).status_code == 422
    assert Broadcast.objects.get().state == "sending"


# From the console


def test_the_console_steers_and_its_history_tells_who_did(made: Broadcast, alice: Any, browser_of: Browser) -> None:
    browser = browser_of(alice)
    page = browser.get(f"{CONSOLE}/{made.pk}/progress/").content.decode()
    assert f'hx-post="{CONSOLE}/{made.pk}/steer/pause/"' in page
    assert "data-live-pause" in page  # figures that change five times a second can be held
    for verb, state in (("pause", "Paused"), ("resume", "Sending"), ("cancel", "Cancelled"), ("withdraw", "Cancelled")):
        answer = browser.post(f"{CONSOLE}/{made.pk}/steer/{verb}/", headers={"HX-Request": "true"}).content.decode()
        assert f">{state}</span>" in answer
    trail = list(LogEntry.objects.filter(object_id=str(made.pk)).order_by("pk").values_list("user__username", "change_message"))
    assert trail == [
        ("alice", "Sent to all: 26 people."),
        ("alice", "Paused."),
        ("alice", "Resumed."),
        ("alice", "Cancelled."),
        ("alice", "Cancelled and withdrawn."),
    ]


def test_the_console_steers_for_nobody_else(made: Broadcast, bob: Any, charlie: Any, alice: Any, browser_of: Browser) -> None:
    address = f"{CONSOLE}/{made.pk}/steer/cancel/"
    User.objects.filter(pk=bob.pk).update(is_staff=True)
    bob.refresh_from_db()
    assert not policy.may_broadcast(bob)
    assert browser_of(bob).post(address).status_code == 403
    assert browser_of(charlie).post(address).status_code == 302  # to the admin's own sign-in
    assert browser_of(None).post(address).status_code == 302
    assert browser_of(alice).get(address).status_code == 405
    for wrong in (f"{CONSOLE}/{made.pk}/steer/x/", f"{CONSOLE}/999999/steer/cancel/", f"{CONSOLE}/{2**70}/steer/cancel/"):
        assert browser_of(alice).post(wrong).status_code == 404
    assert Broadcast.objects.get().state == "sending"


def test_its_pages_take_as_many_queries_for_a_long_one_as_for_a_short_one(
    made: Broadcast, alice: Any, browser_of: Browser, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    browser, pages = browser_of(alice), (f"{CONSOLE}/{made.pk}/progress/", f"{CONSOLE}/")
    Broadcast.objects.exclude(pk=made.pk).delete()
    few = []
    for _ in range(2):  # the second time: what is remembered from then on
        few = [_queries(browser, page) for page in pages]
    for n in range(12):
        broadcasts.write_chunk(made.pk, size=1)
        steward = User.objects.create_user(f"steward {n}")
        broadcasts.pause(made, by=steward)
        broadcasts.resume(made, by=steward)
        broadcast("all", title=f"Another {n}", sender=steward)
    assert made.chunks.count() == 13 and LogEntry.objects.filter(object_id=str(made.pk)).count() == 25
    for page, queries in zip(pages, few, strict=True):
        with django_assert_num_queries(queries):
            browser.get(page)
        assert queries <= 15


def _queries(browser: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert browser.get(address).status_code == 200
    return len(queries)


def test_every_state_has_the_buttons_that_make_sense_in_it() -> None:
    made = {state: progress_html(7, {"state": state, "total": 2, "written": 1}) for state in dict(Broadcast.STATES)}
    assert "steer/resume/" in made["paused"]
    assert "steer/pause/" in made["sending"]
    assert "steer/pause/" not in made["done"]
    assert all("steer/withdraw/" in made[state] for state in ("sending", "paused", "done", "cancelled"))
