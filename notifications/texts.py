"""What may stand in a notification: titles, bodies, addresses, keys. Pure; every rule of `drafts` about text is here."""

import re
import unicodedata
from urllib.parse import urlsplit

from core.delivery.payload import is_clean
from notifications.errors import BadNotification

TITLE = 200
PLAIN_TITLE = 80  # what the plain API takes of the first line
BODY = 4000
URL = 2000
LABEL = 40
KEY = 128
CATEGORY = 40

# Controls do nothing good on a page or in a mail's subject; overrides turn what follows around, beyond their own element in plain text.
_CONTROL = re.compile("[\x01-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
# Marks that stack: eight on one letter are writing, ten thousand are a tower over the lines around.
_MARK = "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
_STACKED = re.compile(rf"((?:{_MARK}){{8}}){_MARK}+")
_KEY = re.compile(r"[\x20-\x7e]+", re.ASCII)
_CATEGORY = re.compile(r"[a-z0-9][a-z0-9_.-]*", re.ASCII)


def line(text: object, *, field: str, limit: int) -> str:
    """One line of text, trimmed, with runs of blanks as one. Raises BadNotification: empty, too long, or not to be carried."""
    made = " ".join(_clean(text, field=field, limit=limit).split())
    if not _is_readable(made):
        raise BadNotification(f"A {field} has something to read in it.", field=field)
    return _within(made, field=field, limit=limit)


def lines(text: object, *, field: str, limit: int) -> str:
    """Text of several lines, or none. Raises BadNotification."""
    made = _clean(text, field=field, limit=limit).strip()
    return _within(made if _is_readable(made) else "", field=field, limit=limit)


def title_and_body(text: str) -> tuple[str, str]:
    """How the plain API reads a body without a title: the first line, at most 80 characters of it, is the title.

    The rest is the body. A first line that is longer stays whole in the body, so that nothing is lost.
    """
    first, _, rest = text.strip().partition("\n")
    first = " ".join(first.split())
    if len(first) <= PLAIN_TITLE:
        return first, rest.strip()
    return first[: PLAIN_TITLE - 1].rstrip() + "…", text.strip()


def url(text: object, *, field: str = "url") -> str:
    """An address that a link may lead to: http(s) with a host, or a path of our own; or none. Raises BadNotification."""
    if not isinstance(text, str):
        raise BadNotification(f"A {field} is text.", field=field)
    text = text.strip(" ")
    if text and not is_safe_url(text):
        raise BadNotification(f"A {field} is http://..., https://... or a path like /rooms/lobby/.", field=field)
    return text


def is_safe_url(text: str) -> bool:
    """Whether a browser that follows this address stays with http(s), and goes where a reader would think."""
    # Browsers drop tabs and line feeds, and read a backslash as a slash: none of these may stand in it.
    if len(text) > URL or "\\" in text or not text.isprintable() or " " in text or not is_clean(text):
        return False
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if parts.scheme in {"http", "https"}:
        return text.lower().startswith((f"{parts.scheme}://",)) and bool(host) and "@" not in parts.netloc
    return not parts.scheme and not parts.netloc and text.startswith("/") and not text.startswith("//")


def key(text: object) -> str:
    """A sender's own name for what she sends. Raises BadNotification."""
    if not isinstance(text, str) or len(text) > KEY or (text and not _KEY.fullmatch(text)):
        raise BadNotification(f"A key is at most {KEY} printable ASCII characters.", field="key")
    return text.strip()


def category(text: object) -> str:
    """A category's name, or none. Raises BadNotification."""
    if not isinstance(text, str) or len(text) > CATEGORY or (text and not _CATEGORY.fullmatch(text)):
        raise BadNotification(f"A category is at most {CATEGORY} of a-z, 0-9, _ . and -, as in sign-in.", field="category")
    return text


def excerpt(text: str, *, limit: int = 280) -> str:
    """The beginning of a body, as rows and toasts show it."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def _clean(text: object, *, field: str, limit: int) -> str:
    if not isinstance(text, str):
        raise BadNotification(f"A {field} is text.", field=field)
    # Before all work: normalising a huge text costs more than refusing it.
    if len(text) > 4 * limit:
        raise _too_long(field, limit)
    if not is_clean(text):
        raise BadNotification(f"A {field} may hold neither NUL nor lone surrogates.", field=field)
    text = unicodedata.normalize("NFC", str(text).replace("\r\n", "\n").replace("\r", "\n"))
    return _STACKED.sub(r"\1", _CONTROL.sub("", text))


def _within(text: str, *, field: str, limit: int) -> str:
    if len(text) > limit:
        raise _too_long(field, limit)
    return text


def _too_long(field: str, limit: int) -> BadNotification:
    return BadNotification(f"A {field} is at most {limit} characters.", field=field)


def _is_readable(text: str) -> bool:
    return any(unicodedata.category(character)[0] not in "ZC" for character in text)
