"""YAML with the line of everything in it, and nothing of YAML that a settings file does not need. Pure.

Read from the parser's events, which no document can blow up: anchors, aliases, tags and merge keys are refused, and so is what is too deep
or too much. Plain words are read as YAML 1.2 reads them: `on`, `no` and `12:30` are texts. JSON is YAML.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from core.delivery.payload import is_clean

MOST_BYTES = 256 * 1024
MOST_THINGS = 20_000
DEEPEST = 20
_WHOLE = re.compile(r"[-+]?[0-9]{1,17}", re.ASCII)
_BROKEN = re.compile(r"[-+]?(\.[0-9]{1,30}|[0-9]{1,30}(\.[0-9]{0,30})?)([eE][-+]?[0-9]{1,3})?", re.ASCII)
_LONG = re.compile(r"[-+]?[0-9]{18,}(\.[0-9]*)?([eE][-+]?[0-9]+)?", re.ASCII)
_WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_WORDS |= {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class BadDocument(ValueError):
    """What stands in a line is not what may stand there. `line` counts from 1."""

    def __init__(self, detail: str, line: int) -> None:
        super().__init__(f"Line {line}: {detail}")
        self.line = line


@dataclass(slots=True)
class Document:
    """What was written, and the line of each thing by its path: `$.widgets[0].title`."""

    value: Any = None
    lines: dict[str, int] = field(default_factory=dict)

    def line(self, path: str) -> int:
        """The line of a path, or of the nearest thing around it."""
        while path not in self.lines and path != "$":
            path = path[: max(path.rfind("."), path.rfind("["), 1)]
        return self.lines.get(path, 1)


def read(text: str) -> Document:
    """Read one document. Raises BadDocument."""
    if len(text.encode()) > MOST_BYTES:
        raise BadDocument(f"a document has at most {MOST_BYTES // 1024} KiB.", 1)
    try:
        return _Reader(yaml.parse(text, Loader=_LOADER)).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise BadDocument(f"{error.problem or 'this is not YAML'}.", mark.line + 1 if mark else 1) from None
    except yaml.YAMLError as error:
        position = getattr(error, "position", 0)
        raise BadDocument("a character that YAML does not take.", text.count("\n", 0, position) + 1) from None


class _Reader:
    """Builds values out of events."""

    def __init__(self, events: Iterator[Any]) -> None:
        self.events, self.found, self.things = events, Document(), 0

    def document(self) -> Document:
        event = next(self.events)
        while isinstance(event, yaml.StreamStartEvent | yaml.DocumentStartEvent):
            event = next(self.events)
        if isinstance(event, yaml.StreamEndEvent):
            raise BadDocument("the document is empty.", 1)
        self.found.value = self._value(event, "$", 0)
        next(self.events)
        after = next(self.events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise BadDocument("a second document begins; there is one only.", _line(after))
        return self.found

    def _value(self, event: Any, path: str, depth: int) -> Any:
        line = _line(event)
        self.found.lines.setdefault(path, line)
        self._check(event, line, depth)
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event, line)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._list(path, depth)
        return self._object(path, depth)

    def _check(self, event: Any, line: int, depth: int) -> None:
        self.things += 1
        if isinstance(event, yaml.AliasEvent) or event.anchor:
            raise BadDocument("anchors (&) and aliases (*) are not taken: write it out.", line)
        if event.tag and event.tag != "!":
            raise BadDocument("tags (!) are not taken.", line)
        if depth > DEEPEST:
            raise BadDocument(f"this is more than {DEEPEST} levels deep.", line)
        if self.things > MOST_THINGS:
            raise BadDocument(f"there are more than {MOST_THINGS} things in this document.", line)

    def _list(self, path: str, depth: int) -> list[Any]:
        made: list[Any] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            made.append(self._value(event, f"{path}[{len(made)}]", depth + 1))
        return made

    def _object(self, path: str, depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            line = _line(event)
            self._check(event, line, depth)
            if not isinstance(event, yaml.ScalarEvent):
                raise BadDocument("a name is a text.", line)
            name = event.value
            if not is_clean(name):
                raise BadDocument("text holds no NUL and no half of a surrogate pair.", line)
            if name == "<<":
                raise BadDocument("merge keys (<<) are not taken: write it out.", line)
            if name in made:
                raise BadDocument(f"{name[:60]!r} is there twice.", line)
            here = f"{path}.{name}"
            self.found.lines[here] = line
            made[name] = self._value(next(self.events), here, depth + 1)
        return made


def _scalar(event: Any, line: int) -> Any:
    text = event.value
    if not event.implicit[0] or event.style:
        if not is_clean(text):
            raise BadDocument("text holds no NUL and no half of a surrogate pair.", line)
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _WHOLE.fullmatch(text):
        return int(text)
    if _BROKEN.fullmatch(text) or _LONG.fullmatch(text):
        return _number(text, line)
    if text.lower().lstrip("+-") in (".inf", ".nan"):
        raise BadDocument("infinity and NaN are not numbers here.", line)
    if not is_clean(text):
        raise BadDocument("text holds no NUL and no half of a surrogate pair.", line)
    return text


def _number(text: str, line: int) -> float:
    if not _BROKEN.fullmatch(text):
        raise BadDocument("this number has too many digits.", line)
    number = float(text)
    if number in (float("inf"), float("-inf")) or (number.is_integer() and abs(number) > 2**53 and "e" not in text.lower()):
        raise BadDocument("this number is too large.", line)
    return number


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1
