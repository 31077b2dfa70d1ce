"""uvicorn's WebSocket protocol, as `manage.py serve` runs it: it logs no query string, and no traceback for what a client sends.

Rests on `send_receive_event_to_app`, `frames`, `curr_msg_data_type` and `handle_parser_exception` of uvicorn 0.54, held by
tests/core/delivery/test_bad_frames.py.
"""

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol


class QuietWebSockets(WebSocketsSansIOProtocol):
    """Closes with 1007 what is no UTF-8, and says nothing about it."""

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text" and not _is_text(self.frames):
            self.frames = []
            self.conn.send_close(1007)
            self.handle_parser_exception()
            return
        super().send_receive_event_to_app()


def _is_text(parts: list[Any]) -> bool:
    try:
        b"".join(parts).decode()
    except UnicodeDecodeError:
        return False
    return True
