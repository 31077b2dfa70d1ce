"""Everything a client can send over a real socket, on both servers: a typed answer or a close code, and no traceback in the log."""

import asyncio
import json
import socket
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.support.servers import Web, make_site
from tests.support.wire_client import SocketClient, socket_client

SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.support.settings"}


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def web(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    site = make_site(tmp_path_factory.mktemp("site"), **SETTINGS)
    with site.web(server=request.param) as process:
        yield process
        written = process.output()
        assert "Traceback" not in written and "ERROR" not in written, written[-4000:]
        assert "secret" not in written, "a query string reached the log"


async def answered(client: SocketClient) -> dict[str, Any]:
    return await client.until(lambda me: next((frame for frame in me.frames if frame.get("ok") is False), None), described="an error reply")


async def still_answers(client: SocketClient) -> None:
    client.say({"do": "ping"})
    await client.until(lambda me: any(frame.get("signal") == "pong" for frame in me.frames), described="a pong")


POSITIONS: list[Any] = [
    "1",
    1,
    1.5,
    -1,
    True,
    2**64,
    [],
    {},
    "",
    "x:1",
    "e3f1:-1",
    "e3f1:01",
    "e3f1:1.5",
    "e" * 1000 + ":1",
    "e3f1:" + "9" * 30,
]
NAMES = [
    "user:1\n",
    "user:١",
    "../../etc",
    "room:*",
    "room:%",
    "ROOM:1",
    "room:a/b",
    "room:\u0000",
    "room:\u202e1",
    "a" * 5000,
    "room",
    ":",
    "'; DROP--",
]


@pytest.mark.parametrize("position", POSITIONS, ids=lambda value: repr(value)[:20])
async def test_a_position_that_is_none_is_refused_and_the_socket_stays(web: Web, position: Any) -> None:
    async with socket_client(web.socket_url) as client:
        client.say({"do": "resume", "at": {"testlog:a": position}})
        reply = await client.until(lambda me: me.frames and me.frames[0])
        assert reply["refused"] == {"testlog:a": "bad_position"}
        await still_answers(client)


@pytest.mark.parametrize("name", NAMES, ids=lambda value: ascii(value)[:20])
async def test_a_name_that_is_none_is_refused_and_the_socket_stays(web: Web, name: str) -> None:
    async with socket_client(web.socket_url) as client:
        client.say({"do": "resume", "at": {name: None}})
        reply = await client.until(lambda me: me.frames and me.frames[0])
        assert list(reply["refused"].values()) == ["bad_channel"]
        await still_answers(client)


FRAMES = ["", "{", '{"do"', "nonsense", "[]", '"x"', "17", "null", '{"do":"fly"}', '{"id":"1","do":"ping"}', '{"id":-1,"do":"ping"}']
FRAMES += ["[" * 20_000, '{"n":' + "9" * 4400 + "}", '{"n":NaN}', '{"n":1e400}', '{"t":"\\ud800"}', '{"do":"ping","do":"__class__"}']
FRAMES += [
    '{"type":"websocket.disconnect"}',
    '{"do":"subscribe","at":[]}',
    '{"do":"unsubscribe"}',
    '{"do":"typing"}',
    '{"do":"seen","channel":"a"}',
]


@pytest.mark.parametrize("frame", FRAMES, ids=lambda value: value[:24])
async def test_a_frame_that_cannot_be_read_gets_an_error_reply_and_the_socket_stays(web: Web, frame: str) -> None:
    async with socket_client(web.socket_url + "?token=secret") as client:
        client.say({"do": "resume", "at": {}})
        await client.reply_to(0)
        client.say(frame)
        error = (await answered(client))["error"]
        assert error["code"] and error["detail"]
        await still_answers(client)


async def test_binary_frames_and_a_text_over_the_limit_get_an_error_reply(web: Web) -> None:
    async with socket_client(web.socket_url) as client:
        await client._socket.send(b"\x00\x01")
        assert (await answered(client))["error"]["code"] == "bad_frame"
        client.frames.clear()
        client.say(json.dumps({"do": "resume", "at": {}, "pad": "x" * 70_000}))
        assert (await answered(client))["error"]["code"] == "too_large"
        await still_answers(client)


async def test_endless_continuation_is_cut_and_hurts_nobody(web: Web) -> None:
    async with connect(web.socket_url, origin=web.url, proxy=None, max_size=None) as raw:

        async def parts() -> Any:
            for _ in range(400):
                yield "x" * 1000

        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(raw.send(parts()), 20) or await asyncio.wait_for(raw.recv(), 20)
        # uvicorn drops the connection with our bytes unread, so that its 1009 may be lost to a reset.
        assert closed.value.rcvd is None or closed.value.rcvd.code == 1009
    async with socket_client(web.socket_url) as client:
        await still_answers(client)


def test_what_is_no_utf8_is_closed_with_1007(web: Web) -> None:
    assert _close_code_after(web, b"\xff\xfe broken") == 1007


def _close_code_after(web: Web, payload: bytes) -> int:
    """Speak the handshake and one masked text frame by hand, since no client library would send it."""
    with socket.create_connection(("127.0.0.1", web.port), timeout=20) as raw:
        raw.sendall(
            f"GET /live/ws HTTP/1.1\r\nHost: 127.0.0.1:{web.port}\r\nOrigin: {web.url}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += raw.recv(4096)
        mask = b"abcd"
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
        raw.sendall(bytes([0x81, 0x80 | len(payload)]) + mask + masked)
        frame = answer.split(b"\r\n\r\n", 1)[1]
        while len(frame) < 4:
            more = raw.recv(4096)
            assert more, "the connection was cut without a close frame"
            frame += more
        assert frame[0] & 0x0F == 8
        return int(struct.unpack("!H", frame[2:4])[0])


async def test_a_flood_of_commands_is_answered_with_errors_and_then_closed(web: Web) -> None:
    async with socket_client(web.socket_url) as client:
        client.say({"do": "resume", "at": {}})
        await client.reply_to(0)
        for _ in range(200):
            client.say({"do": "ping"})
        await client.until(lambda me: me.closed == 4400, described="a close with 4400")
        assert any(frame.get("error", {}).get("code") == "too_many_commands" for frame in client.frames)


async def test_too_many_channels_are_refused_at_once(web: Web) -> None:
    async with socket_client(web.socket_url) as client:
        client.say({"do": "resume", "at": {f"testlog:{n}": None for n in range(1000)}})
        assert (await answered(client))["error"]["code"] == "too_many_channels"


async def test_silence_is_closed(web: Web) -> None:
    async with socket_client(web.socket_url) as client:
        await client.until(lambda me: me.closed == 4400, described="a close of who never resumes")


async def test_what_is_sent_after_the_close_hurts_nobody(web: Web) -> None:
    async with socket_client(web.socket_url) as client:
        for _ in range(8):
            client.say("garbage")
        await client.until(lambda me: me.closed == 4400)
    async with socket_client(web.socket_url) as client:
        await asyncio.wait_for(still_answers(client), 20)
