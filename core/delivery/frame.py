"""A frame's text with the bytes that a server would write for it, built once for everybody who gets it. Pure."""

import struct

_TEXT = 0x81  # a whole message of text, not compressed


class Frame(str):
    """The text of one frame. `wire`: that text as one unmasked WebSocket frame (RFC 6455, section 5.2)."""

    __slots__ = ("wire",)

    wire: bytes

    def __new__(cls, text: str) -> "Frame":
        frame = super().__new__(cls, text)
        payload = text.encode()
        frame.wire = _head(len(payload)) + payload
        return frame


def _head(size: int) -> bytes:
    if size < 126:
        return struct.pack("!BB", _TEXT, size)
    if size < 2**16:
        return struct.pack("!BBH", _TEXT, 126, size)
    return struct.pack("!BBQ", _TEXT, 127, size)
