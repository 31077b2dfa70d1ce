"""uvicorn's WebSocket protocol, as `manage.py serve` runs it (elsewhere: `--ws core.uvicorn_protocol:QuietWebSockets`).

It logs no query string and no traceback for what a client sends, and it takes frames whose bytes are built already: docs/fan-out.md.

Rests on `send_receive_event_to_app`, `frames`, `curr_msg_data_type` and `handle_parser_exception` of uvicorn 0.54, held by
tests/core/delivery/test_bad_frames.py; and on what `_INSIDES` names, held by tests/core/delivery/test_writers.py.
"""

from collections.abc import Callable
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from core.delivery.writers import Gone

# What the base class's `send` does with a message, by name: another list is another way, which we do not know.
_INSIDES = {"conn", "send_text", "data_to_send", "transport", "write", "close_sent", "disconnected", "handshake_complete"}


class QuietWebSockets(WebSocketsSansIOProtocol):
    """Closes with 1007 what is no UTF-8, and says nothing about it."""

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text" and not _is_text(self.frames):
            self.frames = []
            self.conn.send_close(1007)
            self.handle_parser_exception()
            return
        super().send_receive_event_to_app()

    def frame_writer(self) -> Callable[[bytes], None] | None:
        """Write a built frame straight to the transport, or None when uvicorn's insides are not those that we know."""
        if not _knows(self):
            return None
        conn, write, is_closing = self.conn, self.transport.write, self.transport.is_closing

        def write_frame(data: bytes) -> None:
            if conn.state is not OPEN or self.close_sent or self.disconnected or is_closing():
                raise Gone
            write(data)

        return write_frame


def _knows(protocol: Any) -> bool:
    """Whether this protocol has nothing to do for a text but to frame it and write it."""
    names = set(WebSocketsSansIOProtocol.send.__code__.co_names)
    conn = getattr(protocol, "conn", None)
    return (
        names >= _INSIDES
        and all(hasattr(protocol, name) for name in ("close_sent", "disconnected", "transport"))
        and type(conn) is ServerProtocol
        and not conn.extensions  # compression would have to see every frame
    )


def _is_text(parts: list[Any]) -> bool:
    try:
        b"".join(parts).decode()
    except UnicodeDecodeError:
        return False
    return True
