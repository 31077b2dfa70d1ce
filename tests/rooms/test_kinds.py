"""The kind `room`: who reads it, and the fragments everybody gets."""

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from core.delivery.channel import Event, Reader
from core.delivery.history import as_event
from core.models import Event as Row
from notifications.rooms.kinds import RoomKind, drawn_row
from notifications.rooms.models import Room
from notifications.rooms.people import Person

pytestmark = pytest.mark.django_db
kind = RoomKind()


def may_read(room: Room, *users: Any) -> list[bool]:
    readers = [Reader(user=str(user.pk)) if user else Reader() for user in users]
    allowed = kind.readable(readers, [str(room.pk)])
    return [(reader, str(room.pk)) in allowed for reader in readers]


def test_owner_member_stranger_and_guest_read_what_is_open_to_them(
    lobby: Room, hall: Room, club: Room, alice: Any, bob: Any, charlie: Any
) -> None:
    everybody = (alice, bob, charlie, None)
    assert may_read(lobby, *everybody) == [True, True, True, True]
    assert may_read(hall, *everybody) == [True, True, True, False]
    assert may_read(club, *everybody) == [True, True, False, False]


def test_any_number_of_readers_and_rooms_costs_three_queries(
    lobby: Room, hall: Room, club: Room, alice: Any, bob: Any, charlie: Any, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    readers = [Reader(user=str(user.pk)) for user in (alice, bob, charlie)] + [Reader(guest="a"), Reader(guest="b")]
    with django_assert_num_queries(3):
        allowed = kind.readable(readers, [str(room.pk) for room in (lobby, hall, club)])
    assert len(allowed) == 5 + 3 + 2


@pytest.mark.parametrize("key", ["", "0", "-1", "x", "٣", "1.0", "9" * 18, "9" * 30, "lobby"])
def test_keys_of_no_room_are_readable_by_nobody(lobby: Room, alice: Any, key: str) -> None:
    assert kind.readable([Reader(user=str(alice.pk)), Reader()], [key]) == set()


def test_people_write_slugs_and_pages_write_keys(lobby: Room) -> None:
    assert kind.resolve("lobby") == kind.resolve("Lobby") == kind.resolve(str(lobby.pk)) == str(lobby.pk)
    assert [kind.resolve(name) for name in ("nowhere", "", "a\0b", "new", "x" * 1000, "é", "*")] == [None] * 7


def test_who_asks_for_a_room_that_is_not_there_is_told_a_few_that_are(lobby: Room, hall: Room, club: Room, bob: Any, charlie: Any) -> None:
    assert kind.names(Reader(user=str(bob.pk))) == ["club", "hall", "lobby"]
    assert kind.names(Reader(user=str(charlie.pk))) == ["hall", "lobby"]
    assert kind.names(Reader()) == ["lobby"]


def test_a_push_puts_the_very_item_of_the_page_in_its_place(lobby: Room, alice: Any, say: Any) -> None:
    message = say(lobby, alice, "hello")
    pushed = kind.render(as_event(Row.objects.get(channel=lobby.channel)), str(lobby.pk))
    list_of = f"[data-newest='{lobby.pk}']"
    assert pushed == f'<hx-upsert hx-target="{list_of}" key="data-offset">{drawn_row(message)}</hx-upsert>'
    assert f'id="m-{message.pk}" data-offset="1"' in pushed


def test_drawing_asks_nothing_of_the_database(lobby: Room, alice: Any, say: Any, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    say(lobby, alice, "hello")
    event = as_event(Row.objects.get(channel=lobby.channel))
    with django_assert_num_queries(0):
        kind.render(event, str(lobby.pk))


@pytest.mark.parametrize("name", ["<b>x</b>", '"><img src=x onerror=alert(1)>', "{{ x }}", "‮evil"])
def test_a_name_is_only_text(lobby: Room, say: Any, name: str) -> None:
    html = drawn_row(say(lobby, Person("guest:1", name), "hello"))
    assert "<img" not in html
    assert "<b>x</b>" not in html
    assert "<bdi>" in html


def test_a_guest_is_marked_as_one_whatever_the_name(lobby: Room, alice: Any, say: Any) -> None:
    assert 'class="msg guest"' in drawn_row(say(lobby, Person("guest:1", "alice"), "hello"))
    assert 'class="msg"' in drawn_row(say(lobby, alice, "hello"))


def test_a_message_that_is_gone_leaves_the_list() -> None:
    html = kind.render(Event(5, "message.gone", "12", {}, 0.0), "1")
    assert html == '<hx-partial hx-target="#m-12" hx-swap="delete"></hx-partial>'


def test_nothing_of_a_room_can_be_published_by_hand() -> None:
    assert {type.name for type in kind.types} == {"message.put", "message.gone", "reaction", "member", "typing"}
    assert not any(type.raw for type in kind.types)
    assert [type.name for type in kind.types if type.ephemeral] == ["typing"]


def test_a_snapshot_is_the_newest_fifty(lobby: Room, alice: Any, say: Any) -> None:
    for number in range(52):
        say(lobby, alice, f"m{number}")
    snapshot = kind.snapshot(str(lobby.pk))
    assert [event["data"]["text"] for event in snapshot] == [f"m{number}" for number in range(2, 52)]
    assert kind.snapshot("999") == kind.snapshot("x") == []
