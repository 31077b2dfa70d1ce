"""The time of day in one place of the world; the browser keeps it (board.js)."""

import zoneinfo
from typing import Annotated, Any

from django.utils.html import escape
from msgspec import Meta

from core.errors import Code, Problem
from dashboard.widgets.base import Config, Reading, WidgetKind


class ClockConfig(Config, frozen=True):
    zone: Annotated[str, Meta(max_length=60, description="As in Europe/Berlin; empty: the reader's own.")] = ""
    seconds: bool = True


class Clock(WidgetKind):
    name = "clock"
    title = "Clock"
    icon = "clock"
    config = ClockConfig
    takes_values = is_regular = False
    size = (3, 2)
    shape = "A clock takes no values."

    def settings(self, config: Any) -> ClockConfig:
        typed: ClockConfig = super().settings(config)
        if typed.zone and typed.zone not in zoneinfo.available_timezones():
            raise Problem(
                Code.INVALID, "The zone of a clock is a name such as Europe/Berlin or UTC; empty is the reader's own.", field="config"
            )
        return typed

    def read(self, value: object, *, label: object = "", data: Any = None) -> Reading:
        raise Problem(Code.INVALID, self.shape, field="value")

    def blank(self, widget: int, config: ClockConfig) -> str:
        place = escape(config.zone.rpartition("/")[2].replace("_", " ") or "Local time")
        time = f'<time class="value num" id="w-{widget}-time" hx-morph-skip-children data-clock="{escape(config.zone)}"'
        return f'{time}{" data-seconds" if config.seconds else ""}>–</time><p class="note">{place}</p>'
