"""What happened: the newest entries, each a line of text with its time."""

from collections.abc import Mapping
from typing import Annotated, Any

from django.utils.html import escape
from msgspec import Meta

from core.errors import Code, Problem
from dashboard import values
from dashboard.widgets.base import Config, Point, Reading, View, WidgetKind, fresh

MOST = 10  # their texts must fit into one event


class FeedConfig(Config, frozen=True):
    entries: Annotated[int, Meta(ge=1, le=MOST, description="How many are shown.")] = 8


class Feed(WidgetKind):
    name = "feed"
    title = "Event feed"
    icon = "list"
    config = FeedConfig
    recent = MOST
    keeps_all = True
    is_regular = False
    size = (4, 3)
    curl = "'\"Backup done\"'"
    shape = 'An entry is a text, for example "Backup done", or {"value": "Backup done"}.'

    def read(self, value: object, *, label: object = "", data: Any = None) -> Reading:
        text = values.label(value if isinstance(value, str) else label)
        if not text or not isinstance(value, str | None):
            raise Problem(Code.INVALID, self.shape, field="value")
        return Reading(1.0, text, data)

    def told(self, label: str, data: Any) -> str:
        return label

    def facts(self, config: FeedConfig, view: View) -> dict[str, Any]:
        shown = view.points[-config.entries :]
        newest = view.points[-1]
        return {
            "at": values.seconds(newest.at),
            "value": newest.label,
            "entries": [_entry(p) for p in reversed(shown)],
        }

    def body(self, widget: int, facts: Mapping[str, Any]) -> str:
        rows = "".join(_row(widget, *entry) for entry in facts["entries"])
        return f'{fresh(widget, facts)}<ul class="feed" tabindex="0" aria-label="Newest entries">{rows}</ul>'


def _entry(point: Point) -> list[Any]:
    data = point.data or {}
    return [point.id, data.get("at", values.seconds(point.at)), point.label, data.get("url", "")]


def _row(widget: int, pk: int, at: float, text: str, url: str) -> str:
    when = values.written(round(at * 1_000_000))
    words = f'<a class="link" href="{escape(url)}">{escape(text)}</a>' if url else f"<span>{escape(text)}</span>"
    return f'<li id="w-{widget}-e{pk}"><time datetime="{when}" data-style="time">{when[11:19]}</time>{words}</li>'
