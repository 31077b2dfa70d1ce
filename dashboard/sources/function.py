"""Functions that an application registered: whatever they return is shown.

    from dashboard.sources.function import register

    register("open-orders", lambda: Order.objects.filter(open=True).count(), title="Open orders")     # in AppConfig.ready

A number is a value, `{"web-1": 0.7, "web-2": 0.4}` several lines, for a feed a list of texts is its entries. It runs in a thread of a
worker; one that takes longer than the patience of this kind is interrupted, and not called again before it has ended.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from msgspec import Meta

from core.errors import quoted
from dashboard.sources.base import Found, Look, PollConfig, SourceKind, wrong
from dashboard.widgets.base import WidgetKind


@dataclass(frozen=True, slots=True)
class Registered:
    name: str
    function: Callable[[], Any]
    title: str


_functions: dict[str, Registered] = {}


def register(name: str, function: Callable[[], Any], *, title: str = "") -> None:
    """Let boards show what this function returns. Whoever may edit a board may choose it. Raises ValueError: the name is taken."""
    if _functions.setdefault(name, Registered(name, function, title or name)).function is not function:
        raise ValueError(f"There is another function {name!r}.")


def registered() -> list[Registered]:
    return sorted(_functions.values(), key=lambda one: one.name)


class FunctionConfig(PollConfig, frozen=True):
    function: Annotated[str, Meta(max_length=100)] = ""


class FunctionSource(SourceKind):
    name = "function"
    title = "A function of this application"
    config = FunctionConfig
    every = 10

    @property
    def help(self) -> str:  # type: ignore[override]
        return f"What an application registered: {', '.join(_functions) or 'nothing yet; see docs/dashboards.md'}."

    def choices(self, widget: WidgetKind) -> Mapping[str, Sequence[tuple[str, str]]]:
        return {"function": [("", "–"), *((one.name, one.title) for one in registered())]}

    def settings(self, config: Any, widget: WidgetKind) -> FunctionConfig:
        typed: FunctionConfig = super().settings(config, widget)
        if typed.function not in _functions:
            known = ", ".join(sorted(_functions)) or "none"
            raise wrong(f"There is no function {quoted(typed.function)}; registered: {known}.", "function")
        if not widget.takes_values:
            raise wrong(widget.shape)
        return typed

    def look(self, config: FunctionConfig, widget: WidgetKind) -> Look:
        return found(_functions[config.function].function(), widget)


def found(value: Any, widget: WidgetKind) -> Look:
    """What a function returned, as values for a widget of this kind."""
    if isinstance(value, Look):
        return value
    if isinstance(value, Mapping) and widget.several:
        return Look([Found(_plain(one), str(name)) for name, one in value.items()])
    if widget.keeps_all and isinstance(value, Sequence) and not isinstance(value, str):
        return Look([one if isinstance(one, Found) else Found(one) for one in value])
    return Look([Found(_plain(value))])


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value
