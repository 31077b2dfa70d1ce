"""What may be an event's payload: JSON, finite, normalised, of limited size. Pure."""

import math
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from core.delivery import wire

MAX_DEPTH = 32
MAX_INTEGER = 2**63
_SURROGATE = re.compile("[\ud800-\udfff]")


class BadPayload(ValueError):
    """The payload cannot be carried; the text says what would be right."""


def is_clean(text: str) -> bool:
    """Whether every database and every JSON reader takes this text: no NUL, no lone surrogate."""
    return "\0" not in text and (text.isascii() or not _SURROGATE.search(text))


def normalised(data: Mapping[str, Any], *, limit: int) -> dict[str, Any]:
    """Return the payload with its text in NFC. Raises BadPayload: not JSON, not finite, too deep, or over `limit` bytes of JSON."""
    clean, _ = _checked(data, limit)
    return clean


def written(data: Mapping[str, Any], *, limit: int) -> str:
    """The same payload as compact JSON. Raises BadPayload."""
    _, text = _checked(data, limit)
    return text


def _checked(data: Mapping[str, Any], limit: int) -> tuple[dict[str, Any], str]:
    if not isinstance(data, Mapping):
        raise BadPayload("A payload is a JSON object.")
    clean: dict[str, Any] = _normal(data, 0)
    text = wire.dump(clean)
    size = len(text) if text.isascii() else len(text.encode())
    if limit and size > limit:
        raise BadPayload(f"A payload is at most {limit} bytes of JSON; this one has {size}.")
    return clean, text


def _normal(value: Any, depth: int) -> Any:
    # By exact type first, the commonest before the others: a chart's payload is hundreds of numbers.
    kind = type(value)
    if kind is float and math.isfinite(value):
        return value
    if depth > MAX_DEPTH:
        raise BadPayload(f"A payload is at most {MAX_DEPTH} levels deep.")
    if kind is dict:
        return {_key(key): _normal(item, depth + 1) for key, item in value.items()}
    if kind is list or kind is tuple:
        return [_normal(item, depth + 1) for item in value]
    return _checked_one(value, depth)


def _checked_one(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        if not is_clean(value):
            raise BadPayload("Text may hold neither NUL nor lone surrogates.")
        return value if value.isascii() else unicodedata.normalize("NFC", str(value))
    if isinstance(value, int):
        if not -MAX_INTEGER <= value < MAX_INTEGER:
            raise BadPayload("A whole number is between -2^63 and 2^63 - 1.")
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise BadPayload("A number is finite: no NaN, no infinity.")
        return value
    if isinstance(value, Mapping):
        return {_key(key): _normal(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_normal(item, depth + 1) for item in value]
    raise BadPayload(f"A payload is made of JSON's types; {type(value).__name__} is none of them.")


def _key(key: Any) -> str:
    if type(key) is str and key.isascii() and "\0" not in key:
        return key
    if not isinstance(key, str):
        raise BadPayload("The names in a payload are text.")
    return str(_checked_one(key, 0))
