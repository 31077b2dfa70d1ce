"""What a request to the API may bring: size, text, JSON. Bad ones are refused before an operation sees them: docs/reference/api.md."""

from typing import Any

import msgspec
from django.http import HttpRequest
from ninja import Schema
from ninja.parser import Parser
from pydantic import ConfigDict

from core.delivery.payload import BadPayload, is_clean, normalised
from core.errors import Code, Problem, quoted

MAX_BODY = 1024 * 1024
# curl -d calls whatever it sends a form: JSON and text are read under that name too. Nothing here ever reads a form.
_JSON_TYPES = ("application/json", "text/plain", "application/x-www-form-urlencoded")


class Strict(Schema):
    """A body that takes no fields but its own: a misspelt one is an error and not silence."""

    model_config = ConfigDict(extra="forbid")


def admit(request: HttpRequest) -> None:
    """Refuse what no operation can use. Raises Problem: NUL in the address (422), a bad length (400), a body over MAX_BODY (413)."""
    if "\0" in request.path or any("\0" in text for pair in request.GET.lists() for text in (pair[0], *pair[1])):
        raise Problem(Code.NOT_TEXT, "An address holds no NUL.")
    declared = request.META.get("CONTENT_LENGTH") or ""
    if declared and not (declared.isascii() and declared.isdigit()):
        raise Problem(Code.BAD_REQUEST, "Content-Length is not a number.")
    if len(declared) > 18 or int(declared or 0) > MAX_BODY:
        raise _too_large()
    if not declared and not hasattr(request, "_body"):
        _read_undeclared(request)


def _read_undeclared(request: HttpRequest) -> None:
    # A chunked body has no length to look at. Where Django looks for the body, it finds what was read here.
    body = request.read(MAX_BODY + 1)
    if len(body) > MAX_BODY:
        raise _too_large()
    request._body = body


def _too_large() -> Problem:
    return Problem(Code.TOO_LARGE, f"A body is at most {MAX_BODY} bytes.")


def text_of(request: HttpRequest, *, most: int, field: str = "body") -> str:
    """The body as text, stripped. Raises Problem (422): not UTF-8, NUL, empty, or over `most` characters."""
    text = decoded(request.body, field=field).strip()
    if not text:
        raise Problem(Code.INVALID, "The body is empty; it holds the text.", field=field)
    if len(text) > most:
        raise Problem(Code.INVALID, f"The text is {len(text)} characters long; at most {most}.", field=field)
    return text


def decoded(raw: bytes, *, field: str = "body") -> str:
    """Bytes as text. Raises Problem (422): not UTF-8, or with NUL."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise Problem(Code.NOT_TEXT, "The text is not UTF-8.", field=field) from None
    if not is_clean(text):
        raise Problem(Code.NOT_TEXT, "Text holds no NUL.", field=field)
    return text


class Json(Parser):
    """Reads JSON bodies: strict JSON in UTF-8, text in NFC without NUL, finite numbers of at most 64 bits, 32 levels deep."""

    def parse_body(self, request: HttpRequest) -> Any:
        kind = (request.content_type or "").lower()
        if kind and kind not in _JSON_TYPES and not kind.endswith("+json"):
            detail = f"{quoted(kind)} is not taken here; send application/json."
            raise Problem(Code.CONTENT_TYPE, detail, field="Content-Type", allowed=["application/json"])
        text = decoded(request.body)
        try:
            return normalised({"body": msgspec.json.decode(text)}, limit=0)["body"]
        except (msgspec.DecodeError, RecursionError) as error:
            reason = "it is too deep" if isinstance(error, RecursionError) else str(error).rstrip(".")
            raise Problem(Code.BAD_JSON, f"The body is not JSON: {reason}.", field="body") from error
        except BadPayload as error:
            raise Problem(Code.INVALID, str(error), field="body") from error
