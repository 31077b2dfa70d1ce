"""Values out of any JSON that an address answers with, found by JSONPath (RFC 9535)."""

import re
from collections.abc import Sequence
from functools import cache
from itertools import islice
from typing import Annotated, Any
from urllib.parse import urlsplit

import jsonpath
from msgspec import Meta

from core.errors import Code, Problem, quoted
from dashboard.sources import web
from dashboard.sources.base import Found, Look, PollConfig, SourceKind, series_name, wrong
from dashboard.widgets.base import WidgetKind

MOST = 60  # values of one answer
_NUMBER = re.compile(r"[+-]?\d{1,20}(\.\d{1,20})?([eE][+-]?\d{1,3})?", re.ASCII)
Text = Annotated[str, Meta(max_length=500)]
Field = Annotated[str, Meta(max_length=100)]


class HttpConfig(PollConfig, frozen=True):
    url: Annotated[str, Meta(max_length=1000)] = ""
    path: Text = "$"  # "$.load", or for several lines "$.hosts[*]"
    value: Field = ""  # which field of what the path finds is the value; none: it itself
    name: Field = ""  # which field names its line


class HttpSource(SourceKind):
    name = "http"
    title = "JSON from an address"
    help = "The path is JSONPath: $.load finds one value; $.hosts[*] with the field load as value and host as name finds a line for each."
    config = HttpConfig
    every = 30

    def settings(self, config: Any, widget: WidgetKind) -> HttpConfig:
        typed: HttpConfig = super().settings(config, widget)
        web.check_address(typed.url)
        _compiled(typed.path)
        if not widget.takes_values:
            raise wrong(widget.shape)
        if typed.name and not widget.several:
            raise wrong(f"A {widget.title.lower()} shows one line of values: leave `name` out.", "name")
        return typed

    def look(self, config: HttpConfig, widget: WidgetKind) -> Look:
        status, content = web.get(config.url)
        if status >= 400:
            raise Problem(Code.UNAVAILABLE, f"{urlsplit(config.url).hostname} answered with {status}.")
        return Look(_found(matches(content, config.path), config, widget))


@cache
def _language() -> jsonpath.JSONPathEnvironment:
    language = jsonpath.JSONPathEnvironment(strict=True)
    # An expression of somebody's own that takes years would hold the whole process, and no time limit could end it.
    for name in ("match", "search"):
        del language.function_extensions[name]
    return language


def _compiled(path: str) -> Any:
    try:
        return _language().compile(path)
    except (jsonpath.JSONPathError, RecursionError, ValueError) as error:
        # Not its str(): that fails where the error is at the end.
        said = str(error.args[0] if error.args else "")[:120] or type(error).__name__
        raise wrong(f"{quoted(path)} is no JSONPath ({said}); it begins with $, as in $.hosts[0].load.", "path") from None


def matches(content: Any, path: str) -> list[tuple[str, Any]]:
    """What the path finds, each with what tells its place from the others'. Raises Problem: nothing, or more than there is room for."""
    try:
        found = list(islice(_compiled(path).finditer(content), MOST + 1))
    except (jsonpath.JSONPathError, RecursionError) as error:
        raise wrong(f"The path {quoted(path)} cannot be followed in this answer: {type(error).__name__}.") from None
    if not found:
        raise wrong(f"The path {quoted(path)} matches nothing in the answer, which is {_described(content)}.")
    if len(found) > MOST:
        raise wrong(f"The path {quoted(path)} matches more than {MOST} values; make it narrower, as in $.hosts[0:10].")
    return list(zip(_places([one.parts for one in found]), (one.obj for one in found), strict=True))


def _places(found: Sequence[Sequence[Any]]) -> list[str]:
    """Names for places: of `hosts 0 load` and `hosts 1 load`, 0 and 1."""
    length = max(map(len, found))
    padded = [[str(part) for part in parts] + [""] * (length - len(parts)) for parts in found]
    differs = [len({parts[at] for parts in padded}) > 1 for at in range(length)]
    return [".".join(part for part, own in zip(parts, differs, strict=True) if own and part) for parts in padded]


def _found(found: Sequence[tuple[str, Any]], config: HttpConfig, widget: WidgetKind) -> list[Found]:
    if len(found) == 1 and widget.keeps_all and isinstance(found[0][1], list):
        found = [("", one) for one in found[0][1][:MOST]]
    if widget.keeps_all:
        return [Found(_value(one, config, widget)) for _, one in found]
    if len(found) == 1 and not config.name:
        return [Found(_value(found[0][1], config, widget))]
    if not widget.several:
        raise wrong(f"The path matches {len(found)} values; a {widget.title.lower()} shows one.")
    named = {_name(where, one, config): _value(one, config, widget) for where, one in found}
    if len(named) < len(found):
        raise wrong(f"Several of the {len(found)} values have the same name; choose another field as `name`.")
    return [Found(value, series_name(name), name[:200]) for name, value in named.items()]


def _name(where: str, one: Any, config: HttpConfig) -> str:
    return str(_field(one, config.name)) if config.name else where


def _value(one: Any, config: HttpConfig, widget: WidgetKind) -> Any:
    value = _field(one, config.value) if config.value else one
    if isinstance(value, dict) and widget.name == "table":
        return dict(islice(((name, _cell(cell)) for name, cell in value.items() if not isinstance(cell, dict | list)), 12))
    if isinstance(value, str) and _NUMBER.fullmatch(value) and widget.name not in {"feed", "text", "status"}:
        return float(value)
    if isinstance(value, bool) and widget.name == "status":
        return "up" if value else "down"
    if isinstance(value, dict | list):
        raise wrong(f"The path finds {_described(value)} and no value; go deeper, or name the field.")
    return value


def _cell(cell: Any) -> Any:
    return str(cell).lower() if isinstance(cell, bool) else cell[:200] if isinstance(cell, str) else cell


def _field(one: Any, name: str) -> Any:
    if not isinstance(one, dict) or name not in one:
        raise wrong(f"The path finds {_described(one)} without a field {quoted(name)}.")
    return one[name]


def _described(content: Any) -> str:
    """What this is, in words that help to find the way."""
    if isinstance(content, dict):
        return f"an object with {', '.join(quoted(name, most=20) for name in list(content)[:6]) or 'no fields'}"
    return f"a list of {len(content)}" if isinstance(content, list) else f"the value {quoted(content, most=30)}"
