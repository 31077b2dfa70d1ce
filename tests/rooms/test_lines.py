"""The outlet of plain sockets: a frame for each line, in order, within the client's credit."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from core.delivery.channel import ChannelName, Event
from core.delivery.forms import Entry
from core.delivery.position import Range
from notifications.rooms.kinds import RoomKind
from notifications.rooms.lines import LineForm, LineOutlet


class Server:
    """A server's `send` that takes one message each time it is told to."""

    def __init__(self, *, open: bool) -> None:
        self.sent: list[dict[str, Any]] = []
        self.gate = asyncio.Semaphore(1000 if open else 0)

    async def send(self, message: Any) -> None:
        self.sent.append(dict(message))
        await self.gate.acquire()

    @property
    def texts(self) -> list[str]:
        return [message["text"] for message in self.sent if message["type"] == "websocket.send"]


def message(place: int, **more: Any) -> Event:
    data = {"id": place, "author": "user:1", "name": "alice", "text": f"m{place}", "html": "", "at": "2026-11-21T07:10:00Z"}
    return Event(place, "message.put", str(place), data | more, 0.0)


def frame(*events: Event) -> str:
    entries = [Entry(RoomKind(), "3", event) for event in events]
    return LineForm("lobby").frame(ChannelName("room", "3"), Range("e3f1", 0, 9), entries, "")


async def test_each_message_of_a_batch_is_a_frame_of_its_own() -> None:
    server = Server(open=True)
    outlet = LineOutlet(server.send, credit=0)
    outlet.send_frame(frame(message(1), message(2)), "room:3", "e3f1", 2)
    assert [json.loads(text)["position"] for text in server.texts] == ["e3f1:1", "e3f1:2"]
    assert outlet.has_credit


async def test_what_is_no_new_message_says_nothing() -> None:
    assert frame(Event(1, "reaction", "5", {}, 0.0), message(2, offset=1), Event(3, "message.gone", "5", {}, 0.0)) == ""


async def test_lines_wait_while_the_server_makes_us_wait_and_keep_their_order() -> None:
    server = Server(open=False)
    outlet = LineOutlet(server.send, credit=0)
    outlet.send_frame(frame(message(1), message(2), message(3)), "room:3", "e3f1", 3)
    assert len(server.texts) == 1
    assert not outlet.has_credit
    for _ in range(3):
        server.gate.release()
        await outlet.drained()
    assert [json.loads(text)["message"] for text in server.texts] == ["m1", "m2", "m3"]
    assert outlet.has_credit


HOLES: list[Callable[[LineOutlet], None]] = [
    lambda outlet: outlet.send_answer(0, {"room:3": ("e3f1:9", False)}, {}),
    lambda outlet: outlet.send_resync(LineForm("lobby").resync(["room:3"]), "room:3", "e3f1", 9),
    lambda outlet: outlet.send_text(LineForm("lobby").resync(["room:3"])),
]


async def test_a_hole_that_cannot_be_filled_ends_the_socket() -> None:
    for hole in HOLES:
        server = Server(open=True)
        outlet = LineOutlet(server.send, credit=0)
        hole(outlet)
        assert server.sent[-1] == {"type": "websocket.close", "code": 1013}
        assert not outlet.has_credit


async def test_answers_and_hints_for_pages_are_not_said() -> None:
    server = Server(open=True)
    outlet = LineOutlet(server.send, credit=0)
    outlet.send_answer(0, {"room:3": ("e3f1:9", True)}, {})
    outlet.close(1012, retry_ms=500)
    assert server.sent == [{"type": "websocket.close", "code": 1012}]
