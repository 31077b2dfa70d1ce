"""Frames whose bytes are built once: the same bytes as a server would write, handed over past its `send` where its insides are known."""

import asyncio
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.asyncio.client import connect, unix_connect
from websockets.frames import Frame as WebSocketFrame
from websockets.frames import Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from core import uvicorn_protocol
from core.delivery.frame import Frame
from core.delivery.outlet import Outlet
from core.delivery.writers import NO_WRITER, Gone, write_all, writer_of
from tests.core.delivery.test_processes import publisher
from tests.support.servers import make_site
from tests.support.wire_client import socket_client


@pytest.mark.parametrize("text", ["", "x" * 125, "x" * 126, "ö" * 63, "x" * 65_535, "x" * 65_536, '{"html":"<p>schön 漢字 🙂</p>"}'])
def test_a_frame_is_what_a_server_would_write(text: str) -> None:
    frame = Frame(text)
    assert frame.wire == WebSocketFrame(Opcode.TEXT, text.encode()).serialize(mask=False)
    assert frame == text and json.dumps(frame) == json.dumps(text)


class Transport:
    """Takes what is written, as both servers' transports do."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closing = False
        self.waiting = 0

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def is_closing(self) -> bool:
        return self.closing

    def get_write_buffer_size(self) -> int:
        return self.waiting


class TCPTransport(Transport):
    """As uvloop's, over a real socket."""

    __module__ = "uvloop.loop"

    def __init__(self, own: socket.socket) -> None:
        super().__init__()
        self.own = own

    def get_extra_info(self, name: str) -> socket.socket:
        assert name == "socket"
        return self.own


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


def uvicorns(**different: Any) -> Any:
    """uvicorn's protocol with an open socket, without a server around it."""
    protocol = uvicorn_protocol.QuietWebSockets.__new__(uvicorn_protocol.QuietWebSockets)
    protocol.transport, protocol.conn = Transport(), ServerProtocol()  # type: ignore[assignment]
    protocol.conn.state = OPEN
    protocol.close_sent = protocol.disconnected = False
    for name, value in different.items():
        setattr(protocol, name, value)
    return protocol


def test_built_frames_go_to_the_kernel_past_uvloop_and_behind_what_waits(ends: tuple[socket.socket, socket.socket]) -> None:
    protocol = uvicorns(transport=TCPTransport(ends[0]))
    writer = writer_of(protocol)
    assert writer.file() == ends[0].fileno()
    assert write_all([writer.file()], Frame("hello").wire) == [] and ends[1].recv(100) == b"\x81\x05hello"
    protocol.transport.waiting = 1
    assert writer.file() == -1
    writer.write(Frame("again").wire)
    assert protocol.transport.written == [b"\x81\x05again"]


def test_what_a_kernel_does_not_take_is_named_and_keeps_nobody_else_waiting(ends: tuple[socket.socket, socket.socket]) -> None:
    closed, (own, theirs) = socket.socketpair(), ends
    closed[1].close()
    data = b"x" * 50_000
    with closed[0]:
        left: list[tuple[int, int]] = []
        taken = 0
        while not left:
            left = write_all([own.fileno()], data)
            taken += left[0][1] if left else len(data)
        assert theirs.recv(taken + 1, socket.MSG_WAITALL | socket.MSG_DONTWAIT) == b"x" * taken and left[0][0] == 0
        assert write_all([closed[0].fileno(), own.fileno()], b"y") == [(0, 0)] and theirs.recv(2) == b"y"


def test_a_transport_that_is_not_plain_tcp_is_written_to_by_its_own_way() -> None:
    protocol = uvicorns()
    writer = writer_of(protocol)
    assert writer.own == -1 and writer.file() == -1
    writer.write(b"y")
    assert protocol.transport.written == [b"y"]


def test_nothing_goes_past_what_waits() -> None:
    protocol = uvicorns()
    protocol.transport.waiting = 1
    writer = writer_of(protocol)
    assert writer.file() == -1 and protocol.transport.written == []
    writer.write(b"y")
    assert protocol.transport.written == [b"y"]


@pytest.mark.parametrize("how", ["we close", "it is lost"])
def test_a_client_that_is_leaving_is_written_nothing(how: str, ends: tuple[socket.socket, socket.socket]) -> None:
    protocol = uvicorns(close_sent=how == "we close", transport=TCPTransport(ends[0]))
    protocol.transport.closing = how == "it is lost"
    writer = writer_of(protocol)
    assert writer.file() == -1
    with pytest.raises(Gone):
        writer.write(b"x")
    assert protocol.transport.written == []


def test_uvicorn_with_other_insides_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    async def another_send(self: Any, message: Any) -> None:
        await self.somewhere_else(message)

    compressing = uvicorns()
    compressing.conn.extensions = [object()]
    assert writer_of(compressing) is NO_WRITER
    assert writer_of(uvicorns(conn=object())) is NO_WRITER
    monkeypatch.setattr(WebSocketsSansIOProtocol, "send", another_send)
    assert writer_of(uvicorns()) is NO_WRITER


def test_an_unknown_server_is_left_alone() -> None:
    assert writer_of(object()) is NO_WRITER and writer_of(None) is NO_WRITER


async def test_without_a_short_cut_a_frame_goes_through_send() -> None:
    taken = []

    async def send(message: Any) -> None:
        taken.append(message)

    Outlet(send, credit=100).send_frame(Frame("hello"), "room:1", "e3f1", 1)
    assert taken == [{"type": "websocket.send", "text": "hello"}]


@pytest.mark.matrix
@pytest.mark.parametrize("server", ["daphne", "uvicorn"])
async def test_both_servers_are_known_and_frames_keep_their_place_among_other_messages(server: str, tmp_path: Path) -> None:
    """The contract: each server gives its short cut, and what takes it and what does not arrives in the order in which it was said."""
    site = make_site(tmp_path, DJANGO_SETTINGS_MODULE="tests.support.flow_settings")
    with site.web(server=server) as web, publisher(site) as one:
        async with socket_client(web.socket_url) as client, connect(f"ws://127.0.0.1:{web.port}/test/outlets", proxy=None) as probe:
            client.positions = {"testflow:a": "0:0"}
            await client.resume()
            await probe.send("how many")
            assert json.loads(await probe.recv())["short_cuts"] == 1
            for number in range(20):
                await asyncio.to_thread(one.publish, "testflow:a", "sheet", number=number)
                client.say({"do": "ping"})
            await client.texts_until("testflow:a", "[19]")
            await client.until(lambda me: sum(frame.get("signal") == "pong" for frame in me.frames) == 20)
            assert [frame["to"] for frame in client.frames if "to" in frame][-1] == 20


async def test_an_idle_socket_of_uvicorn_holds_neither_its_handshake_nor_four_queues(tmp_path: Path) -> None:
    opened: list[uvicorn_protocol.QuietWebSockets] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        opened.append(send.__self__)
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})

    config = uvicorn.Config(application, ws=uvicorn_protocol.QuietWebSockets, uds=str(tmp_path / "s"), lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0)
    async with unix_connect(str(tmp_path / "s"), "ws://localhost/") as client:
        for text in ("one", "two", "three"):
            await client.send(text)
        assert [await client.recv() for _ in range(3)] == ["one", "two", "three"]
        held = vars(opened[0])
        assert "request" not in held and "response" not in held and type(held["queue"]) is uvicorn_protocol.Inbox
        await client.ping()  # the keepalive goes on
    server.should_exit = True
    await serving


async def test_an_inbox_hands_on_in_order_and_wakes_its_reader() -> None:
    inbox = uvicorn_protocol.Inbox()
    reader = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)
    reader.cancel()  # as when Channels lets go of a receive
    await asyncio.wait({reader})
    inbox.put_nowait(1)
    inbox.put_nowait(2)
    assert [await inbox.get(), await inbox.get()] == [1, 2] and inbox.empty()
    waiting = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)
    inbox.put_nowait(3)
    inbox.put_nowait(4)
    assert await waiting == 3 and not inbox.empty() and await inbox.get() == 4
