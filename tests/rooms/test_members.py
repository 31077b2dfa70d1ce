"""The list of members follows what happens, on the page and by pushes, the same for everybody."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from core.delivery.history import as_event
from core.models import Event
from notifications.rooms.kinds import RoomKind, member
from notifications.rooms.models import Room
from notifications.rooms.people import Person
from notifications.rooms.running import actions
from tests.rooms.conftest import number_all

BrowserOf = Callable[[Any], Client]
pytestmark = pytest.mark.django_db


def pushes(room: Room) -> list[str]:
    number_all()
    rows = Event.objects.filter(channel=room.channel, type="member").order_by("offset")
    return [RoomKind().render(as_event(row), str(room.pk)) for row in rows]


def test_coming_going_and_roles_are_pushed(hall: Room, alice: Any, bob: Any, charlie: Any) -> None:
    key = f"user:{bob.pk}"
    for _ in range(2):
        actions.join(hall, Person.of_user(bob))
    actions.set_role(hall, user_id=bob.pk, role="moderator")
    actions.leave(hall, user_id=bob.pk)
    actions.invite(hall, username="charlie")
    actions.ban(hall, who=f"user:{charlie.pk}", name="charlie")
    came, promoted, left, invited, banned = pushes(hall)
    assert came == f'<hx-upsert hx-target="#members">{member(key, "bob", "member")}</hx-upsert>'
    assert "Moderator" in promoted
    id = came.split('id="')[1].split('"')[0]
    assert left == f'<hx-partial hx-target="#{id}" hx-swap="delete"></hx-partial>'
    assert "charlie" in invited
    assert 'hx-swap="delete"' in banned


def test_the_page_shows_what_the_pushes_show(club: Room, alice: Any, bob: Any, browser_of: BrowserOf) -> None:
    page = browser_of(bob).get("/rooms/club/").content.decode()
    for user, role in ((alice, "owner"), (bob, "member")):
        assert member(f"user:{user.pk}", user.username, role) in page
    region = browser_of(bob).get("/rooms/club/members/").content.decode().strip()
    assert region in page
    assert f'data-channel="{club.channel}"' in region


def test_the_list_of_members_is_for_who_reads_the_room(club: Room, alice: Any, bob: Any, charlie: Any, browser_of: BrowserOf) -> None:
    assert [browser_of(user).get("/rooms/club/members/").status_code for user in (alice, bob, charlie, None)] == [200, 200, 404, 404]


def test_a_hostile_name_of_a_member_is_text() -> None:
    assert "<img" not in member("user:1", "<img src=x onerror=alert(1)>", "member")
