"""Posting: once per client id, in the transaction, in the order of the events."""

from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import QuerySet
from pytest_django import DjangoAssertNumQueries as Counted

from core.models import Event
from notifications.rooms import actions, history
from notifications.rooms.models import Membership, Message, Room
from notifications.rooms.people import Person
from notifications.rooms.text import BadText
from tests.rooms.conftest import number_all

pytestmark = pytest.mark.django_db


def said() -> QuerySet[Event]:
    return Event.objects.filter(channel__startswith="room:")


def test_a_message_is_stored_and_published_with_all_it_takes_to_draw_it(lobby: Room, alice: Any) -> None:
    message = actions.post_message(lobby, author=Person.of_user(alice), text=" *hello* ")
    event = Event.objects.get(channel=lobby.channel)
    assert (event.type, event.key, event.offset) == ("message.put", str(message.pk), None)
    assert message.html == "<p><em>hello</em></p>"
    assert f'"html":"{message.html}"' in event.data


def test_a_message_of_a_transaction_that_rolls_back_never_was(lobby: Room, guest: Person) -> None:
    def post_and_fail() -> None:
        with transaction.atomic():
            actions.post_message(lobby, author=guest, text="hello")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        post_and_fail()
    assert not Message.objects.exists()
    assert not said().exists()


def test_the_same_client_id_sends_once(lobby: Room, guest: Person) -> None:
    first = actions.post_message(lobby, author=guest, text="hello", client_id="c-1")
    again = actions.post_message(lobby, author=guest, text=" hello ", client_id="c-1")
    assert first.pk == again.pk
    assert said().count() == 1


def test_another_text_under_a_used_client_id_is_refused_and_not_dropped_in_silence(lobby: Room, guest: Person) -> None:
    actions.post_message(lobby, author=guest, text="one", client_id="c-1")
    with pytest.raises(actions.ClientIdTaken):
        actions.post_message(lobby, author=guest, text="two", client_id="c-1")


def test_a_client_id_belongs_to_its_author_and_room(lobby: Room, hall: Room, alice: Any, bob: Any) -> None:
    for room in (lobby, hall):
        for user in (alice, bob):
            actions.post_message(room, author=Person.of_user(user), text="hello", client_id="c-1")
    assert Message.objects.count() == 4


@pytest.mark.parametrize("client_id", ["a b", "x" * 65, "é", "a\n", "\0", "<b>"])
def test_a_bad_client_id_is_refused(lobby: Room, guest: Person, client_id: str) -> None:
    with pytest.raises(BadText) as caught:
        actions.post_message(lobby, author=guest, text="hello", client_id=client_id)
    assert caught.value.code == "bad_client_id"


@pytest.mark.parametrize("text", ["", "a\0b", "\ud800", "x" * 4001])
def test_a_refused_text_leaves_nothing(lobby: Room, guest: Person, text: str) -> None:
    with pytest.raises(BadText):
        actions.post_message(lobby, author=guest, text=text)
    assert not Message.objects.exists()
    assert not said().exists()


@pytest.mark.parametrize("text", ["😀" * 4000, "&" * 4000, "<>" * 2000, '"\n' * 1999 + "x", "[a](https://a.example) " * 160, "*a* " * 1000])
def test_the_longest_texts_fit_into_one_event_and_are_drawn_alike_by_page_and_push(lobby: Room, alice: Any, say: Any, text: str) -> None:
    from core.delivery.history import as_event
    from notifications.rooms.kinds import RoomKind, drawn_row

    message = say(lobby, alice, text)
    assert drawn_row(message) in RoomKind().render(as_event(said().get()), str(lobby.pk))


def test_posting_asks_the_database_no_more_than_it_must(lobby: Room, guest: Person, django_assert_num_queries: Counted) -> None:
    # Two savepoints of the test's transaction, the message, who wants to be told, the events.
    with django_assert_num_queries(5):
        actions.post_message(lobby, author=guest, text="hello")


def test_a_room_has_its_maker_as_owner_and_is_made_once(alice: Any, bob: Any) -> None:
    first = actions.open_room("ops", title="Ops", access=Room.Access.MEMBERS, owner=Person.of_user(alice))
    again = actions.open_room("ops", title="Mine", access=Room.Access.GUESTS, owner=Person.of_user(bob))
    assert (again.pk, again.title, again.access) == (first.pk, "Ops", "members")
    assert list(Membership.objects.values_list("user__username", "role")) == [("alice", "owner")]


def test_a_room_of_a_guest_has_no_owner(guest: Person) -> None:
    room = actions.open_room("tea", title="Tea", access=Room.Access.GUESTS, owner=guest)
    assert not room.memberships.exists()


@pytest.mark.parametrize("slug", ["new", "echo", "Tea", "../x", ""])
def test_a_bad_address_makes_no_room(guest: Person, slug: str) -> None:
    with pytest.raises(BadText):
        actions.open_room(slug, title="x", access=Room.Access.GUESTS, owner=guest)
    assert not Room.objects.exists()


# --- order ---


def test_a_message_is_shown_once_its_event_is_numbered(lobby: Room, guest: Person) -> None:
    actions.post_message(lobby, author=guest, text="hello")
    assert history.newest(lobby) == []
    number_all()
    assert [message.offset for message in history.newest(lobby)] == [1]


def test_pages_follow_the_order_of_events_and_not_of_ids(lobby: Room, guest: Person) -> None:
    """Two transactions that commit in the other order than they began: ids say early, late; the events say late, early."""
    early = actions.post_message(lobby, author=guest, text="began first, committed second")
    with connection.cursor() as cursor:  # as if its transaction were still open
        cursor.execute("UPDATE signalbox_event SET channel = 'room:0'")
    late = actions.post_message(lobby, author=guest, text="began second, committed first")
    number_all_of(lobby)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE signalbox_event SET channel = %s WHERE channel = 'room:0'", [lobby.channel])
    number_all_of(lobby)
    assert [message.pk for message in history.newest(lobby)] == [late.pk, early.pk]
    assert early.pk < late.pk


def number_all_of(room: Room) -> None:
    from core.delivery import sequencer

    sequencer.sequence({room.channel})


def test_history_is_read_backwards_in_two_queries(lobby: Room, guest: Person, say: Any, django_assert_num_queries: Counted) -> None:
    for number in range(7):
        say(lobby, guest, f"m{number}")
    with django_assert_num_queries(2):
        assert [message.text for message in history.newest(lobby, count=3)] == ["m4", "m5", "m6"]
    assert [message.text for message in history.newest(lobby, count=3, before=5)] == ["m1", "m2", "m3"]
    assert [message.text for message in history.after(lobby, offset=2, upto=5, count=2)] == ["m2", "m3"]


def test_many_messages_get_their_places_in_one_pass(lobby: Room, guest: Person) -> None:
    for number in range(60):
        actions.post_message(lobby, author=guest, text=f"m{number}")
    number_all()
    assert list(Message.objects.order_by("pk").values_list("offset", flat=True)) == list(range(1, 61))
