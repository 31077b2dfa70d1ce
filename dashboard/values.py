"""What may be a value, and when: checked at the door, refused in words that somebody with curl can use. Pure but for Problem."""

import math
import unicodedata
from datetime import UTC, datetime, timedelta

from core.errors import Code, Problem, quoted

MAX_AHEAD = timedelta(minutes=5)
LARGEST_WHOLE = 2**53  # beyond it a double swallows digits
MAX_LABEL = 200
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)

NUMBER_SHAPE = "A value is a finite number without quotes, for example 42 or -1.5."
TIME_SHAPE = "A time is ISO 8601 with an offset (2026-11-21T07:10:00Z) or unix seconds (1795245000.5)."


def number(value: object) -> float:
    """The value as a finite number. Raises Problem for anything else, with the shape that is wanted."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Problem(Code.INVALID, f"{_named(value)} is not a number. {NUMBER_SHAPE}", field="value")
    if isinstance(value, int) and abs(value) > LARGEST_WHOLE:
        raise Problem(Code.INVALID, "Whole numbers go from -2^53 to 2^53: beyond that digits would be lost.", field="value")
    if not math.isfinite(value):
        raise Problem(Code.INVALID, f"NaN and infinity are not values. {NUMBER_SHAPE}", field="value")
    return float(value) + 0.0  # -0.0 becomes 0.0


def instant(at: object, *, now: datetime) -> int:
    """The time in unix microseconds; None stands for now. Raises Problem: no time, before 2000, or more than 5 minutes ahead."""
    moment = now if at is None else _moment(at)
    if moment > now + MAX_AHEAD:
        detail = "`at` is more than 5 minutes ahead. Unix times are in seconds; is a clock wrong, or are these milliseconds?"
        raise Problem(Code.INVALID, detail, field="at")
    if moment < EARLIEST:
        raise Problem(Code.INVALID, f"`at` is before the year 2000. {TIME_SHAPE}", field="at")
    return microseconds(moment)


def label(text: object) -> str:
    """A short text beside a value: NFC, without control characters. Raises Problem: not text, or over 200 characters."""
    if text is None:
        return ""
    if not isinstance(text, str):
        raise Problem(Code.INVALID, f"A label is text of at most {MAX_LABEL} characters.", field="label")
    clean = unicodedata.normalize("NFC", "".join(" " if _is_control(c) else c for c in text)).strip()
    if any("\ud800" <= c <= "\udfff" for c in clean):
        raise Problem(Code.NOT_TEXT, "A label holds half of a surrogate pair.", field="label")
    if len(clean) > MAX_LABEL:
        raise Problem(Code.INVALID, f"A label has at most {MAX_LABEL} characters; this one has {len(clean)}.", field="label")
    return clean


def link(url: str) -> str:
    """An address that may stand behind an entry: of this site (`/inbox/`), or http(s). Raises Problem for every other."""
    own = url.startswith("/") and not url.startswith(("//", "/\\"))
    plain = len(url) <= 500 and url.isprintable() and not any(c in url for c in " \\<>\"'`")
    if url and not (plain and (own or url.startswith(("https://", "http://")))):
        raise Problem(Code.INVALID, "A link begins with https://, http:// or a single / and has at most 500 characters.", field="url")
    return url


def microseconds(moment: datetime) -> int:
    """Unix time in whole microseconds, exactly."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def moment(at: int) -> datetime:
    """The datetime of unix microseconds, exactly."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)


def seconds(at: int) -> float:
    """Unix seconds as they are pushed and drawn."""
    return at // 1_000_000 if at % 1_000_000 == 0 else at / 1_000_000


def difference(one: float, other: float) -> float:
    """How far one value is above another, kept finite."""
    far = one - other
    return far if math.isfinite(far) else math.copysign(1.7e308, far)


def written(at: int) -> str:
    """The time for a `datetime` attribute: `2026-11-21T07:10:00.250Z`."""
    return moment(at).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _moment(at: object) -> datetime:
    if isinstance(at, datetime):
        found = at
    elif isinstance(at, str):
        found = _from_text(at)
    elif isinstance(at, int | float) and not isinstance(at, bool):
        found = _from_seconds(at)
    else:
        raise Problem(Code.INVALID, f"{_named(at)} is not a time. {TIME_SHAPE}", field="at")
    if found.tzinfo is None:
        raise Problem(Code.INVALID, f"`at` has no offset. {TIME_SHAPE}", field="at")
    return found


def _from_text(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text if text.isascii() and len(text) <= 40 else "")
    except ValueError:
        raise Problem(Code.INVALID, f"{quoted(text)} is not a time. {TIME_SHAPE}", field="at") from None


def _from_seconds(at: float) -> datetime:
    try:
        return moment(round(at * 1_000_000))
    except (OverflowError, ValueError):
        # NaN, infinity, or a year beyond 9999.
        raise Problem(Code.INVALID, f"This is no time that a calendar knows. {TIME_SHAPE}", field="at") from None


def _is_control(character: str) -> bool:
    return unicodedata.category(character) == "Cc"


def _named(value: object) -> str:
    kinds = {bool: "true or false", str: f"The text {quoted(value)}", type(None): "null", list: "A list", dict: "An object"}
    return kinds.get(type(value), f"A {type(value).__name__}")
