"""Lines over time, drawn in the browser by uPlot; the contract is the head of core/static/core/charts.js."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from django.utils.html import escape
from msgspec import Meta

from dashboard import values
from dashboard.widgets.base import Config, View, WidgetKind, fresh, pairs, partial

RANGES = (300, 900, 3600, 86_400, 2_592_000)


class Threshold(Config, frozen=True):
    value: float = 0.0
    level: Literal["warn", "bad"] = "warn"


class TimeSeriesConfig(Config, frozen=True):
    unit: Annotated[str, Meta(max_length=20)] = ""
    decimals: Annotated[int, Meta(ge=0, le=6)] | None = None
    range: Annotated[int, Meta(ge=60, le=2_592_000, description="Seconds shown at first.")] = 900
    min: Annotated[float | None, Meta(title="Lowest", description="The scale reaches at least down to it.")] = None
    max: Annotated[float | None, Meta(title="Highest", description="The scale reaches at least up to it.")] = None
    area: Annotated[bool, Meta(title="Filled", description="The area below each line.")] = False
    stacked: Annotated[bool, Meta(description="Each line stands on the one before it.")] = False
    labels: Annotated[
        dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=60)]],
        Meta(title="Names of lines", description='In their order, as in {"cpu": "CPU", "mem": "Memory"}.'),
    ] = {}
    thresholds: Annotated[
        list[Threshold], Meta(max_length=6, title="Limits", description='Dashed lines, as in [{"value": 80, "level": "warn"}]; or "bad".')
    ] = []


class TimeSeries(WidgetKind):
    name = "timeseries"
    title = "Time series"
    icon = "chart-line"
    config = TimeSeriesConfig
    recent = 12
    several = True
    size = (8, 3)
    curl = '\'{"value": 42, "series": "cpu"}\''

    def facts(self, config: TimeSeriesConfig, view: View) -> dict[str, Any]:
        earlier = None if view.earlier is None else values.seconds(view.earlier)
        return super().facts(config, view) | {"points": pairs(view.points), "prev": earlier}

    def push(self, widget: int, facts: Mapping[str, Any]) -> str:
        return partial(f"#w-{widget}-s{facts['line']}", self.news(widget, facts), swap="outerMorph")

    def push_late(self, widget: int, facts: Mapping[str, Any]) -> str:
        changed = partial(f"#w-{widget}-changed", _changed(widget, facts), swap="outerMorph") if facts["deep"] else ""
        return self.push(widget, facts) + changed

    def news(self, widget: int, facts: Mapping[str, Any]) -> str:
        """The element that charts.js reads a series' newest points from."""
        new = msgspec.json.encode({"prev": facts["prev"], "points": facts["points"]}).decode()
        return fresh(widget, facts, f' data-series="{escape(facts["series"])}" data-new="{escape(new)}"')


def _changed(widget: int, facts: Mapping[str, Any]) -> str:
    """The element that tells the chart to fetch again."""
    # Of two late events of a series a reader may be told only the second: so it says everything and not its own span,
    # with its id, or two in a row would look unchanged and the second would not be sent.
    span = msgspec.json.encode({"from": 0, "to": facts["at"], "id": facts["id"]}).decode()
    return f'<i hidden id="w-{widget}-changed" data-changed="{escape(span)}"></i>'
