"""The wire: every JSON key that a client or the channel layer sees is written here and nowhere else. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from core.delivery.channel import Event
from core.delivery.position import Range

_encoder = msgspec.json.Encoder()


class BadFrame(ValueError):
    """A client's frame cannot be read; the text says what would have been right."""


# --- JSON ---


def dump(value: Any) -> str:
    """Compact JSON text. Raises ValueError or TypeError for what JSON cannot say."""
    return _encoder.encode(value).decode()


def load(text: str | bytes) -> Any:
    return msgspec.json.decode(text)


# --- the channel layer ---


def batch(channel: str, span: Range, events: Iterable[Event]) -> dict[str, Any]:
    """The layer message that carries one channel's newly numbered events."""
    return {
        "type": "live.batch",
        "channel": channel,
        "epoch": span.epoch,
        "from": span.start,
        "to": span.end,
        "events": [[e.offset, e.type, e.key, e.data, e.at] for e in events],
    }


def heads(positions: Iterable[tuple[str, int]], epoch: str) -> dict[str, Any]:
    """The layer message that names channels with news but carries none."""
    return {"type": "live.heads", "epoch": epoch, "heads": [list(position) for position in positions]}


def ephemeral(channel: str, events: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    return {"type": "live.ephemeral", "channel": channel, "events": [list(event) for event in events]}


def hello(group: str) -> dict[str, Any]:
    """The layer message by which a shell asks all hubs to answer into a group."""
    return {"type": "live.hello", "to": group}


def here(process: str) -> dict[str, Any]:
    return {"type": "live.here", "process": process}


# --- to the client ---


def push(channel: str, span: Range, html: str) -> str:
    """A frame that covers a range."""
    return dump({"channel": channel, "epoch": span.epoch, "from": span.start, "to": span.end, "html": html})


def push_unranged(channel: str, html: str) -> str:
    """A frame without a range: counts, and what is ephemeral."""
    return dump({"channel": channel, "html": html})


def json_event(channel: str, epoch: str, event: Event) -> dict[str, Any]:
    """One event in the JSON form, as SSE (`as=json`) and long-poll give it."""
    return {
        "channel": channel,
        "position": f"{epoch}:{event.offset}",
        "type": event.type,
        "key": event.key,
        "data": event.data,
        "at": event.at,
    }


def reply(number: int, **content: Any) -> str:
    return dump({"reply": number, "ok": True, **content})


def refusal(number: int | None, *, code: str, detail: str, field: str | None = None) -> str:
    return dump({"reply": number, "ok": False, "error": {"code": code, "field": field, "detail": detail}})


def standing(at: Mapping[str, tuple[str, bool]], refused: Mapping[str, str]) -> dict[str, Any]:
    """Where each channel of a resume or subscribe now stands, and why some were refused."""
    content: dict[str, Any] = {"at": {name: {"position": position, "recovered": ok} for name, (position, ok) in at.items()}}
    if refused:
        content["refused"] = dict(refused)
    return content


def signal_resync(channels: Sequence[str]) -> str:
    return dump({"signal": "resync", "channels": list(channels)})


def signal_closing(retry_ms: int) -> str:
    return dump({"signal": "closing", "retry_ms": retry_ms})


PONG = dump({"signal": "pong"})
