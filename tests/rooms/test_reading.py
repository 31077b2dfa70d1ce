"""How far people have read: counted, shown on all their pages, told to nobody else."""

from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import Client

from core.delivery.channel import Reader
from core.models import Event, Presence
from notifications.rooms import actions, directory, listing, reading
from notifications.rooms.kinds import NewsKind, ReadingKind
from notifications.rooms.models import Membership, Room
from notifications.rooms.people import Person
from notifications.rooms.running import actions as running
from tests.rooms.conftest import number_all
from tests.support.live import live_client

BrowserOf = Callable[[Any], Client]
pytestmark = pytest.mark.django_db


def unread(user: Any) -> dict[str, int]:
    return {room.slug: room.unread for room in listing.listed(Person.of_user(user))}


def test_what_others_said_since_counts_and_neither_ones_own_nor_what_was_deleted(
    club: Room, hall: Room, alice: Any, bob: Any, charlie: Any, say: Any
) -> None:
    gone = say(club, alice, "deleted")
    for text in ("one", "two"):
        say(club, alice, text)
    say(club, bob, "mine")
    say(hall, alice, "bob is no member here")
    actions.delete_message(club, message_id=gone.pk, by=Person.of_user(alice))
    assert unread(bob) == {"club": 2, "hall": 0}
    assert unread(alice) == {"club": 1, "hall": 0}
    assert unread(charlie) == {"hall": 0}


def test_counting_ends_at_a_hundred(club: Room, alice: Any, bob: Any) -> None:
    for number in range(reading.MOST + 5):
        actions.post_message(club, author=Person.of_user(alice), text=f"m{number}")
    number_all()
    assert unread(bob)["club"] == reading.MOST == reading.unread(club, bob.pk, after=0)


def test_positions_grow_only_and_not_beyond_the_newest_and_are_members_only(
    club: Room, alice: Any, bob: Any, charlie: Any, say: Any
) -> None:
    for number in range(3):
        say(club, alice, f"m{number}")

    def told(user: Any, *offsets: int) -> int | None:
        reading.mark_read(str(club.pk), str(user.pk), offsets)
        return reading.position(club, user.pk)

    assert [told(bob, 2), told(bob, 1), told(bob, 10**17)] == [2, 2, 3]
    assert told(charlie, 2) is None
    assert not reading.mark_read("999", str(bob.pk), [1])
    number_all()
    kept = Event.objects.filter(channel=f"reading:{bob.pk}")
    assert [event.data for event in kept] == ['{"offset":3}']
    assert not Event.objects.filter(channel=f"reading:{charlie.pk}").exists()


def test_who_comes_new_has_read_what_was_said_before(hall: Room, alice: Any, bob: Any, charlie: Any, say: Any) -> None:
    say(hall, alice, "long ago")
    running.join(hall, Person.of_user(bob))
    running.invite(hall, username="charlie")
    assert list(Membership.objects.filter(user__in=[bob, charlie]).values_list("last_read", flat=True)) == [1, 1]


def test_how_far_one_has_read_is_read_by_oneself_only(alice: Any, bob: Any) -> None:
    readers = [Reader(user=str(alice.pk)), Reader(user=str(bob.pk)), Reader(guest="guest-1~a")]
    assert ReadingKind().readable(readers, [str(alice.pk)]) == {(readers[0], str(alice.pk))}


def test_news_of_a_room_go_where_the_room_goes_and_say_nothing(
    lobby: Room, club: Room, alice: Any, bob: Any, charlie: Any, say: Any
) -> None:
    readers = {"bob": Reader(user=str(bob.pk)), "charlie": Reader(user=str(charlie.pk)), "guest": Reader(guest="guest-1~a")}
    allowed = NewsKind().readable(list(readers.values()), [str(lobby.pk), str(club.pk), "x"])
    assert {name for name, reader in readers.items() if (reader, str(club.pk)) in allowed} == {"bob"}
    assert {name for name, reader in readers.items() if (reader, str(lobby.pk)) in allowed} == set(readers)
    message = say(club, alice, "a secret")
    assert Event.objects.get(channel=club.news_channel).data == f'{{"message":{message.pk}}}'


def test_the_page_leads_to_the_first_unread_message(
    club: Room, alice: Any, bob: Any, charlie: Any, browser_of: BrowserOf, say: Any
) -> None:
    for number in range(60):
        say(club, alice, f"m{number}.")
    Membership.objects.filter(user=bob).update(last_read=4)
    page = browser_of(bob).get("/rooms/club/").content.decode()
    assert 'href="/rooms/club/?after=4"' in page
    assert "56 new: jump to the first" in page
    there = browser_of(bob).get("/rooms/club/?after=4").content.decode()
    assert "m4." in there and "m53." in there and "m54." not in there and "m3." not in there
    assert 'href="/rooms/club/?after=54"' in there
    assert 'id="composer"' not in there
    assert 'id="messages"' not in there
    assert [browser_of(user).get("/rooms/club/read/").status_code for user in (alice, bob, charlie, None)] == [200, 200, 404, 404]


def test_who_only_passes_through_has_no_read_position(hall: Room, lobby: Room, bob: Any, browser_of: BrowserOf) -> None:
    for user, path in ((bob, "/rooms/hall/"), (None, "/rooms/lobby/")):
        assert 'id="jump"' not in browser_of(user).get(path).content.decode()
        assert browser_of(user).get(f"{path}read/").status_code == 404


def test_the_directory_tells_who_is_there_and_what_is_unread(
    club: Room, alice: Any, bob: Any, browser_of: BrowserOf, say: Any, django_user_model: Any
) -> None:
    from core.delivery import presence

    say(club, alice, "hello")
    presence.refresh("p1")
    people = ["alice", "guest-1234~ab", "carol", "dave", "erin"]
    Presence.objects.bulk_create([Presence(process_id="p1", channel=club.channel, who=who, tabs=1) for who in people])
    page = browser_of(bob).get("/rooms/").content.decode()
    assert "<bdi>alice</bdi>, <bdi>carol</bdi>, <bdi>dave</bdi> and 2 more" in page
    assert '>1<span class="sr"> unread</span>' in page
    assert f'data-channel="news:{club.pk}"' in page


def test_the_directory_follows_no_more_rooms_than_a_connection_takes(alice: Any, browser_of: BrowserOf) -> None:
    for number in range(directory.LIVE + 5):
        actions.open_room(f"room-{number}", title="x", access=Room.Access.PUBLIC, owner=Person.of_user(alice))
    page = browser_of(alice).get("/rooms/").content.decode()
    assert page.count('data-channel="news:') == directory.LIVE
    assert page.count("data-channel=") < 128


@pytest.mark.django_db(transaction=True)
async def test_reading_on_one_device_is_known_on_the_others_and_a_list_makes_nobody_present(
    club: Room, alice: Any, bob: Any, cookies_of: Any, running_hub: None
) -> None:
    cookies = await sync_to_async(cookies_of)(bob)
    own, news = f"reading:{bob.pk}", club.news_channel
    async with live_client(cookies=cookies) as room, live_client(cookies=cookies) as list_page:
        room.positions |= {club.channel: "0:0", own: "0:0"}
        list_page.positions |= {news: "0:0", own: "0:0", f"presence:room.{club.pk}": "0:0"}
        for client in (room, list_page):
            assert not (await client.resume()).get("refused")
        message = await sync_to_async(actions.post_message)(club, author=await sync_to_async(Person.of_user)(alice), text="hello")
        await room.texts_until(club.channel, "hello")
        await list_page.texts_until(news, f'value="{message.pk}"')
        room.say({"do": "seen", "channel": club.channel, "items": ["1", "x", "-1"]})
        await list_page.texts_until(own, f'id="read-{club.pk}" value="1"')
    assert (await Membership.objects.aget(room=club, user=bob)).last_read == 1


@pytest.mark.django_db(transaction=True)
async def test_a_guests_page_that_says_it_has_read_changes_nothing(lobby: Room, alice: Any, running_hub: None) -> None:
    async with live_client() as guest:
        guest.positions[lobby.channel] = "0:0"
        await guest.resume()
        guest.say({"do": "seen", "channel": lobby.channel, "items": ["1"]})
        guest.say({"id": 1, "do": "subscribe", "at": {lobby.channel: guest.positions[lobby.channel]}})
        await guest.reply_to(1)
    assert not await Event.objects.filter(channel__startswith="reading:").aexists()
