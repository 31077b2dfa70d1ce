"""Names in messages: whom they mean, who is told of it by which level, and what becomes of it."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from core.delivery import presence
from core.models import Presence
from notifications.models import InboxItem, Notification
from notifications.rooms import actions, marks, reading
from notifications.rooms.models import Membership, Restriction, Room
from notifications.rooms.people import Person
from notifications.rooms.text import to_html
from tests.rooms.conftest import number_all
from tests.rooms.test_text import HOSTILE

BrowserOf = Callable[[Any], Client]
pytestmark = pytest.mark.django_db


def told(user: Any) -> list[str]:
    """The titles that somebody's inbox shows."""
    items = InboxItem.objects.filter(user=user, notification__withdrawn_at=None).order_by("pk")
    return list(items.values_list("notification__title", flat=True))


def level(room: Room, user: Any, what: str) -> None:
    Membership.objects.update_or_create(room=room, user=user, defaults={"level": what})


# --- finding names ---


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("hello @alice", ["alice"]),
        ("@alice, @bob. and (@carol)", ["alice", "bob.", "bob", "carol"]),
        ("*@alice*", ["alice"]),
        ("mail alice@example.org or see https://x.example/@alice", []),
        ("`@alice` and\n```\n@bob\n```", []),
        ("[@alice](https://x.example)", []),
        ("@a@b.example", ["a@b.example", "a"]),
        ("@@alice @ alice @", []),
        ("@älice", ["älice"]),
    ],
)
def test_what_may_be_a_name(text: str, names: list[str]) -> None:
    assert marks.names_in(to_html(text)) == names


@pytest.mark.parametrize("text", HOSTILE)
def test_marking_adds_nothing_but_its_own_tag(text: str) -> None:
    html = to_html(text + " @alice")
    marked = marks.marked(html, {"alice"})
    assert marked.replace('<b class="mention">@alice</b>', "@alice") == html


def test_a_message_names_so_many_and_no_more() -> None:
    assert len(marks.names_in(to_html(" ".join(f"@u{number}" for number in range(500))))) == 2 * marks.MOST


# --- who is told ---


def test_whom_a_message_names_is_told_and_sees_her_name_set_off(club: Room, alice: Any, bob: Any, say: Any) -> None:
    message = say(club, alice, "look here, @bob!")
    assert told(bob) == ["alice mentioned you in Club"]
    assert told(alice) == []
    item = Notification.objects.get()
    assert (item.body, item.url, item.category, item.channel) == (
        "look here, @bob!",
        f"/rooms/club/messages/{message.pk}/at/",
        "mention",
        club.channel,
    )
    assert '<b class="mention">@bob</b>' in message.html


def test_each_is_told_by_the_level_she_chose(club: Room, alice: Any, bob: Any, charlie: Any, say: Any) -> None:
    level(club, bob, "all")
    level(club, charlie, "nothing")
    say(club, alice, "nobody by name")
    say(club, alice, "hello @bob and @charlie")
    say(club, alice, "once more")
    assert sorted(told(bob)) == ["alice in Club", "alice mentioned you in Club"]
    assert told(charlie) == []
    assert Notification.objects.get(title="alice in Club").body == "once more"
    level(club, bob, "mentions")
    say(club, bob, "my own @bob")
    assert len(told(bob)) == 2


def test_who_may_not_read_the_room_is_not_told(club: Room, hall: Room, alice: Any, bob: Any, charlie: Any, say: Any) -> None:
    message = say(club, alice, "@charlie is no member")
    assert told(charlie) == []
    assert "mention" not in message.html
    say(hall, alice, "@charlie may read here")
    assert told(charlie) == ["alice mentioned you in Hall"]
    Restriction.objects.create(room=hall, who=f"user:{bob.pk}", name="bob", kind="ban")
    say(hall, alice, "@bob is banned")
    assert told(bob) == []
    charlie.is_active = False
    charlie.save()
    assert "mention" not in say(hall, alice, "@charlie").html


def test_a_guest_calls_members_by_name_and_nobody_else(lobby: Room, bob: Any, charlie: Any, guest: Person, say: Any) -> None:
    Membership.objects.create(room=lobby, user=bob)
    say(lobby, guest, "@bob @charlie @here")
    assert told(bob) == ["guest-1234 (guest) mentioned you in Lobby"]
    assert told(charlie) == []


def test_here_means_who_is_there_now(hall: Room, alice: Any, bob: Any, charlie: Any, say: Any) -> None:
    presence.refresh("p1")
    Presence.objects.create(process_id="p1", channel=hall.channel, who="bob", tabs=1)
    Presence.objects.create(process_id="p1", channel=hall.channel, who="guest-1~ab", tabs=1)
    say(hall, bob, "@here from somebody who passes through")
    assert told(alice) == []
    message = say(hall, alice, "@here all")
    assert (told(bob), told(charlie)) == (["alice mentioned you in Hall"], [])
    assert '<b class="mention">@here</b>' in message.html


# --- what becomes of it ---


def test_what_is_deleted_is_taken_out_of_inboxes_and_what_is_edited_says_the_new(
    club: Room, alice: Any, bob: Any, charlie: Any, say: Any
) -> None:
    level(club, charlie, "all")
    message = say(club, alice, "old words @bob")
    person = Person.of_user(alice)
    actions.edit_message(club, message_id=message.pk, author=person, text="new words @bob")
    assert set(Notification.objects.values_list("body", flat=True)) == {"new words @bob"}
    say(club, alice, "another")
    actions.delete_message(club, message_id=message.pk, by=person)
    assert (told(bob), told(charlie)) == ([], ["alice in Club"])


def test_a_message_sent_twice_under_one_id_tells_once(club: Room, alice: Any, bob: Any, say: Any) -> None:
    for _ in range(2):
        say(club, alice, "@bob", client_id="c-1")
    assert told(bob) == ["alice mentioned you in Club"]


def test_who_has_read_the_message_has_read_what_told_her_of_it(club: Room, alice: Any, bob: Any, say: Any) -> None:
    say(club, alice, "@bob one")
    say(club, alice, "@bob two")
    reading.mark_read(str(club.pk), str(bob.pk), [1])
    items = InboxItem.objects.filter(user=bob).order_by("pk")
    assert [item.read_at is not None for item in items] == [True, False]


def test_a_notification_leads_to_its_message(club: Room, alice: Any, bob: Any, charlie: Any, browser_of: BrowserOf, say: Any) -> None:
    first = say(club, alice, "first")
    for number in range(60):
        actions.post_message(club, author=Person.of_user(alice), text=f"m{number}")
    number_all()
    last = say(club, alice, "last")

    def way(user: Any, pk: int) -> Any:
        answer = browser_of(user).get(f"/rooms/club/messages/{pk}/at/")
        return answer.headers.get("Location", answer.status_code)

    assert way(bob, first.pk) == f"/rooms/club/?after=0#m-{first.pk}"
    assert way(bob, last.pk) == f"/rooms/club/#m-{last.pk}"
    assert way(bob, 10**18) == way(bob, 10**40) == "/rooms/club/"
    assert [way(user, last.pk) for user in (charlie, None)] == [404, 404]


# --- completion and level ---


def test_names_are_offered_to_who_reads_the_room(
    club: Room, lobby: Room, alice: Any, bob: Any, charlie: Any, browser_of: BrowserOf
) -> None:
    def offered(user: Any, q: str, room: str = "club") -> Any:
        answer = browser_of(user).get(f"/rooms/{room}/names/", {"q": q})
        return answer.json()["names"] if answer.status_code == 200 else answer.status_code

    assert offered(bob, "") == ["alice", "here"]
    assert offered(alice, "B") == ["bob"]
    assert offered(bob, "he") == ["here"]
    assert offered(None, "", "lobby") == ["alice"]
    assert [offered(user, "") for user in (charlie, None)] == [404, 404]
    assert [offered(bob, q) for q in ("x" * 1000, "\0", "%", "<b>", "@")] == [[]] * 5


def test_members_choose_what_to_be_told_of(club: Room, alice: Any, bob: Any, charlie: Any, browser_of: BrowserOf) -> None:
    def choose(user: Any, what: str) -> int:
        return browser_of(user).post("/rooms/club/membership/", {"do": "level", "level": what}).status_code

    assert [choose(bob, what) for what in ("all", "nothing", "loud", "")] == [302, 302, 422, 422]
    assert Membership.objects.get(room=club, user=bob).level == "nothing"
    assert [choose(user, "all") for user in (charlie, None)] == [404, 404]
    hall = actions.open_room("hall", title="Hall", access="public", owner=Person.of_user(alice))
    assert browser_of(charlie).post(f"/rooms/{hall.slug}/membership/", {"do": "level", "level": "all"}).status_code == 422


def test_a_long_or_hostile_room_and_name_still_let_the_message_pass(alice: Any, bob: Any, say: Any) -> None:
    room = actions.open_room("long", title="<b>" + "x" * 77, access=Room.Access.PUBLIC, owner=Person.of_user(alice))
    bob.username = "b" * 150
    bob.save()
    message = say(room, bob, "hello @alice \u202e " + "e\u0301\u0301" * 500)
    assert message.offset
    assert len(told(alice)) == 1
