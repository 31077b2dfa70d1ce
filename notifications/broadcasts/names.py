"""A CSV file of user names as an audience. Every line must name somebody, once; what is wrong is said with its line.

Nothing in it is reckoned out: `+bob` and `@bob` are people where people are called so, and a formula is nobody's name.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

from django.contrib.auth import get_user_model

from notifications.audiences import Audience
from notifications.errors import BadNotification

MOST = 10_000  # people
BYTES = 1_000_000
SHOWN = 5  # of what is wrong
LENGTH = 254
HEADERS = {"username", "user name", "user", "name"}
_FORMULA = ("=", "+", "-", "@")  # blanks and tabs around a name are left out before


def read(file: Any) -> Audience:
    """The people whom an uploaded file names, in its first column or the one headed `username`. Raises BadNotification."""
    if file.size > BYTES:
        raise _bad(f"A file is at most {BYTES // 1_000_000} MB and {MOST} people; a group would do.")
    lines = dict(_names(_text(file.read(BYTES + 1))))
    if not lines:
        raise _bad("The file names nobody: one user name in each line.")
    model = get_user_model()
    found = model._default_manager.filter(**{f"{model.USERNAME_FIELD}__in": list(lines)}, is_active=True)
    keys = {name: str(key) for name, key in found.values_list(model.USERNAME_FIELD, "pk")}
    _all_known({name: line for name, line in lines.items() if name not in keys})
    named = " ".join("".join(one for one in str(file.name) if one.isprintable()).split())[-60:]
    return Audience(
        users=tuple(keys[name] for name in lines), shown=(f"{len(keys)} {'person' if len(keys) == 1 else 'people'} of {named}",)
    )


def _all_known(unknown: Mapping[str, int]) -> None:
    formula = next((name for name in unknown if name.startswith(_FORMULA)), None)
    if formula is not None:
        raise _bad(f"Line {unknown[formula]} looks like a formula: {formula[:20]!r}. A file holds user names and nothing else.")
    if unknown:
        named = ", ".join(f"{name} (line {line})" for name, line in list(unknown.items())[:SHOWN])
        rest = f" and {len(unknown) - SHOWN} more" if len(unknown) > SHOWN else ""
        raise _bad(f"There is no active user {named}{rest}.")


def _text(content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise _bad(f"The file is not UTF-8 (line {line}): save it as “CSV UTF-8”.") from None
    if "\0" in text:
        raise _bad("The file is no text: save it as “CSV UTF-8”.")
    return text


def _names(text: str) -> Iterator[tuple[str, int]]:
    """(name, line) of every line; stops at the first that is wrong."""
    first = text.partition("\n")[0]
    rows = csv.reader(io.StringIO(text), delimiter=max(",;\t", key=first.count))
    column = 0
    seen: dict[str, int] = {}
    try:
        for number, row in enumerate(rows):
            cells = [cell.strip() for cell in row]
            if number == 0 and HEADERS & {cell.lower() for cell in cells}:
                column = next(place for place, cell in enumerate(cells) if cell.lower() in HEADERS)
                continue
            name, line = (cells[column] if column < len(cells) else ""), rows.line_num
            if not any(cells):
                continue
            _check(name, line, seen)
            seen[name] = line
            yield name, line
    except csv.Error as error:
        raise _bad(f"Line {rows.line_num} cannot be read: {error}.") from None


def _check(name: str, line: int, seen: dict[str, int]) -> None:
    if not name:
        raise _bad(f"Line {line} names nobody.")
    if len(name) > LENGTH or not name.isprintable():
        raise _bad(f"Line {line} is no user name.")
    if name in seen:
        raise _bad(f"Line {line} names {name}, who stands in line {seen[name]} already.")
    if len(seen) >= MOST:
        raise _bad(f"The file names more than {MOST} people (line {line}); a group would do.")


def _bad(words: str) -> BadNotification:
    return BadNotification(words, field="file")
