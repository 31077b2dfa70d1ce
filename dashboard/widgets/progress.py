"""How far something is: a bar from 0 to its total, with what is being done as the value's label."""

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta

from dashboard.widgets.base import Config, View, WidgetKind, fresh, rendered
from dashboard.widgets.figures import part, shown


class ProgressConfig(Config, frozen=True):
    total: Annotated[float, Meta(gt=0, description="What is done at 100 %.")] = 100.0
    unit: Annotated[str, Meta(max_length=20)] = ""


class Progress(WidgetKind):
    name = "progress"
    title = "Progress"
    icon = "loader"
    config = ProgressConfig
    size = (4, 2)

    def facts(self, config: ProgressConfig, view: View) -> dict[str, Any]:
        value = view.points[-1].value
        unit = f" {config.unit}" if config.unit else ""
        done = f"{shown(value)} of {shown(config.total)}{unit}"
        return super().facts(config, view) | {"done": done, "part": part(value, 0.0, config.total)}

    def body(self, widget: int, facts: Mapping[str, Any]) -> str:
        percent = int(facts["part"] * 100)  # never "100 %" before it is
        return fresh(widget, facts) + rendered(
            "dashboard/_progress.html", {"done": facts["done"], "label": facts["label"], "percent": percent}
        )
