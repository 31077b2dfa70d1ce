"""One bar per series, all on one scale."""

from collections.abc import Mapping
from typing import Annotated, Any

from django.utils.html import escape
from msgspec import Meta

from dashboard.widgets.base import Config, View, WidgetKind, fresh, partial
from dashboard.widgets.figures import part, shown


class BarsConfig(Config, frozen=True):
    unit: Annotated[str, Meta(max_length=20)] = ""
    decimals: Annotated[int, Meta(ge=0, le=6)] | None = None
    high: Annotated[float, Meta(gt=0, title="A full bar is")] = 100.0


class Bars(WidgetKind):
    name = "bars"
    title = "Bars"
    icon = "chart-bar"
    config = BarsConfig
    several = True
    size = (4, 3)
    curl = '\'{"value": 42, "series": "import"}\''

    def facts(self, config: BarsConfig, view: View) -> dict[str, Any]:
        value = view.points[-1].value
        unit = f" {config.unit}" if config.unit else ""
        return super().facts(config, view) | {"shown": shown(value, config.decimals) + unit, "part": part(value, 0.0, config.high)}

    def body(self, widget: int, facts: Mapping[str, Any]) -> str:
        name = escape(facts["label"] or facts["series"] or "value")
        bar = f'<svg aria-hidden="true"><rect width="{facts["part"] * 100:.1f}%" height="8" rx="4"/></svg>'
        inside = f'{fresh(widget, facts)}<span>{name}</span>{bar}<span class="r">{escape(facts["shown"])}</span>'
        return f'<li id="w-{widget}-l{facts["line"]}">{inside}</li>'

    def whole(self, widget: int, config: BarsConfig, bodies: str) -> str:
        return f'<ul class="bars">{bodies}</ul>'

    def push(self, widget: int, facts: Mapping[str, Any]) -> str:
        return partial(f"#w-{widget}-l{facts['line']}", self.body(widget, facts), swap="outerMorph")
