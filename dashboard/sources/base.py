"""Where a widget's values come from when nobody pushes them: docs/dashboards.md. A kind of source reads; dashboard/refresh.py stores."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

from core.errors import Code, Problem
from dashboard.widgets.base import Config, WidgetKind

RECOUNT = timedelta(seconds=30)  # a source that is read when something changed is read so often anyway
_NAME = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Found:
    """One value that a source found. `happened`: for an entry of a feed, its own time in unix seconds."""

    value: object
    series: str = ""
    label: str = ""
    happened: float | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """All that a source shows now. What it showed before and does not name is over: it becomes `absent` (None: it stays)."""

    found: Sequence[Found]
    absent: object = None


class PollConfig(Config, frozen=True):
    """The settings of a source that is asked every so often; its own come before this one."""

    every: Annotated[int, Meta(ge=2, le=86_400)] | None = None  # seconds; none: as often as its kind usually is


class SourceKind:
    """One kind of source. Subclass it in a file of its own and name it in `sources.KINDS`."""

    name: ClassVar[str]
    title: ClassVar[str]
    help: ClassVar[str] = ""  # what its form says
    config: ClassVar[type[Config]] = Config
    every: ClassVar[int] = 0  # seconds between two polls, where its settings do not say; 0: it is read when something changed
    patience: ClassVar[float] = 10.0  # seconds that one poll may take

    def feeds(self, widget: WidgetKind) -> bool:
        """Whether it has anything for a widget of this kind: what its form offers."""
        return widget.takes_values

    def choices(self, widget: WidgetKind) -> Mapping[str, Sequence[tuple[str, str]]]:
        """For settings that are text by their type: what there is to choose from."""
        return {}

    def interval(self, config: Any) -> int:
        """The seconds between two polls."""
        return getattr(config, "every", None) or self.every

    def settings(self, config: Mapping[str, Any], widget: WidgetKind) -> Any:
        """The typed config, if it can feed a widget of this kind. Raises Problem that says what is wrong."""
        try:
            return msgspec.convert(config, self.config)
        except msgspec.ValidationError as error:
            raise wrong(f"The settings of this source are wrong: {error}.") from None

    def subject(self, config: Any) -> str:
        """What marks this source dirty when it changes: a model's label. Empty: nothing does."""
        return ""

    def look(self, config: Any, widget: WidgetKind) -> Look:
        """Read what there is now. Raises Problem in words that a tile may show."""
        raise NotImplementedError


def wrong(detail: str, setting: str = "") -> Problem:
    """What is wrong with a source, or with one of its settings, in words for its form and its tile."""
    return Problem(Code.INVALID, detail, field=f"source.{setting}" if setting else "source")


def check_numbers(widget: WidgetKind, *, lines: int = 1) -> None:
    """Raise Problem unless a widget of this kind shows numbers, and so many lines of them."""
    try:
        widget.read(1.0)
    except Problem:
        raise wrong(f"A {widget.title.lower()} does not show numbers. {widget.shape}") from None
    if lines > 1 and not widget.several:
        raise wrong(f"A {widget.title.lower()} shows one line of values: choose one figure.")


def takes_numbers(widget: WidgetKind) -> bool:
    try:
        check_numbers(widget)
    except Problem:
        return False
    return True


def check_states(widget: WidgetKind) -> None:
    """Raise Problem unless a widget of this kind shows states of several things."""
    if widget.name != "status":
        raise wrong("States are shown by a status grid; choose a figure, which is a number.")


def series_name(text: str) -> str:
    """A name for the series of something that is called so; where letters had to go, with what tells it from its like."""
    plain = _NAME.sub("-", text)[:50]
    return plain if plain == text else f"{plain}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"
