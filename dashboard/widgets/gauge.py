"""A value between two ends, as an arc; from its limits on a warning or critical, in colour, icon and word."""

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta

from core.templatetags.ui import icon
from dashboard.widgets.base import Config, View, WidgetKind, fresh, rendered
from dashboard.widgets.figures import part, shown

ARC = 163.4  # length of the half circle
WORDS = {"warn": "Warning", "bad": "Critical"}
ICONS = {"warn": "triangle-alert", "bad": "circle-alert"}


class GaugeConfig(Config, frozen=True):
    unit: Annotated[str, Meta(max_length=20)] = "%"
    decimals: Annotated[int, Meta(ge=0, le=6)] | None = None
    low: Annotated[float, Meta(title="Begins at")] = 0.0
    high: Annotated[float, Meta(title="Ends at")] = 100.0
    warn: Annotated[float | None, Meta(title="Warning from")] = None
    bad: Annotated[float | None, Meta(title="Critical from")] = None


class Gauge(WidgetKind):
    name = "gauge"
    title = "Gauge"
    icon = "gauge"
    config = GaugeConfig
    size = (4, 3)

    def facts(self, config: GaugeConfig, view: View) -> dict[str, Any]:
        value = view.points[-1].value
        limits = {tone: limit for tone, limit in (("bad", config.bad), ("warn", config.warn)) if limit is not None}
        tone = next((tone for tone, limit in limits.items() if value >= limit), "")
        return super().facts(config, view) | {
            "unit": config.unit,
            "decimals": config.decimals,
            "part": part(value, config.low, config.high),
            "tone": tone,
            "note": _note(tone, limits),
        }

    def body(self, widget: int, facts: Mapping[str, Any]) -> str:
        value = shown(facts["value"], facts["decimals"])
        arc = f"{facts['part'] * ARC:.1f} {2 * ARC}"
        tone = facts["tone"]
        said = {"word": WORDS[tone], "icon": icon(ICONS[tone])} if tone else {}
        return fresh(widget, facts) + rendered("dashboard/_gauge.html", {**facts, **said, "shown": value, "arc": arc})


def _note(tone: str, limits: dict[str, float]) -> str:
    """What follows the word of the limit that is reached, or the limits where none is."""
    if tone == "bad":
        return f"from {shown(limits[tone])}"
    said = ", ".join(f"{WORDS[one].lower()} from {shown(limit)}" for one, limit in reversed(limits.items()))
    return said.removeprefix(f"{WORDS[tone].lower()} ") if tone else said
