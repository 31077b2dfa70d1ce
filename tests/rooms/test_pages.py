"""The pages of rooms, as owner, member, stranger and guest."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core import signing
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from core.models import Event
from notifications.rooms import actions, listing, people
from notifications.rooms.models import Membership, Message, Room
from notifications.rooms.people import Person
from tests.rooms.conftest import number_all
from tests.rooms.test_text import HOSTILE

pytestmark = pytest.mark.django_db
BrowserOf = Callable[[Any], Client]


def statuses(browser_of: BrowserOf, path: str, *users: Any) -> list[int]:
    return [browser_of(user).get(path).status_code for user in users]


# --- who sees what ---


def test_each_room_opens_to_whom_it_is_open_and_is_not_there_for_the_others(
    lobby: Room, hall: Room, club: Room, alice: Any, bob: Any, charlie: Any, browser_of: BrowserOf
) -> None:
    everybody = (alice, bob, charlie, None)
    for part in ("", "messages/"):
        assert statuses(browser_of, f"/rooms/lobby/{part}", *everybody) == [200, 200, 200, 200]
        assert statuses(browser_of, f"/rooms/hall/{part}", *everybody) == [200, 200, 200, 404]
        assert statuses(browser_of, f"/rooms/club/{part}", *everybody) == [200, 200, 404, 404]
        assert statuses(browser_of, f"/rooms/nowhere/{part}", *everybody) == [404, 404, 404, 404]


def test_a_refused_room_looks_like_none(club: Room, charlie: Any, browser_of: BrowserOf) -> None:
    browser = browser_of(charlie)
    assert browser.get("/rooms/club/").content == browser.get("/rooms/nowhere/").content


def test_posting_goes_where_reading_goes(
    lobby: Room, hall: Room, club: Room, alice: Any, bob: Any, charlie: Any, browser_of: BrowserOf
) -> None:
    def post(room: str) -> list[int]:
        browsers = map(browser_of, (alice, bob, charlie, None))
        return [browser.post(f"/rooms/{room}/messages/", {"text": "hello"}).status_code for browser in browsers]

    assert post("lobby") == [302, 302, 302, 302]
    assert post("hall") == [302, 302, 302, 404]
    assert post("club") == [302, 302, 404, 404]
    assert Message.objects.count() == 9


def test_who_left_posts_no_more(club: Room, bob: Any, browser_of: BrowserOf) -> None:
    browser = browser_of(bob)
    Membership.objects.filter(user=bob).delete()
    assert browser.post("/rooms/club/messages/", {"text": "hello"}).status_code == 404
    assert not Message.objects.exists()


def test_an_archived_room_is_read_and_not_written(lobby: Room, alice: Any, browser_of: BrowserOf, say: Any) -> None:
    say(lobby, alice, "hello")
    lobby.archived_at = lobby.created_at
    lobby.save(update_fields=["archived_at"])
    browser = browser_of(alice)
    page = browser.get("/rooms/lobby/").content.decode()
    assert "hello" in page
    assert 'id="composer"' not in page
    assert browser.post("/rooms/lobby/messages/", {"text": "more"}).status_code == 403
    assert Message.objects.count() == 1


def test_the_directory_lists_what_one_may_enter(
    lobby: Room, hall: Room, club: Room, alice: Any, bob: Any, charlie: Any, browser_of: BrowserOf, say: Any
) -> None:
    say(hall, alice, "- *newest* <b>word</b>")

    def listed(user: Any) -> list[str]:
        return re.findall(r'href="/rooms/(lobby|hall|club)/"', browser_of(user).get("/rooms/").content.decode())

    assert listed(bob) == ["hall", "club", "lobby"]
    assert listed(charlie) == ["hall", "lobby"]
    assert listed(None) == ["lobby"]
    assert "newest &lt;b&gt;word" in browser_of(charlie).get("/rooms/").content.decode()


def test_an_address_in_other_case_leads_to_the_room(lobby: Room, browser_of: BrowserOf) -> None:
    answer = browser_of(None).get("/rooms/LOBBY/")
    assert (answer.status_code, answer["Location"]) == (301, "/rooms/lobby/")


# --- the page ---


def test_the_page_carries_its_region_with_the_position_before_its_data(lobby: Room, alice: Any, browser_of: BrowserOf, say: Any) -> None:
    say(lobby, alice, "one")
    page = browser_of(alice).get("/rooms/lobby/").content.decode()
    region = re.search(r'<section class="log"[^>]*>', page)
    assert region
    assert f'data-channel="{lobby.channel}"' in region[0]
    assert re.search(r'data-position="[0-9a-f]+:1"', region[0])
    assert 'data-refetch="/rooms/lobby/messages/"' in region[0]


def test_the_refetch_address_answers_the_region_of_the_page(lobby: Room, alice: Any, browser_of: BrowserOf, say: Any) -> None:
    say(lobby, alice, "one")
    browser = browser_of(alice)
    region = browser.get("/rooms/lobby/messages/").content.decode().strip()
    assert region.startswith('<section class="log"')
    assert region in browser.get("/rooms/lobby/").content.decode()


def test_everybody_gets_the_same_bytes_of_a_message(
    lobby: Room, alice: Any, bob: Any, charlie: Any, browser_of: BrowserOf, say: Any
) -> None:
    say(lobby, alice, "one")
    pages = [browser_of(user).get("/rooms/lobby/").content.decode() for user in (alice, bob, charlie, None)]
    assert len({"".join(items(page)) for page in pages}) == 1


def test_a_page_rendered_earlier_plus_the_pushes_since_is_a_page_rendered_now(
    lobby: Room, alice: Any, browser_of: BrowserOf, say: Any
) -> None:
    from core.delivery.history import as_event
    from notifications.rooms.kinds import RoomKind

    say(lobby, alice, "one")
    before = browser_of(None).get("/rooms/lobby/messages/").content.decode()
    say(lobby, alice, "two")
    say(lobby, alice, "three")
    pushes = [
        RoomKind().render(as_event(row), str(lobby.pk))
        for row in Event.objects.filter(channel=lobby.channel, offset__gt=1).order_by("offset")
    ]
    now = browser_of(None).get("/rooms/lobby/messages/").content.decode()
    assert items(before) + [item for push in pushes for item in items(push)] == items(now)


def items(html: str) -> list[str]:
    return re.findall(r'<li class="msg[a-z ]*" id="m-.*?</li>', html)


def test_a_room_shows_fifty_and_leads_to_the_older_ones(lobby: Room, alice: Any, browser_of: BrowserOf, say: Any) -> None:
    for number in range(1, 121):
        say(lobby, alice, f"m{number}.")
    browser = browser_of(None)
    assert offsets(browser.get("/rooms/lobby/")) == list(range(71, 121))
    older = browser.get("/rooms/lobby/messages/?before=71")
    assert offsets(older) == list(range(21, 71))
    assert 'hx-get="/rooms/lobby/messages/?before=21"' in older.content.decode()
    last = browser.get("/rooms/lobby/messages/?before=21")
    assert offsets(last) == list(range(1, 21))
    assert "hx-get" not in last.content.decode()
    # Without JavaScript the link opens the page there.
    assert offsets(browser.get("/rooms/lobby/?before=71")) == list(range(21, 71))


def offsets(answer: Any) -> list[int]:
    return [int(number) for number in re.findall(r'data-offset="(\d+)"', answer.content.decode())]


@pytest.mark.parametrize("before", ["", "0", "-1", "x", "1.5", "٣", "9" * 19, "1\0", "10**18"])
def test_a_place_that_is_none_is_not_found(lobby: Room, browser_of: BrowserOf, before: str) -> None:
    for part in ("", "messages/"):
        assert browser_of(None).get(f"/rooms/lobby/{part}", {"before": before}).status_code == 404


def test_an_opened_room_costs_a_constant_number_of_queries(
    lobby: Room, hall: Room, alice: Any, browser_of: BrowserOf, say: Any, django_assert_max_num_queries: Any
) -> None:
    browser = browser_of(alice)
    browser.get("/rooms/hall/")

    def queries(path: str) -> int:
        with django_assert_max_num_queries(22) as context:
            browser.get(path)
        return len(context)

    say(lobby, alice, "one")
    few_room, few_list = queries("/rooms/lobby/"), queries("/rooms/")
    for number in range(40):
        say(lobby, alice, f"m{number}")
    for number in range(10):
        actions.open_room(f"room-{number}", title="x", access=Room.Access.PUBLIC, owner=Person.of_user(alice))
    assert queries("/rooms/lobby/") == few_room
    assert queries("/rooms/") == few_list


# --- posting ---


JSON = {"Accept": "application/json"}


def test_a_page_that_asks_for_json_is_told_where_its_message_stands(lobby: Room, alice: Any, browser_of: BrowserOf) -> None:
    browser = browser_of(alice)

    def post() -> Any:
        return browser.post("/rooms/lobby/messages/", {"text": "hello", "client_id": "c-1"}, headers=JSON)

    answer = post()
    message = Message.objects.get()
    assert (answer.status_code, answer.json()) == (200, {"id": message.pk, "offset": None, "deleted": False})
    number_all()
    assert post().json()["offset"] == 1
    assert 'data-client="c-1"' in browser.get("/rooms/lobby/").content.decode()
    actions.delete_message(lobby, message_id=message.pk, by=Person.of_user(alice))
    assert post().json()["deleted"] is True


def test_a_retried_post_says_it_once(lobby: Room, alice: Any, browser_of: BrowserOf) -> None:
    browser = browser_of(alice)
    for _ in range(3):
        assert browser.post("/rooms/lobby/messages/", {"text": "hello", "client_id": "c-1"}).status_code == 302
    assert Message.objects.count() == Event.objects.filter(channel=lobby.channel).count() == 1


def test_another_text_under_the_same_client_id_comes_back_to_be_sent_again(lobby: Room, alice: Any, browser_of: BrowserOf) -> None:
    browser = browser_of(alice)
    browser.post("/rooms/lobby/messages/", {"text": "one", "client_id": "c-1"})
    answer = browser.post("/rooms/lobby/messages/", {"text": "two", "client_id": "c-1"})
    assert answer.status_code == 409
    assert ">two</textarea>" in answer.content.decode()
    assert browser.post("/rooms/lobby/messages/", {"text": "two", "client_id": "c-1"}, headers=JSON).status_code == 409
    assert Message.objects.count() == 1


@pytest.mark.parametrize("text", ["", "   ", "x" * 4001, "a\0b", "\u200b"])
def test_a_refused_text_comes_back_with_the_reason(lobby: Room, alice: Any, browser_of: BrowserOf, text: str) -> None:
    browser = browser_of(alice)
    answer = browser.post("/rooms/lobby/messages/", {"text": text})
    assert answer.status_code == 422
    assert 'id="say-error" role="alert"' in answer.content.decode()
    answer = browser.post("/rooms/lobby/messages/", {"text": text}, headers=JSON)
    assert answer.status_code == 422
    assert answer.json()["error"]
    assert not Message.objects.exists()


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stands_on_the_page_as_text(lobby: Room, alice: Any, browser_of: BrowserOf, text: str) -> None:
    browser = browser_of(alice)
    calm = shape(browser.get("/rooms/lobby/").content.decode())
    browser.post("/rooms/lobby/messages/", {"text": text})
    number_all()
    page = browser.get("/rooms/lobby/").content.decode()
    assert "m-" in page
    without = re.sub(r'(<ol class="messages" id="messages"[^>]*>).*?(</ol>\s*</section>)', r"\1\2", page, flags=re.S)
    assert shape(without) == calm
    assert not re.search(r"<(img|script(?! (defer|type))|svg onload|base|meta http-equiv|style)", items_of(page))


def shape(html: str) -> list[str]:
    return re.findall(r"<[a-z]+", html)


def items_of(page: str) -> str:
    return "".join(items(page))


def test_forged_fields_change_nothing(lobby: Room, hall: Room, alice: Any, bob: Any, browser_of: BrowserOf) -> None:
    forged = {"author": f"user:{bob.pk}", "user": bob.pk, "name": "bob", "room": hall.pk, "id": 1, "offset": 7, "html": "<b>x</b>"}
    browser_of(alice).post("/rooms/lobby/messages/", forged | {"text": "hello"})
    message = Message.objects.get()
    assert (message.room, message.user, message.name, message.offset, message.html) == (lobby, alice, "alice", None, "<p>hello</p>")


def test_posting_needs_the_csrf_token(lobby: Room, alice: Any) -> None:
    for user in (alice, None):
        browser = Client(enforce_csrf_checks=True)
        if user:
            browser.force_login(user)
        assert browser.post("/rooms/lobby/messages/", {"text": "hello"}).status_code == 403
    assert not Message.objects.exists()


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_other_methods_are_refused(lobby: Room, alice: Any, browser_of: BrowserOf, method: str) -> None:
    for path in ("/rooms/", "/rooms/new/", "/rooms/echo/", "/rooms/lobby/", "/rooms/lobby/messages/"):
        assert getattr(browser_of(alice), method)(path).status_code == 405


# --- guests ---


def test_a_guest_keeps_the_name(lobby: Room, browser_of: BrowserOf) -> None:
    browser = browser_of(None)
    name = re.search(r"You write as (guest-\d{4})\.", browser.get("/rooms/lobby/").content.decode())
    assert name
    browser.post("/rooms/lobby/messages/", {"text": "one"})
    browser.post("/rooms/lobby/messages/", {"text": "two"})
    assert set(Message.objects.values_list("name", flat=True)) == {name[1]}
    assert len(set(Message.objects.values_list("author", flat=True))) == 1
    assert not Message.objects.filter(user__isnull=False).exists()


def test_two_guests_are_two(lobby: Room, browser_of: BrowserOf) -> None:
    for _ in range(2):
        browser_of(None).post("/rooms/lobby/messages/", {"text": "one", "client_id": "c-1"})
    assert Message.objects.values("author").distinct().count() == 2


@pytest.mark.parametrize("value", ["", "x", "alice", '["user:1","alice"]', "x" * 5000, "\0"])
def test_a_forged_guest_cookie_makes_a_new_guest(lobby: Room, alice: Any, browser_of: BrowserOf, value: str) -> None:
    browser = browser_of(None)
    browser.cookies[people.guest_cookie_name()] = value
    assert browser.post("/rooms/lobby/messages/", {"text": "one"}).status_code == 302
    message = Message.objects.get()
    assert message.author.startswith("guest:")
    assert re.fullmatch(r"guest-\d{4}", message.name)


def test_no_database_session_is_made_for_a_guest(lobby: Room, browser_of: BrowserOf) -> None:
    from django.contrib.sessions.models import Session

    browser_of(None).get("/rooms/lobby/")
    assert not Session.objects.exists()


# --- opening a room ---


def test_a_signed_in_person_opens_a_room_and_owns_it(bob: Any, browser_of: BrowserOf) -> None:
    answer = browser_of(bob).post("/rooms/new/", {"title": "Import queue", "access": "members"})
    assert answer["Location"] == "/rooms/import-queue/"
    room = Room.objects.get()
    assert (room.title, room.access) == ("Import queue", "members")
    assert [(m.user, m.role) for m in room.memberships.all()] == [(bob, "owner")]


def test_a_guest_is_led_to_sign_in(browser_of: BrowserOf) -> None:
    assert browser_of(None).get("/rooms/new/")["Location"] == "/accounts/login/?next=/rooms/new/"
    browser_of(None).post("/rooms/new/", {"title": "x", "access": "guests"})
    assert not Room.objects.exists()


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"title": ""},
        {"title": "\0"},
        {"title": "\u200b"},
        {"title": "x" * 81},
        {"title": "x" * 100_000},
        {"title": "Новая"},
        {"title": "New"},
        {"title": "ok", "slug": "echo"},
        {"title": "ok", "slug": "../etc"},
        {"title": "ok", "slug": "x" * 65},
        {"title": "ok", "slug": "a b"},
        {"title": "ok", "slug": "lobby"},
        {"title": "ok", "slug": "LOBBY"},
        {"title": "ok", "access": "everybody"},
        {"title": "ok", "access": ""},
    ],
)
def test_a_bad_room_is_told_field_by_field(lobby: Room, bob: Any, browser_of: BrowserOf, given: dict[str, str]) -> None:
    answer = browser_of(bob).post("/rooms/new/", {"access": "public"} | given)
    assert answer.status_code == 422
    assert 'class="field wrong"' in answer.content.decode()
    assert Room.objects.count() == 1


def test_a_hostile_title_is_only_text(bob: Any, browser_of: BrowserOf) -> None:
    browser = browser_of(bob)
    browser.post("/rooms/new/", {"title": "<img src=x onerror=alert(1)>", "slug": "x", "access": "public"})
    for path in ("/rooms/", "/rooms/x/", "/"):
        assert "<img" not in browser.get(path).content.decode()


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_name_of_a_room_and_of_a_person_is_only_text(alice: Any, bob: Any, browser_of: BrowserOf, say: Any, text: str) -> None:
    room = actions.open_room("x", title="calm", access=Room.Access.GUESTS, owner=Person.of_user(alice))
    Membership.objects.create(room=room, user=bob)
    say(room, bob, "hello")
    paths = ("/rooms/", "/rooms/x/", "/rooms/x/settings/", "/rooms/x/latest/")
    browser = browser_of(alice)
    calm = [shape(browser.get(path).content.decode()) for path in paths]
    Room.objects.update(title=text[:80])
    bob.username = text[:150]
    bob.save()
    Message.objects.update(name=text[:150])
    assert [shape(browser.get(path).content.decode()) for path in paths] == calm


def test_a_guest_cannot_take_a_users_name(lobby: Room, alice: Any, browser_of: BrowserOf) -> None:
    browser = browser_of(None)
    browser.post("/rooms/lobby/messages/", {"text": "I am alice", "name": "alice", "author": f"user:{alice.pk}"})
    for ticket in (["user:1", "alice"], [f"user:{alice.pk}", "alice"]):
        # Signed by somebody else's key, since only ours counts.
        browser.cookies[people.guest_cookie_name()] = signing.dumps(ticket, key="not ours", salt="signalbox.rooms.guest")
        browser.post("/rooms/lobby/messages/", {"text": "I am alice"})
    assert all(message.name.startswith("guest-") and message.author.startswith("guest:") for message in Message.objects.all())
    number_all()
    assert 'class="msg guest"' in browser.get("/rooms/lobby/").content.decode()


# --- the rest ---


def test_the_echo_page_is_for_everybody(alice: Any, browser_of: BrowserOf) -> None:
    for user in (alice, None):
        page = browser_of(user).get("/rooms/echo/").content.decode()
        assert 'data-socket="/ws/chat/"' in page


def test_home_shows_the_rooms_one_may_enter(lobby: Room, club: Room, alice: Any, charlie: Any, browser_of: BrowserOf, say: Any) -> None:
    say(lobby, alice, "hello")
    for user in (charlie, None):
        page = browser_of(user).get("/").content.decode()
        assert 'href="/rooms/lobby/"' in page
        assert 'href="/rooms/club/"' not in page


def test_the_demo_opens_the_lobby_once(alice: Any, bob: Any, charlie: Any) -> None:
    from core.demo import People
    from notifications.rooms import demo

    for _ in range(2):
        demo.make(People(alice=alice, bob=bob, charlie=charlie))
    assert [(room.slug, room.access) for room in Room.objects.all()] == [("lobby", "guests")]
    assert Message.objects.count() == 2


def test_a_list_of_rooms_is_one_query(lobby: Room, guest: Person, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(1):
        listing.listed(guest)
