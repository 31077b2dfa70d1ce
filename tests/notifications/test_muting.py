"""The button that mutes a room or board where she looks at it: undoable, and right on all of her pages."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from dashboard.actions import save_dashboard
from dashboard.models import Access, Dashboard
from notifications import actions
from notifications.models import Mute
from notifications.rooms.actions import open_room
from notifications.rooms.models import Membership, Room
from notifications.rooms.people import Person
from tests.notifications.conftest import shown

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
BrowserOf = Callable[[Any], Client]


@pytest.fixture
def room(alice: Any, bob: Any) -> Room:
    made = open_room("club", title="Club", access=Room.Access.MEMBERS, owner=Person.of_user(alice))
    Membership.objects.create(room=made, user=bob)
    return made


@pytest.fixture
def board(alice: Any) -> Dashboard:
    return save_dashboard(Dashboard(slug="ops", title="Ops", access=Access.MEMBERS, owner=alice))


def button(page: str) -> str:
    found = re.search(r'<button[^>]* id="mute-.*?</button>', page, re.DOTALL)
    return found[0] if found else ""


def is_pressed(page: str) -> bool:
    return 'aria-pressed="true"' in button(page)


def press(browser: Client, channel: str, level: str, **more: str) -> str:
    answer = browser.post("/preferences/mute/", {"channel": channel, "level": level, **more}, headers=HTMX)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize("address", ["/rooms/club/", "/dashboards/ops/"])
def test_one_press_mutes_and_the_page_opened_earlier_becomes_the_page_opened_now(
    address: str, bob: Any, room: Room, board: Dashboard, browser_of: BrowserOf
) -> None:
    browser, channel = browser_of(bob), room.channel if "rooms" in address else board.channel
    old = browser.get(address).content.decode()
    assert button(old) and not is_pressed(old)
    answer = press(browser, channel, "nothing")
    assert Mute.objects.values_list("user", "channel", "level").get() == (bob.pk, channel, "nothing")
    now = browser.get(address).content.decode()
    (pushed,) = shown(f"user:{bob.pk}", bob)
    assert is_pressed(now) and button(pushed) == button(now) == button(answer)


def test_undo_brings_back_what_stood_before(bob: Any, room: Room, browser_of: BrowserOf) -> None:
    browser = browser_of(bob)
    actions.mute(bob, "room:club", "mentions")
    answer = press(browser, room.channel, "nothing")
    was = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]+)">', answer))
    assert was == {"channel": room.channel, "level": "mentions", "do": "undo"}
    undone = press(browser, **was)
    assert Mute.objects.get().level == "mentions" and 'id="undone"' in undone and is_pressed(undone)


def test_pressed_again_she_hears_of_all_of_it(bob: Any, room: Room, browser_of: BrowserOf) -> None:
    browser = browser_of(bob)
    press(browser, room.channel, "nothing")
    assert not is_pressed(press(browser, room.channel, "everything")) and not Mute.objects.exists()


def test_a_region_fetched_anew_says_how_it_stands(bob: Any, room: Room, browser_of: BrowserOf) -> None:
    browser = browser_of(bob)
    actions.mute(bob, "room:club", "nothing")
    assert is_pressed(browser.get("/preferences/muted/", {"channel": room.channel}).content.decode())


def test_the_owner_may_and_a_stranger_is_refused_and_is_told_nothing(alice: Any, charlie: Any, room: Room, browser_of: BrowserOf) -> None:
    press(browser_of(alice), room.channel, "nothing")
    stranger = browser_of(charlie)
    assert stranger.post("/preferences/mute/", {"channel": room.channel, "level": "nothing"}, headers=HTMX).status_code == 422
    answers = [stranger.get("/preferences/muted/", {"channel": channel}) for channel in (room.channel, "room:999", "user:1", "x\0", "")]
    assert {answer.status_code for answer in answers} == {404}
    assert Mute.objects.get().user == alice


def test_a_guest_and_a_screen_on_the_wall_have_no_button(alice: Any, board: Dashboard, browser_of: BrowserOf) -> None:
    open_room("lobby", title="Lobby", access=Room.Access.GUESTS, owner=Person.of_user(alice))
    assert not button(browser_of(None).get("/rooms/lobby/").content.decode())
    assert not button(browser_of(alice).get("/dashboards/ops/", {"kiosk": "1"}).content.decode())


def test_a_level_that_is_none_changes_nothing(bob: Any, room: Room, browser_of: BrowserOf) -> None:
    bad = browser_of(bob).post("/preferences/mute/", {"channel": room.channel, "level": "some"}, headers=HTMX)
    assert bad.status_code == 422 and not Mute.objects.exists() and shown(f"user:{bob.pk}", bob) == []
