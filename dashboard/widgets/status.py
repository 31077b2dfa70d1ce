"""One lamp per series: what is up, slow, down or unknown, in icon and word."""

from collections.abc import Mapping
from typing import Any

from django.utils.html import escape

from core.errors import Code, Problem
from core.templatetags.ui import icon
from dashboard import values
from dashboard.widgets.base import Config, Reading, View, WidgetKind, fresh, partial

# The number is what alerts and charts see: higher is worse.
TONES = ("good", "idle", "warn", "bad")
ICONS = {"good": "check", "idle": "circle-help", "warn": "triangle-alert", "bad": "x"}
WORDS = {
    **dict.fromkeys(("up", "ok", "good", "running", "healthy"), 0),
    **dict.fromkeys(("unknown", "idle", "off"), 1),
    **dict.fromkeys(("slow", "warning", "warn", "degraded", "late"), 2),
    **dict.fromkeys(("down", "bad", "error", "failed", "critical"), 3),
}


class Status(WidgetKind):
    name = "status"
    title = "Status grid"
    icon = "layout-grid"
    config = Config
    several = True
    size = (4, 3)
    curl = '\'{"series": "search", "value": "slow"}\''
    shape = f"A status is one of the words {', '.join(WORDS)}; `label` says what is shown instead of the word."

    def read(self, value: object, *, label: object = "", data: Any = None) -> Reading:
        if not isinstance(value, str) or value.lower() not in WORDS:
            raise Problem(Code.INVALID, self.shape, field="value", allowed=tuple(WORDS))
        return Reading(float(WORDS[value.lower()]), values.label(label) or value.lower())

    def told(self, label: str, data: Any) -> str:
        return label

    def facts(self, config: Config, view: View) -> dict[str, Any]:
        return super().facts(config, view) | {"tone": TONES[min(3, max(0, int(view.points[-1].value)))]}

    def body(self, widget: int, facts: Mapping[str, Any]) -> str:
        inside = f"{icon(ICONS[facts['tone']])}<span>{escape(facts['series'] or 'service')}</span><b>{escape(facts['label'])}</b>"
        return f'<li id="w-{widget}-l{facts["line"]}" class="st {facts["tone"]}">{fresh(widget, facts)}{inside}</li>'

    def whole(self, widget: int, config: Config, bodies: str) -> str:
        return f'<ul class="grid">{bodies}</ul>'

    def push(self, widget: int, facts: Mapping[str, Any]) -> str:
        return partial(f"#w-{widget}-l{facts['line']}", self.body(widget, facts), swap="outerMorph")
