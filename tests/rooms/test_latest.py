"""A room's newest messages as a region for pages of other apps: for the owner, a member, a stranger and a guest."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from core.delivery.channel import registry
from notifications.rooms import latest
from notifications.rooms.models import Room
from tests.rooms.conftest import number_all

pytestmark = pytest.mark.django_db

BrowserOf = Callable[[Any], Client]


def test_who_may_read_the_room_gets_its_newest_messages_and_nobody_else_learns_of_it(
    club: Room, hall: Room, lobby: Room, alice: Any, bob: Any, charlie: Any, browser_of: BrowserOf
) -> None:
    people = {"owner": alice, "member": bob, "stranger": charlie, "guest": None}
    seen = {
        slug: {name: browser_of(user).get(f"/rooms/{slug}/latest/").status_code for name, user in people.items()}
        for slug in ("club", "hall", "lobby", "nowhere")
    }
    assert seen["club"] == {"owner": 200, "member": 200, "stranger": 404, "guest": 404}
    assert seen["hall"] == {"owner": 200, "member": 200, "stranger": 200, "guest": 404}
    assert set(seen["lobby"].values()) == {200}
    assert set(seen["nowhere"].values()) == {404}
    assert browser_of(alice).post("/rooms/club/latest/").status_code == 405


def test_it_is_a_live_region_that_shows_the_newest_oldest_first(club: Room, alice: Any, say: Any, browser_of: BrowserOf) -> None:
    for number in range(latest.SHOWN + 5):
        say(club, alice, f"number {number}.")
    number_all()
    text = browser_of(alice).get("/rooms/club/latest/").content.decode()
    assert f'data-channel="{club.channel}"' in text
    assert 'data-refetch="/rooms/club/latest/"' in text
    assert "number 4." not in text
    assert text.index("number 5.") < text.index(f"number {latest.SHOWN + 4}.")


def test_the_same_push_reaches_the_room_s_own_page_and_the_region(club: Room, alice: Any, browser_of: BrowserOf) -> None:
    target = f'data-newest="{club.pk}"'
    assert browser_of(alice).get("/rooms/club/").content.decode().count(target) == 1
    assert browser_of(alice).get("/rooms/club/latest/").content.decode().count(target) == 1
    assert registry.kinds["room"].panel.format(name="club") == "/rooms/club/latest/"


def test_its_queries_do_not_grow_with_the_messages(
    club: Room, alice: Any, say: Any, browser_of: BrowserOf, django_assert_max_num_queries: Any
) -> None:
    for number in range(15):
        say(club, alice, f"number {number}")
    number_all()
    browser = browser_of(alice)
    browser.get("/rooms/club/latest/")
    with django_assert_max_num_queries(9):
        browser.get("/rooms/club/latest/")
