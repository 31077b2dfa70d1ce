"""Running a room: settings, members, mutes and bans, as owner, moderator, member, banned, stranger and guest."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import Client
from django.utils import timezone

from notifications.rooms import actions as talking
from notifications.rooms import pace
from notifications.rooms.models import Membership, Message, Restriction, Room
from notifications.rooms.people import Person, guest_cookie_name, guest_ticket
from notifications.rooms.running import actions
from tests.support.live import live_client

pytestmark = pytest.mark.django_db
BrowserOf = Callable[[Any], Client]
PATH = "/rooms/club/settings/"


def post(browser: Client, room: Room, **given: Any) -> int:
    return browser.post(f"/rooms/{room.slug}/messages/", {"text": "hello"} | given).status_code


def test_settings_are_for_owners_and_moderators(club: Room, alice: Any, bob: Any, charlie: Any, browser_of: BrowserOf) -> None:
    assert [browser_of(user).get(PATH).status_code for user in (alice, bob, charlie, None)] == [200, 404, 404, 404]
    assert [browser_of(user).post(PATH, {"do": "archive"}).status_code for user in (bob, charlie, None)] == [404] * 3
    actions.set_role(club, user_id=bob.pk, role="moderator")
    assert browser_of(bob).get(PATH).status_code == 200
    forbidden = [{"do": "archive"}, {"do": "settle", "title": "x"}, {"do": "role", "member": 1, "role": "owner"}]
    assert [browser_of(bob).post(PATH, given).status_code for given in forbidden] == [404] * 3


def test_an_owner_renames_opens_archives_and_reopens(club: Room, alice: Any, browser_of: BrowserOf) -> None:
    browser = browser_of(alice)
    given = {"do": "settle", "title": "The club", "access": "guests", "slow_seconds": 5, "keep_days": 30}
    assert browser.post(PATH, given).status_code == 302
    club.refresh_from_db()
    assert (club.title, club.access, club.slow_seconds, club.keep_days) == ("The club", "guests", 5, 30)
    browser.post(PATH, {"do": "archive"})
    assert post(browser, club) == 403
    browser.post(PATH, {"do": "reopen"})
    assert post(browser, club) == 302


@pytest.mark.parametrize(
    "given", [{"title": "\0"}, {"title": ""}, {"access": "x"}, {"slow_seconds": -1}, {"slow_seconds": "9" * 30}, {"keep_days": "x"}]
)
def test_bad_settings_change_nothing(club: Room, alice: Any, browser_of: BrowserOf, given: dict[str, Any]) -> None:
    good = {"do": "settle", "title": "Other", "access": "public", "slow_seconds": 0, "keep_days": 0}
    assert browser_of(alice).post(PATH, good | given).status_code == 422
    club.refresh_from_db()
    assert (club.title, club.access) == ("Club", "members")


def test_who_is_invited_comes_in_and_who_leaves_is_out(club: Room, alice: Any, charlie: Any, browser_of: BrowserOf) -> None:
    browser_of(alice).post(PATH, {"do": "invite", "username": "charlie"})
    browser = browser_of(charlie)
    assert browser.get("/rooms/club/").status_code == 200
    assert browser.post("/rooms/club/membership/", {"do": "leave"}).status_code == 302
    assert browser.get("/rooms/club/").status_code == 404
    assert post(browser, club) == 404


@pytest.mark.parametrize("name", ["", "nobody", "\0", "x" * 10_000])
def test_nobody_cannot_be_invited(club: Room, alice: Any, browser_of: BrowserOf, name: str) -> None:
    assert browser_of(alice).post(PATH, {"do": "invite", "username": name}).status_code == 422


def test_a_room_keeps_its_last_owner(club: Room, alice: Any, bob: Any, browser_of: BrowserOf) -> None:
    assert browser_of(alice).post("/rooms/club/membership/", {"do": "leave"}).status_code == 422
    with pytest.raises(actions.NotPossible):
        actions.set_role(club, user_id=alice.pk, role="member")
    actions.set_role(club, user_id=bob.pk, role="owner")
    actions.leave(club, user_id=alice.pk)
    assert Membership.objects.get().user == bob


def test_a_public_room_is_joined_and_a_closed_one_is_not(hall: Room, club: Room, charlie: Any, browser_of: BrowserOf) -> None:
    paths = [f"/rooms/{slug}/membership/" for slug in ("hall", "club")]
    assert [browser_of(charlie).post(path, {"do": "join"}).status_code for path in paths] == [302, 404]
    assert Membership.objects.get(user=charlie).room == hall


def test_who_is_muted_reads_and_does_not_write(lobby: Room, alice: Any, bob: Any, browser_of: BrowserOf, say: Any) -> None:
    message = say(lobby, bob, "one")
    browser_of(alice).post("/rooms/lobby/settings/", {"do": "mute", "message": message.pk})
    browser = browser_of(bob)
    assert browser.get("/rooms/lobby/").status_code == 200
    assert post(browser, lobby) == 403
    assert browser.post(f"/rooms/lobby/messages/{message.pk}/", {"do": "edit", "text": "x"}).status_code == 403
    Restriction.objects.update(until=timezone.now() - timedelta(seconds=1))
    assert post(browser, lobby) == 302


def test_who_is_banned_does_not_find_the_room_and_comes_back_when_it_is_lifted(
    lobby: Room, alice: Any, bob: Any, browser_of: BrowserOf, say: Any
) -> None:
    message = say(lobby, bob, "one")
    browser_of(alice).post("/rooms/lobby/settings/", {"do": "ban", "message": message.pk})
    assert [browser_of(bob).get(path).status_code for path in ("/rooms/lobby/", "/rooms/lobby/messages/")] == [404, 404]
    assert post(browser_of(bob), lobby) == 404
    assert "/rooms/lobby/" not in browser_of(bob).get("/rooms/").content.decode()
    browser_of(alice).post("/rooms/lobby/settings/", {"do": "lift", "restriction": Restriction.objects.get().pk})
    assert browser_of(bob).get("/rooms/lobby/").status_code == 200


def test_a_banned_address_keeps_out_its_guests_and_nobody_signed_in(lobby: Room, alice: Any, bob: Any, browser_of: BrowserOf) -> None:
    guest = browser_of(None)
    assert post(guest, lobby) == 302
    browser_of(alice).post("/rooms/lobby/settings/", {"do": "ban_address", "message": Message.objects.get().pk})
    assert [browser_of(user).get("/rooms/lobby/").status_code for user in (None, bob)] == [404, 200]
    assert Client(REMOTE_ADDR="192.0.2.9").get("/rooms/lobby/").status_code == 200


def test_owners_cannot_be_sent_away_and_forged_names_mean_nobody(club: Room, alice: Any, bob: Any, browser_of: BrowserOf, say: Any) -> None:
    actions.set_role(club, user_id=bob.pk, role="moderator")
    message = say(club, alice, "one")
    assert browser_of(bob).post(PATH, {"do": "ban", "message": message.pk}).status_code == 422
    for forged in ({"who": f"user:{alice.pk}"}, {"message": "x"}, {"member": "9" * 30}, {"message": ""}, {}):
        assert browser_of(bob).post(PATH, {"do": "ban"} | forged).status_code == 404
    assert not Restriction.objects.exists()


def test_slow_mode_makes_people_wait_and_moderators_not(lobby: Room, alice: Any, bob: Any, browser_of: BrowserOf) -> None:
    Room.objects.update(slow_seconds=60)
    talker, owner = browser_of(bob), browser_of(alice)
    assert [post(talker, lobby), post(talker, lobby), post(owner, lobby), post(owner, lobby)] == [302, 429, 302, 302]
    assert int(talker.post("/rooms/lobby/messages/", {"text": "x"})["Retry-After"]) in range(50, 61)


def test_what_was_stored_is_answered_again_in_slow_mode_too(lobby: Room, bob: Any, browser_of: BrowserOf) -> None:
    Room.objects.update(slow_seconds=60)
    browser = browser_of(bob)
    assert [post(browser, lobby, client_id="c-1") for _ in range(3)] == [302, 302, 302]
    assert post(browser, lobby, client_id="c-2") == 429
    assert Message.objects.count() == 1


def test_guests_are_limited_harder_and_a_new_cookie_does_not_help_for_ever(
    lobby: Room, bob: Any, browser_of: BrowserOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    for rate in (pace.USERS, pace.GUESTS, pace.ADDRESSES):
        monkeypatch.setattr(rate, "clock", lambda: 0.0)
    guest, user = browser_of(None), browser_of(bob)
    assert [post(guest, lobby) for _ in range(11)].count(302) == 10
    assert [post(user, lobby) for _ in range(11)].count(302) == 11
    assert [post(browser_of(None), lobby) for _ in range(60)].count(429) == 10


def test_messages_are_kept_as_long_as_the_room_says(lobby: Room, hall: Room, alice: Any, say: Any) -> None:
    for room in (lobby, hall):
        say(room, alice, "old")
        say(room, alice, "new")
    Message.objects.filter(text="old").update(created_at=timezone.now() - timedelta(days=8))
    Room.objects.filter(pk=lobby.pk).update(keep_days=7)
    assert actions.forget_old() == 1
    assert [(message.room, message.text) for message in Message.objects.order_by("pk")] == [(lobby, "new"), (hall, "old"), (hall, "new")]


@pytest.mark.django_db(transaction=True)
async def test_who_is_removed_goes_silent_without_doing_anything(lobby: Room, bob: Any, cookies_of: Any, running_hub: None) -> None:
    guest = Person("guest:0a1b2c3d", "guest-1234")
    cookies = {"user": await sync_to_async(cookies_of)(bob), "guest": f"{guest_cookie_name()}={guest_ticket(guest)}"}
    keys = {"user": Person.of_user(bob), "guest": guest}
    for who, cookie in cookies.items():
        async with live_client(cookies=cookie) as gone, live_client() as other:
            for client in (gone, other):
                client.positions[lobby.channel] = "0:0"
                await client.resume()
            await sync_to_async(actions.remove)(lobby, who=keys[who].key, name=keys[who].name)
            await gone.until(lambda me: any(frame.get("signal") == "resync" for frame in me.frames))
            await sync_to_async(talking.post_message)(lobby, author=Person("guest:9", "guest-9999"), text=f"after {who}")
            await other.texts_until(lobby.channel, f"after {who}")
            assert f"after {who}" not in gone.texts(lobby.channel)
