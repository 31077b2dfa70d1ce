"""Messages after they were said: edited, deleted, reacted to; by their author, a moderator, a stranger and a guest."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from core.delivery.history import as_event
from core.models import Event
from notifications.rooms import actions
from notifications.rooms.kinds import RoomKind, drawn_row
from notifications.rooms.lines import _is_new_message
from notifications.rooms.models import Membership, Message, Reaction, Room
from notifications.rooms.people import Person
from notifications.rooms.text import is_emoji
from tests.rooms.conftest import number_all
from tests.rooms.test_text import HOSTILE

pytestmark = pytest.mark.django_db
BrowserOf = Callable[[Any], Client]


def do(browser: Client, message: Message, **given: Any) -> int:
    return browser.post(f"/rooms/{message.room.slug}/messages/{message.pk}/", given).status_code


def last_push(room: Room) -> str:
    number_all()
    return RoomKind().render(as_event(Event.objects.filter(channel=room.channel).order_by("offset").last()), str(room.pk))  # type: ignore[arg-type]


def test_only_the_author_edits_and_only_author_and_moderator_delete(
    lobby: Room, alice: Any, bob: Any, charlie: Any, browser_of: BrowserOf, say: Any
) -> None:
    one, two = say(lobby, bob, "one"), say(lobby, bob, "two")
    assert [do(browser_of(user), one, do="edit", text="x") for user in (charlie, None, alice, bob)] == [404, 404, 404, 302]
    assert [do(browser_of(user), two, do="delete") for user in (charlie, None, alice)] == [404, 404, 302]
    assert [message.text for message in Message.objects.order_by("pk")] == ["x", ""]


def test_an_edited_message_stays_in_its_place_and_says_so(lobby: Room, alice: Any, say: Any) -> None:
    message = say(lobby, alice, "one")
    say(lobby, alice, "two")
    actions.edit_message(lobby, message_id=message.pk, author=Person.of_user(alice), text="*new*")
    pushed = last_push(lobby)
    assert "<em>new</em>" in pushed
    assert f'id="m-{message.pk}" data-offset="1"' in pushed
    assert ">edited<" in pushed
    message.refresh_from_db()
    assert drawn_row(message) in pushed


def test_an_edit_is_no_new_line_for_plain_sockets(lobby: Room, alice: Any, say: Any) -> None:
    from core.delivery.forms import Entry

    message = say(lobby, alice, "one")
    actions.edit_message(lobby, message_id=message.pk, author=Person.of_user(alice), text="two")
    number_all()
    rows = Event.objects.filter(channel=lobby.channel).order_by("offset")
    assert [_is_new_message(Entry(RoomKind(), "1", as_event(row))) for row in rows] == [True, False]


def test_a_deleted_message_leaves_page_table_and_screens(lobby: Room, alice: Any, browser_of: BrowserOf, say: Any) -> None:
    message = say(lobby, alice, "a secret")
    actions.react(lobby, message_id=message.pk, by=Person.of_user(alice), emoji="👍")
    assert do(browser_of(alice), message, do="delete") == 302
    assert last_push(lobby) == f'<hx-partial hx-target="#m-{message.pk}" hx-swap="delete"></hx-partial>'
    assert "a secret" not in browser_of(alice).get("/rooms/lobby/").content.decode()
    assert Message.objects.get().text == ""
    assert not Reaction.objects.exists()
    assert [do(browser_of(alice), message, do=what, text="x", emoji="👍") for what in ("edit", "delete", "react")] == [404] * 3


def test_a_replayed_client_id_brings_no_deleted_message_back(lobby: Room, alice: Any, say: Any) -> None:
    message = say(lobby, alice, "one", client_id="c-1")
    actions.delete_message(lobby, message_id=message.pk, by=Person.of_user(alice))
    assert say(lobby, alice, "one", client_id="c-1").pk == message.pk
    assert Message.objects.get().deleted_at


def test_a_second_reaction_of_the_same_sign_takes_it_off(lobby: Room, alice: Any, guest: Person, say: Any) -> None:
    message = say(lobby, alice, "one")
    for who in (Person.of_user(alice), guest):
        actions.react(lobby, message_id=message.pk, by=who, emoji="👍")
    assert "👍 2</button>" in last_push(lobby)
    message.refresh_from_db()
    assert "👍 2</button>" in drawn_row(message)
    actions.react(lobby, message_id=message.pk, by=guest, emoji="👍")
    assert "👍 1</button>" in last_push(lobby)


def test_reacting_goes_where_reading_goes(club: Room, alice: Any, bob: Any, charlie: Any, browser_of: BrowserOf, say: Any) -> None:
    message = say(club, alice, "one")
    assert [do(browser_of(user), message, do="react", emoji="👀") for user in (alice, bob, charlie, None)] == [302, 302, 404, 404]


@pytest.mark.parametrize("sign", ["", "x", "👍x", "<b>", "👍" * 17, "1", "\0", " ", "‮", "‍", "#️⃣"])
def test_a_sign_that_is_no_emoji_is_refused(lobby: Room, alice: Any, browser_of: BrowserOf, say: Any, sign: str) -> None:
    assert not is_emoji(sign)
    assert do(browser_of(alice), say(lobby, alice, "one"), do="react", emoji=sign) == 422


@pytest.mark.parametrize("sign", ["👍", "👍🏽", "❤", "❤️", "👩‍💻", "✅"])
def test_emoji_of_several_parts_are_one_sign(sign: str) -> None:
    assert is_emoji(sign)


def test_signs_on_one_message_are_bounded(lobby: Room, alice: Any, say: Any) -> None:
    message = say(lobby, alice, "one")
    for number in range(20):
        actions.react(lobby, message_id=message.pk, by=Person.of_user(alice), emoji=chr(0x1F600 + number))
    with pytest.raises(actions.BadText):
        actions.react(lobby, message_id=message.pk, by=Person.of_user(alice), emoji="👍")


@pytest.mark.parametrize("text", ["", "x" * 4001, "a\0b"])
def test_a_bad_edit_comes_back_with_the_reason(lobby: Room, alice: Any, browser_of: BrowserOf, say: Any, text: str) -> None:
    message = say(lobby, alice, "one")
    answer = browser_of(alice).post(f"/rooms/lobby/messages/{message.pk}/", {"do": "edit", "text": text})
    assert answer.status_code == 422
    assert 'role="alert"' in answer.content.decode()
    assert Message.objects.get().text == "one"


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_edit_is_text_too(lobby: Room, alice: Any, browser_of: BrowserOf, say: Any, text: str) -> None:
    message = say(lobby, alice, "one")
    assert do(browser_of(alice), message, do="edit", text=text) in {302, 422}
    assert "<img" not in last_push(lobby)
    assert "<script" not in last_push(lobby)


def test_the_edit_form_is_the_authors(lobby: Room, alice: Any, bob: Any, browser_of: BrowserOf, say: Any) -> None:
    path = f"/rooms/lobby/messages/{say(lobby, bob, 'one').pk}/"
    assert [browser_of(user).get(path).status_code for user in (bob, alice, None)] == [200, 404, 404]


@pytest.mark.parametrize("id", ["0", "9" * 18, "9" * 40])
def test_ids_of_no_message_and_of_another_room_are_not_found(
    lobby: Room, hall: Room, alice: Any, browser_of: BrowserOf, say: Any, id: str
) -> None:
    elsewhere = say(hall, alice, "one")
    browser = browser_of(alice)
    for number in (id, elsewhere.pk):
        assert browser.post(f"/rooms/lobby/messages/{number}/", {"do": "delete"}).status_code == 404
    assert browser.post(f"/rooms/hall/messages/{elsewhere.pk}/", {"do": "explode"}).status_code == 422


def test_a_moderator_is_made_by_the_role(lobby: Room, alice: Any, bob: Any, browser_of: BrowserOf, say: Any) -> None:
    Membership.objects.create(room=lobby, user=bob, role=Membership.Role.MODERATOR)
    assert do(browser_of(bob), say(lobby, alice, "one"), do="delete") == 302
