"""The plain chat sockets, over the real application, hub and tables of one process."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from core.delivery import history as delivered
from core.delivery.executor import on_executor
from notifications.rooms import actions, history, people
from notifications.rooms.models import Membership, Message, Room
from notifications.rooms.people import Person
from tests.rooms.plain_client import plain_client
from tests.rooms.test_text import HOSTILE

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("running_hub")]

GREETING = '{"type": "connection_established", "message": "You are now connected!"}'
ECHOES = ["/ws/chat/", "/ws/socker-server/"]


async def post(room: Room, who: Any, text: str, **more: str) -> Message:
    author = who if isinstance(who, Person) else Person.of_user(who)
    return await on_executor(actions.post_message, room, author=author, text=text, **more)


# --- echo ---


@pytest.mark.parametrize("path", ECHOES)
async def test_the_echo_greets_and_answers_in_the_words_of_the_systems_before(path: str) -> None:
    async with plain_client(path) as client:
        client.say('{"message":"Hello Django"}')
        client.say("Hello Django")
        assert await client.frames(3) == [GREETING, "You said: Hello Django", '{"message": "Hello Django"}']


@pytest.mark.parametrize(
    "frame",
    [
        "{",
        "[]",
        "{}",
        '{"message": 5}',
        '{"message": "\\ud800"}',
        '{"type": "websocket.disconnect"}',
        '{"type": "chat.message"}',
        '{"type": "__class__"}',
        '{"x": ' + "[" * 20_000,
        "x" * 65_537,
    ],
)
@pytest.mark.parametrize("path", ["/ws/chat/", "/ws/chat/lobby/"])
async def test_a_bad_frame_gets_an_error_and_the_socket_stays(lobby: Room, path: str, frame: str) -> None:
    async with plain_client(path) as client:
        client.say(frame)
        error = await client.error()
        assert error["code"] in {"bad_frame", "too_large"}
        assert error["detail"]
        client.say({"message": "still here"})
        await client.until(lambda me: "still here" in me.heard[-1], described="an answer")


async def test_binary_frames_get_an_error() -> None:
    async with plain_client("/ws/chat/") as client:
        client.say(binary=b"\xff\xfe")
        assert (await client.error())["code"] == "bad_frame"


async def test_five_bad_frames_in_a_row_end_the_socket() -> None:
    async with plain_client("/ws/chat/") as client:
        for _ in range(4):
            client.say("{")
        client.say("good")
        for _ in range(5):
            client.say("{")
        assert await client.close_code() == 4400
        assert len([frame for frame in client.heard if "error" in frame]) == 9


async def test_a_flood_is_told_to_slow_down_and_then_ended(settings: Settings) -> None:
    settings.COMMANDS_PER_SECOND = 1
    async with plain_client("/ws/chat/") as client:
        for number in range(80):
            client.say(str(number))
        assert await client.close_code() == 4400
        assert "too_many" in client.heard[-1]
        assert len(client.heard) < 70


async def test_who_asks_and_never_reads_is_let_go() -> None:
    async with plain_client("/ws/chat/") as client:
        await client.frames(1)
        client.stop_reading()
        client.say("one")
        client.say("two")
        client.read_again()
        assert client.closed is None or client.closed == 1013


@pytest.mark.parametrize("path", ["/ws/chat/", "/ws/chat/lobby/"])
@pytest.mark.parametrize(
    "origin", ["null", "http://evil.example", "https://127.0.0.1:8000", "http://127.0.0.1:8001", "http://127.0.0.1:8000.evil.example"]
)
async def test_a_foreign_page_is_closed_with_4403_and_hears_nothing(lobby: Room, path: str, origin: str) -> None:
    async with plain_client(path, origin=origin) as client:
        assert await client.close_code() == 4403
        assert client.accepted
        assert client.heard == []


async def test_without_an_origin_one_comes_without_cookies_only(lobby: Room, alice: Any, cookies_of: Callable[[Any], str]) -> None:
    cookies = await on_executor(cookies_of, alice)
    for path in ("/ws/chat/", "/ws/chat/lobby/"):
        async with plain_client(path, origin=None) as client:
            assert (await client.frames(1))[0] == GREETING
        async with plain_client(path, origin=None, cookies=cookies) as client:
            assert await client.close_code() == 4403


# --- rooms ---


async def test_a_room_tells_its_newest_fifty_and_then_lives(lobby: Room, alice: Any) -> None:
    for number in range(55):
        await post(lobby, alice, f"m{number}")
    async with plain_client("/ws/chat/lobby/") as client:
        assert (await client.frames(51))[0] == GREETING
        await post(lobby, alice, "live")
        assert await client.texts_until("live") == [*(f"m{number}" for number in range(5, 55)), "live"]
        last = client.messages()[-1]
        assert list(last) == ["type", "room", "user", "message", "position", "at"]
        assert (last["room"], last["user"]) == ("lobby", "alice")
        assert last["position"] == str((await on_executor(delivered.positions, [lobby.channel]))[lobby.channel])
        assert last["at"].endswith("Z")


async def test_since_tells_all_that_came_after(lobby: Room, alice: Any) -> None:
    for number in range(250):
        await post(lobby, alice, f"m{number}")
    async with plain_client("/ws/chat/lobby/") as client:
        await client.frames(51)
        position = client.messages()[0]["position"]
    epoch = position.split(":")[0]
    async with plain_client("/ws/chat/lobby/", query=f"since={epoch}:10") as client:
        await post(lobby, alice, "live")
        assert await client.texts_until("live") == [*(f"m{number}" for number in range(10, 250)), "live"]
    async with plain_client("/ws/chat/lobby/", query=f"since={epoch}:251") as client:
        await post(lobby, alice, "more")
        assert await client.texts_until("more") == ["more"]


@pytest.mark.parametrize(
    "since", ["", "x", "1", "e3f1:-1", "e3f1:1.5", "E3F1:1", "a" * 10_000 + ":1", "e3f1:" + "9" * 30, "e3f1:%00", "٣:1"]
)
async def test_a_position_that_is_none_is_told_and_the_newest_come(lobby: Room, alice: Any, since: str) -> None:
    await post(lobby, alice, "one")
    async with plain_client("/ws/chat/lobby/", query=f"since={since}") as client:
        assert await client.texts_until("one") == ["one"]
        if since:
            assert (await client.error())["code"] == "bad_position"


@pytest.mark.parametrize("since", ["ffff:0", "{epoch}:99", "{epoch}:9223372036854775807"])
async def test_a_position_of_another_life_or_beyond_the_head_gets_the_newest(lobby: Room, alice: Any, since: str) -> None:
    await post(lobby, alice, "one")
    epoch = await on_executor(delivered.epoch)
    async with plain_client("/ws/chat/lobby/", query=f"since={since.format(epoch=epoch)}") as client:
        assert await client.texts_until("one") == ["one"]


async def test_what_one_says_all_hear_once_and_in_one_order(lobby: Room, bob: Any, cookies_of: Callable[[Any], str]) -> None:
    cookies = await on_executor(cookies_of, bob)
    async with plain_client("/ws/chat/lobby/") as guest, plain_client("/ws/chat/lobby/", cookies=cookies) as member:
        await guest.frames(1)
        await member.frames(1)
        guest.say({"message": "from the guest"})
        await member.texts_until("from the guest")
        member.say({"message": "from bob"})
        assert await guest.texts_until("from bob") == await member.texts_until("from bob") == ["from the guest", "from bob"]
        names = [message["user"] for message in guest.messages()]
        assert names[0].startswith("guest-")
        assert names[1] == "bob"


async def test_a_browsers_guest_has_the_same_name_on_the_socket_and_on_the_page(lobby: Room) -> None:
    def visit() -> tuple[str, str]:
        browser = Client()
        browser.post("/rooms/lobby/messages/", {"text": "from the page"})
        return Message.objects.get().name, f"{people.guest_cookie_name()}={browser.cookies[people.guest_cookie_name()].value}"

    name, cookies = await on_executor(visit)
    async with plain_client("/ws/chat/lobby/", cookies=cookies) as client:
        client.say({"message": "from the socket"})
        await client.texts_until("from the socket")
        assert {message["user"] for message in client.messages()} == {name}


async def test_owner_member_stranger_and_guest_at_each_door(
    lobby: Room, hall: Room, club: Room, alice: Any, bob: Any, charlie: Any, cookies_of: Callable[[Any], str]
) -> None:
    async def enters(room: str, who: Any) -> bool:
        cookies = await on_executor(cookies_of, who) if who else ""
        async with plain_client(f"/ws/chat/{room}/", cookies=cookies) as client:
            client.say({"message": "hello"})
            await client.until(lambda me: me.closed or "hello" in me.texts(), described="a word or the close")
            assert client.closed in {None, 4403}
            return client.closed is None

    everybody = (alice, bob, charlie, None)
    assert [await enters("lobby", who) for who in everybody] == [True, True, True, True]
    assert [await enters("hall", who) for who in everybody] == [True, True, True, False]
    assert [await enters("club", who) for who in everybody] == [True, True, False, False]


async def test_who_was_taken_out_of_a_room_says_nothing_more_in_it(club: Room, bob: Any, cookies_of: Callable[[Any], str]) -> None:
    async with plain_client("/ws/chat/club/", cookies=await on_executor(cookies_of, bob)) as client:
        client.say({"message": "hello"})
        await client.texts_until("hello")
        await on_executor(Membership.objects.filter(user=bob).delete)
        client.say({"message": "more"})
        assert await client.close_code() == 4403
    assert await Message.objects.acount() == 1


async def test_who_signed_out_says_nothing_more(lobby: Room, bob: Any, cookies_of: Callable[[Any], str]) -> None:
    from django.contrib.sessions.models import Session

    async with plain_client("/ws/chat/lobby/", cookies=await on_executor(cookies_of, bob)) as client:
        client.say({"message": "hello"})
        await client.texts_until("hello")
        await on_executor(Session.objects.all().delete)
        client.say({"message": "more"})
        assert await client.close_code() in {4401, 4403}
    assert await Message.objects.acount() == 1


async def test_who_signed_out_hears_nothing_more(lobby: Room, alice: Any, bob: Any, cookies_of: Callable[[Any], str]) -> None:
    def sign_out(cookies: str) -> None:
        browser = Client()
        browser.cookies.load(cookies)
        browser.post("/accounts/logout/")

    cookies = await on_executor(cookies_of, bob)
    async with plain_client("/ws/chat/lobby/", cookies=cookies) as client:
        client.say({"message": "hello"})
        await client.texts_until("hello")
        await on_executor(sign_out, cookies)
        assert await client.close_code() == 4401
        await post(lobby, alice, "not for bob")
    assert client.texts() == ["hello"]


async def test_who_may_not_read_any_more_is_sent_away(club: Room, alice: Any, bob: Any, cookies_of: Callable[[Any], str]) -> None:
    from core.delivery import authority

    def take_out() -> None:
        Membership.objects.filter(user=bob).delete()
        authority.recheck_channel(club.channel)

    async with plain_client("/ws/chat/club/", cookies=await on_executor(cookies_of, bob)) as client:
        client.say({"message": "hello"})
        await client.texts_until("hello")
        await on_executor(take_out)
        assert await client.close_code() == 1013
        await post(club, alice, "not for bob")
    assert client.texts() == ["hello"]


async def test_a_check_of_everybody_leaves_those_alone_who_may_read(
    lobby: Room, club: Room, bob: Any, cookies_of: Callable[[Any], str]
) -> None:
    from core.delivery import authority

    cookies = await on_executor(cookies_of, bob)
    async with (
        plain_client("/ws/chat/club/", cookies=cookies) as member,
        plain_client("/ws/chat/lobby/") as guest,
        plain_client("/ws/chat/") as echo,
    ):
        for client in (member, guest):
            client.say({"message": "before"})
            await client.texts_until("before")
        await on_executor(authority.recheck_everybody)
        for client in (member, guest):
            client.say({"message": "after"})
            assert await client.texts_until("after") == ["before", "after"]
        echo.say("still here")
        assert (await echo.frames(2))[1] == '{"message": "still here"}'


async def test_a_token_makes_nobody_of_a_plain_socket(lobby: Room, alice: Any) -> None:
    from core.tokens import make_token

    token = (await on_executor(make_token, alice, "test", ("read:*", "publish:*")))[1]
    async with plain_client("/ws/chat/lobby/", origin=None, headers=[(b"authorization", f"Bearer {token}".encode())]) as client:
        client.say({"message": "hello"})
        await client.texts_until("hello")
        assert client.messages()[0]["user"].startswith("guest-")


@pytest.mark.parametrize("text", ["", "  ", "a\0b", "x" * 4001, "\u200b"])
async def test_a_text_that_is_none_is_refused_and_the_socket_stays(lobby: Room, text: str) -> None:
    async with plain_client("/ws/chat/lobby/") as client:
        for _ in range(6):  # a mistake in writing is no abuse
            client.say({"message": text})
            assert (await client.error())["code"] in {"empty", "bad_text", "too_long"}
        client.say({"message": "hello"})
        assert await client.texts_until("hello") == ["hello"]
    assert await Message.objects.acount() == 1


async def test_bare_text_is_no_message_of_a_room(lobby: Room) -> None:
    async with plain_client("/ws/chat/lobby/") as client:
        client.say("Hello Django")
        assert (await client.error())["code"] == "bad_frame"


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_text_arrives_as_it_was_written(lobby: Room, text: str) -> None:
    async with plain_client("/ws/chat/lobby/") as client:
        client.say({"message": text})
        await client.until(lambda me: me.messages(), described="the message")
        assert client.texts() == [text.replace("\t", "\t").strip()]


async def test_the_same_client_id_says_it_once(lobby: Room) -> None:
    async with plain_client("/ws/chat/lobby/") as client:
        for _ in range(3):
            client.say({"message": "one", "client_id": "c-1"})
        client.say({"message": "two", "client_id": "c-1"})
        assert (await client.error())["code"] == "client_id_taken"
        client.say({"message": "three"})
        assert await client.texts_until("three") == ["one", "three"]


async def test_forged_keys_change_nothing(lobby: Room, alice: Any) -> None:
    async with plain_client("/ws/chat/lobby/") as client:
        client.say(
            {
                "type": "chat.message",
                "room": "club",
                "user": "alice",
                "message": "hello",
                "position": "e3f1:1",
                "author": f"user:{alice.pk}",
            }
        )
        await client.texts_until("hello")
        message = client.messages()[0]
        assert message["room"] == "lobby"
        assert message["user"].startswith("guest-")


async def test_an_archived_room_tells_and_takes_nothing(lobby: Room, alice: Any) -> None:
    await post(lobby, alice, "one")
    lobby.archived_at = lobby.created_at
    await lobby.asave(update_fields=["archived_at"])
    async with plain_client("/ws/chat/lobby/") as client:
        await client.texts_until("one")
        client.say({"message": "two"})
        assert (await client.error())["code"] == "read_only"


# --- rooms that are not there yet ---


async def test_an_unknown_room_is_closed_with_4403() -> None:
    async with plain_client("/ws/chat/nowhere/") as client:
        assert await client.close_code() == 4403
        assert client.heard == [GREETING]


async def test_where_rooms_are_open_the_first_message_makes_one_and_all_who_waited_hear_it(
    settings: Settings, bob: Any, cookies_of: Any
) -> None:
    settings.ROOMS_OPEN = True
    async with (
        plain_client("/ws/chat/Tea_Room/") as waiting,
        plain_client("/ws/chat/tea_room/", cookies=await on_executor(cookies_of, bob)) as maker,
    ):
        await waiting.frames(1)
        assert not await Room.objects.aexists()
        maker.say({"message": "first"})
        maker.say({"message": "second"})
        assert await maker.texts_until("second") == await waiting.texts_until("second") == ["first", "second"]
        waiting.say({"message": "third"})
        assert await maker.texts_until("third") == ["first", "second", "third"]
    room = await Room.objects.aget()
    assert (room.slug, room.access) == ("tea_room", "guests")
    assert [role async for role in room.memberships.values_list("user__username", "role")] == [("bob", "owner")]


async def test_who_waits_hears_of_a_room_made_elsewhere(settings: Settings, alice: Any) -> None:
    settings.ROOMS_OPEN = True

    def elsewhere() -> None:
        room = actions.open_room("tea", title="Tea", access=Room.Access.GUESTS, owner=Person.of_user(alice))
        actions.post_message(room, author=Person.of_user(alice), text="made elsewhere")

    async with plain_client("/ws/chat/tea/") as client:
        await client.frames(1)
        await on_executor(elsewhere)
        assert await client.texts_until("made elsewhere") == ["made elsewhere"]


async def test_who_waits_for_a_room_that_is_made_for_others_is_closed(settings: Settings, alice: Any) -> None:
    settings.ROOMS_OPEN = True
    async with plain_client("/ws/chat/board-room/") as client:
        await client.frames(1)
        await on_executor(actions.open_room, "board-room", title="x", access=Room.Access.MEMBERS, owner=Person.of_user(alice))
        assert await client.close_code() == 4403


async def test_a_refused_text_makes_no_room(settings: Settings) -> None:
    settings.ROOMS_OPEN = True
    async with plain_client("/ws/chat/tea/") as client:
        client.say({"message": ""})
        assert (await client.error())["code"] == "empty"
    assert not await Room.objects.aexists()


@pytest.mark.parametrize(
    "name", ["new", "echo", "board", "a.b", "..", "%2e%2e", "é", "٣", "x" * 65, "x" * 100_000, "a b", "a\n", "\0", "a:b", "<b>", "*", "-a"]
)
async def test_a_name_that_is_none_makes_no_room(settings: Settings, name: str) -> None:
    settings.ROOMS_OPEN = True
    async with plain_client(f"/ws/chat/{name}/") as client:
        client.say({"message": "hello"})
        assert await client.close_code() in {4403, 4404}
    assert not await Room.objects.aexists()


# --- slow readers ---


async def test_a_slow_reader_gets_everything_when_it_reads_again(lobby: Room, alice: Any) -> None:
    async with plain_client("/ws/chat/lobby/") as slow, plain_client("/ws/chat/lobby/") as other:
        await slow.frames(1)
        await post(lobby, alice, "zero")
        await slow.texts_until("zero")
        slow.stop_reading()
        for number in range(30):
            await post(lobby, alice, f"m{number}")
        await other.texts_until("m29")
        slow.read_again()
        assert await slow.texts_until("m29") == ["zero", *(f"m{number}" for number in range(30))]


async def test_the_socket_and_the_page_show_one_order(lobby: Room, alice: Any, bob: Any) -> None:
    async with plain_client("/ws/chat/lobby/") as client:
        await client.frames(1)
        await asyncio.gather(*(post(lobby, who, f"{who.username} {number}") for number in range(15) for who in (alice, bob)))
        await client.until(lambda me: len(me.messages()) == 30, described="all thirty")
        shown = [message.text for message in await on_executor(history.newest, lobby)]
        assert client.texts() == shown
