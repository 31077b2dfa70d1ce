"""uvicorn's WebSocket protocol, as `manage.py serve` runs it (elsewhere: `--ws core.uvicorn_protocol:QuietWebSockets`).

It logs no query string and no traceback for what a client sends, and it takes frames whose bytes are built already: docs/fan-out.md.

Rests on `send_receive_event_to_app`, `frames`, `curr_msg_data_type` and `handle_parser_exception` of uvicorn 0.54, held by
tests/core/delivery/test_bad_frames.py; on `queue`, `request`, `response` and `start_keepalive`, and on what `_INSIDES` names, held by
tests/core/delivery/test_writers.py.
"""

import asyncio
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.server import ServerProtocol

from core.delivery.writers import NO_WRITER, Gone, Writer

# What the base class's `send` does with a message, by name: another list is another way, which we do not know.
_INSIDES = {"conn", "send_text", "data_to_send", "transport", "write", "close_sent", "disconnected", "handshake_complete"}


class Inbox:
    """What uvicorn needs of an asyncio.Queue, for one reader: the whole one is four deques, 3 kB for each connection that is open."""

    __slots__ = ("_arrived", "_messages")

    def __init__(self) -> None:
        self._messages: list[Any] = []
        self._arrived: asyncio.Future[None] | None = None

    def put_nowait(self, message: Any) -> None:
        self._messages.append(message)
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)

    def empty(self) -> bool:
        return not self._messages

    async def get(self) -> Any:
        while not self._messages:
            self._arrived = asyncio.get_running_loop().create_future()
            try:
                await self._arrived
            finally:
                self._arrived = None
        return self._messages.pop(0)  # there are one or two: uvicorn stops reading until a message has been taken


class QuietWebSockets(WebSocketsSansIOProtocol):
    """Closes with 1007 what is no UTF-8, and says nothing about it. Holds no more of an idle connection than it needs."""

    __slots__ = ("close_sent",)  # in the object itself, and not in its large dictionary: a fan-out asks a thousand of them

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.queue = Inbox()  # type: ignore[assignment]

    def start_keepalive(self) -> None:
        super().start_keepalive()
        # The handshake is over, and nobody looks at these again; websockets' parser holds on to the request itself.
        self.request.headers.clear()
        del self.request, self.response

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text" and not _is_text(self.frames):
            self.frames = []
            self.conn.send_close(1007)
            self.handle_parser_exception()
            return
        super().send_receive_event_to_app()

    def frame_writer(self) -> Writer:
        """What writes built frames straight to the transport; NO_WRITER when uvicorn's insides are not those that we know."""
        return _UvicornWriter(self) if _knows(self) else NO_WRITER


class _UvicornWriter:
    __slots__ = ("_protocol", "_transport", "own")

    def __init__(self, protocol: QuietWebSockets) -> None:
        self._protocol, self._transport = protocol, protocol.transport
        self.own = _plain_socket(protocol.transport)

    def file(self) -> int:
        transport = self._transport
        # Without uvloop's list of writers. What is lost is closing.
        return -1 if transport.get_write_buffer_size() or transport.is_closing() or self._protocol.close_sent else self.own

    def behind(self, data: bytes) -> None:
        self._transport.write(data)

    def write(self, data: bytes) -> None:
        if self._protocol.close_sent or self._transport.is_closing():
            raise Gone
        self._transport.write(data)


def _knows(protocol: Any) -> bool:
    """Whether this protocol has nothing to do for a text but to frame it and write it."""
    names = set(WebSocketsSansIOProtocol.send.__code__.co_names)
    conn = getattr(protocol, "conn", None)
    return (
        names >= _INSIDES
        and all(hasattr(protocol, name) for name in ("close_sent", "transport"))
        and type(conn) is ServerProtocol
        and not conn.extensions  # compression would have to see every frame
    )


def _plain_socket(transport: Any) -> int:
    """The file descriptor behind uvloop's transport of plain TCP; -1 for any other, whose bytes may not be those of the wire."""
    if (type(transport).__module__, type(transport).__name__) != ("uvloop.loop", "TCPTransport"):
        return -1
    return int(transport.get_extra_info("socket").fileno())


def _is_text(parts: list[Any]) -> bool:
    try:
        b"".join(parts).decode()
    except UnicodeDecodeError:
        return False
    return True
