"""One number, large; its change against some time ago; the line of its last values."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta

from dashboard import values
from dashboard.widgets.base import Config, View, WidgetKind, fresh, pairs, partial, rendered
from dashboard.widgets.figures import shown, signed, span, spark


class StatConfig(Config, frozen=True):
    unit: Annotated[str, Meta(max_length=20)] = ""
    decimals: Annotated[int, Meta(ge=0, le=6)] | None = None
    better: Annotated[Literal["up", "down", "neither"], Meta(description="Which way is green; the other is red.")] = "neither"
    against: Annotated[int, Meta(ge=0, le=86_400, title="Compared with", description="The value so many seconds before; 0: none.")] = 600
    color: Annotated[int, Meta(ge=1, le=6, description="Of its line, 1 to 6.")] = 1
    waiting: Annotated[
        str, Meta(max_length=120, title="Until a value comes", description="What stands there; empty: the line that sends one.")
    ] = ""


class Stat(WidgetKind):
    name = "stat"
    title = "Stat"
    icon = "hash"
    config = StatConfig
    recent = 30

    def horizon(self, config: StatConfig) -> int:
        return config.against

    def facts(self, config: StatConfig, view: View) -> dict[str, Any]:
        newest, base = view.points[-1], view.base
        return super().facts(config, view) | {
            "unit": config.unit,
            "decimals": config.decimals,
            "better": config.better,
            "color": config.color,
            "against": config.against,
            "change": None if base is None else values.difference(newest.value, base.value),
            "points": pairs(view.points),
        }

    def body(self, widget: int, facts: Mapping[str, Any]) -> str:
        value = shown(facts["value"], facts["decimals"])
        return fresh(widget, facts) + rendered(
            "dashboard/_stat.html", {"id": f"w-{widget}", "value": value, "unit": facts["unit"], **_trend(facts)}
        )

    def push_late(self, widget: int, facts: Mapping[str, Any]) -> str:
        return partial(f"#w-{widget}-t", rendered("dashboard/_trend.html", _trend(facts)))


def _trend(facts: Mapping[str, Any]) -> dict[str, Any]:
    change = facts["change"]
    return {
        "delta": "" if change is None else _words(change, facts),
        "tone": _tone(change or 0.0, facts["better"]),
        "spark": spark(facts["points"], color=facts["color"]),
    }


def _words(change: float, facts: Mapping[str, Any]) -> str:
    if not change:
        return "no change"
    unit = f" {facts['unit']}" if facts["unit"] else ""
    return f"{signed(change, facts['decimals'])}{unit} in {span(facts['against'])}"


def _tone(change: float, better: str) -> str:
    if not change or better == "neither":
        return ""
    return "better" if (change > 0) == (better == "up") else "worse"
