"""What a kind of widget is: docs/dashboards.md. Pure: config and samples in, HTML out; no query, no clock.

A page and a push show the same: `facts` says from a view of the samples what there is to show, `body` and `push` write it. To the facts
come `widget` (its slug), `kind`, `series`, `line` (the series' primary key) and `state` (live, error or paused).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import msgspec
from django.template.loader import get_template

from core.errors import Code, Problem
from dashboard import values


class Point(NamedTuple):
    """One stored sample. `at` is in microseconds."""

    id: int
    at: int
    value: float
    label: str = ""
    data: Any = None


@dataclass(frozen=True, slots=True)
class View:
    """The newest samples of one series as one reader of the database saw them, oldest first.

    earlier: the time of the sample before the first of them. base: the sample that a change is reckoned against.
    ids: of all these samples, and so what tells this view from a later one.
    """

    points: tuple[Point, ...] = ()
    earlier: int | None = None
    base: Point | None = None
    ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """A value that its widget's kind has checked."""

    value: float
    label: str = ""
    data: Any = None


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The settings of one widget. Every field has a default, so that `{}` is a widget."""


class WidgetKind:
    """One kind of tile. Subclass it in a file of its own and name it in `widgets.KINDS`."""

    name: ClassVar[str]
    title: ClassVar[str]
    icon: ClassVar[str]  # of lucide
    config: ClassVar[type[Config]] = Config
    recent: ClassVar[int] = 1  # how many of the newest samples there are to show
    several: ClassVar[bool] = False  # whether it shows more than the unnamed series
    keeps_all: ClassVar[bool] = False  # two samples of one time stand side by side instead of the later one replacing the other
    takes_values: ClassVar[bool] = True
    is_regular: ClassVar[bool] = True  # whether its values may be expected every so often, if they come so
    size: ClassVar[tuple[int, int]] = (3, 2)
    curl: ClassVar[str] = "42"  # a value to try it with
    shape: ClassVar[str] = values.NUMBER_SHAPE

    def read(self, value: object, *, label: object = "", data: Any = None) -> Reading:
        """Check one value. Raises Problem, saying the shape."""
        return Reading(values.number(value), values.label(label), data)

    def told(self, label: str, data: Any) -> str:
        """A stored value in the table of the widget's history, where its number alone says nothing. Empty: the number does."""
        return ""

    def horizon(self, config: Any) -> int:
        """How many seconds before the newest sample the one to compare with lies; 0: none is needed."""
        return 0

    def facts(self, config: Any, view: View) -> dict[str, Any]:
        """All that showing this view needs, as JSON. The view has at least one point."""
        newest = view.points[-1]
        return {"at": values.seconds(newest.at), "value": newest.value, "label": newest.label}

    def body(self, widget: int, facts: Mapping[str, Any]) -> str:
        """The HTML inside a tile that shows one series."""
        raise NotImplementedError

    def whole(self, widget: int, config: Any, bodies: str) -> str:
        """What the bodies of all series stand in."""
        return bodies

    def blank(self, widget: int, config: Any) -> str:
        """The HTML inside a tile that needs no value to show something. Empty: the line that sends the first value stands there."""
        return ""

    def push(self, widget: int, facts: Mapping[str, Any]) -> str:
        """The fragment for a new newest value."""
        return partial(f"#w-{widget}-b", self.body(widget, facts))

    def push_late(self, widget: int, facts: Mapping[str, Any]) -> str:
        """The fragment for a change behind the newest value. Where value and trend are drawn apart, it leaves the value alone."""
        return self.push(widget, facts) if self.recent > 1 else ""

    def settings(self, config: Mapping[str, Any]) -> Any:
        """The typed config. Raises Problem that names the field."""
        try:
            return msgspec.convert(config, self.config)
        except msgspec.ValidationError as error:
            raise Problem(Code.INVALID, f"The settings of a {self.title.lower()} are wrong: {error}.", field="config") from None


def partial(target: str, html: str, *, swap: str = "innerMorph") -> str:
    """A fragment whose target may be missing: pages that show one tile of a board are not interested in the others."""
    return f'<hx-partial hx-target="{target}" hx-swap="{swap}">{html}</hx-partial>'


def fresh(widget: int, facts: Mapping[str, Any], extra: str = "") -> str:
    """The hidden element that says how old a series is (times.js), and holds its place on the page."""
    at = values.written(round(facts["at"] * 1_000_000))
    return f'<i hidden id="w-{widget}-s{facts["line"]}" data-at="{at}" data-state="{facts["state"]}"{extra}></i>'


def rendered(template: str, context: Mapping[str, Any]) -> str:
    """A small template's HTML, without the blank line at its end."""
    return str(get_template(template).template.render(_context(context))).strip()  # type: ignore[attr-defined]


def _context(context: Mapping[str, Any]) -> Any:
    from django.template import Context

    # No localisation: a pushed fragment depends on data and language only, and numbers come as text anyway.
    return Context(dict(context), use_l10n=False, use_tz=False)


def pairs(points: Sequence[Point]) -> list[list[float]]:
    """The points as they are pushed: [[seconds, value], ...]."""
    return [[values.seconds(at), value] for _, at, value, _, _ in points]
