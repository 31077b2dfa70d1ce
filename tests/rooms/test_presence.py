"""Who is there, and who is typing: people, marked guests, strangers."""

from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import Client

from notifications.rooms.kinds import TYPING, RoomKind, present
from notifications.rooms.models import Room
from notifications.rooms.people import Person, guest_cookie_name, guest_ticket
from tests.support.live import live_client

BrowserOf = Callable[[Any], Client]
GUEST = Person("guest:0a1b2c3d", "guest-1234")
COOKIE = f"{guest_cookie_name()}={guest_ticket(GUEST)}"


@pytest.fixture(autouse=True)
def rested_typists() -> None:
    TYPING.forget()


@pytest.mark.django_db(transaction=True)
async def test_who_comes_and_who_types_is_shown_to_those_there_with_guests_marked(
    lobby: Room, bob: Any, cookies_of: Any, running_hub: None
) -> None:
    about = f"presence:room.{lobby.pk}"
    async with live_client(cookies=await sync_to_async(cookies_of)(bob)) as person, live_client(cookies=COOKIE) as guest:
        for client in (person, guest):
            client.positions |= {lobby.channel: "0:0", about: "0:0"}
            await client.resume()
        shown = await person.texts_until(about, present(GUEST.handle))
        assert ">guest<" in shown
        assert present("bob") in shown
        guest.say({"do": "typing", "channel": lobby.channel})
        await person.until(lambda me: any("#typing" in frame.get("html", "") and "guest-1234" in frame["html"] for frame in me.frames))
        assert not any("0a1b2c3d" in str(frame) for frame in person.frames if frame.get("channel") == lobby.channel)


@pytest.mark.django_db(transaction=True)
async def test_nobody_types_where_she_may_not_read(club: Room, charlie: Any, cookies_of: Any, running_hub: None) -> None:
    async with live_client(cookies=await sync_to_async(cookies_of)(charlie)) as stranger:
        stranger.positions |= {club.channel: "0:0", f"presence:room.{club.pk}": "0:0"}
        assert set((await stranger.resume())["refused"]) == set(stranger.positions)
        stranger.say({"id": 3, "do": "typing", "channel": club.channel})
        assert (await stranger.reply_to(3))["error"]["code"] == "not_subscribed"


@pytest.mark.django_db
def test_the_list_of_people_is_for_who_reads_the_room(club: Room, alice: Any, bob: Any, charlie: Any, browser_of: BrowserOf) -> None:
    assert [browser_of(user).get("/rooms/club/people/").status_code for user in (alice, bob, charlie, None)] == [200, 200, 404, 404]


def test_no_guest_can_pass_for_a_user_and_a_hostile_name_is_text() -> None:
    assert present(Person("guest:1", "alice").handle) != present("alice")
    assert "<img" not in present("<img src=x onerror=alert(1)>")


def test_who_leaves_is_taken_from_the_list_by_the_same_id() -> None:
    id = present("bob").split('"')[1]
    assert RoomKind().render_presence("bob", "1", here=False) == f'<hx-partial hx-target="#{id}" hx-swap="delete"></hx-partial>'
