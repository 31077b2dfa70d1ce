"""The words of the plain chat sockets: what a client may send, and what it hears. Pure; the only place that knows their JSON keys.

They speak as the systems that this one grew out of, so that a client of theirs works here unchanged.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

GREETING = {"type": "connection_established", "message": "You are now connected!"}


class BadFrame(ValueError):
    """The frame cannot be read; the text says what would be right."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class _Frame(msgspec.Struct):
    message: str
    client_id: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """What a client said. `raw`: it sent bare text and no JSON."""

    message: str
    client_id: str = ""
    raw: bool = False


_decoder = msgspec.json.Decoder(_Frame)


def heard(text: str | None, *, limit: int) -> Said:
    """Read a frame: an object with a message, or bare text. Whatever else its JSON holds is not looked at. Raises BadFrame."""
    if text is None:
        raise BadFrame("bad_frame", "Frames are text, not binary.")
    if limit and len(text.encode("utf-8", "surrogatepass")) > limit:
        raise BadFrame("too_large", f"A frame is at most {limit} bytes.")
    if not text.lstrip().startswith(("{", "[")):
        return Said(text, raw=True)
    try:
        frame = _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BadFrame("bad_frame", 'Send {"message": "..."}.') from error
    return Said(frame.message, frame.client_id)


def greeting() -> str:
    return _written(GREETING)


def echoed(said: Said) -> str:
    """The echo's answer: bare text to an object, an object to bare text, as it was there."""
    return _written({"message": said.message}) if said.raw else f"You said: {said.message}"


def chat(*, room: str, data: Mapping[str, Any], position: str) -> str:
    """One message of a room, from the data of its event."""
    return _written(
        {"type": "chat.message", "room": room, "user": data["name"], "message": data["text"], "position": position, "at": data["at"]}
    )


def stored(client_id: str) -> str:
    """The answer to a message that came with a name of the client's own."""
    return _written({"type": "chat.stored", "client_id": client_id})


def refusal(code: str, detail: str) -> str:
    return _written({"type": "error", "code": code, "detail": detail})


def _written(value: Mapping[str, Any]) -> str:
    # As json.dumps writes it, with its blanks: clients of the old systems compare the text.
    return json.dumps(value)
