"""Words in Markdown: those of the settings, or the last that were sent."""

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta

from core.errors import Code, Problem
from dashboard.markdown import html
from dashboard.widgets.base import Config, Reading, View, WidgetKind, fresh

MOST = 4000
Words = Annotated[str, Meta(max_length=MOST)]


class TextConfig(Config, frozen=True):
    text: Annotated[Words, Meta(description="Markdown.")] = "**Text** is written in [Markdown](https://commonmark.org/help/)."


class Text(WidgetKind):
    name = "text"
    title = "Text"
    icon = "text"
    config = TextConfig
    is_regular = False
    size = (4, 3)
    curl = "'\"**Freeze** until Monday\"'"
    shape = f'A text is Markdown of at most {MOST} characters, for example "**Freeze** until Monday".'

    def read(self, value: object, *, label: object = "", data: Any = None) -> Reading:
        if not isinstance(value, str) or len(value) > MOST or "\0" in value or any("\ud800" <= c <= "\udfff" for c in value):
            raise Problem(Code.INVALID, self.shape, field="value")
        return Reading(float(len(value)), data={"text": value})

    def told(self, label: str, data: Any) -> str:
        return str((data or {}).get("text", ""))

    def facts(self, config: TextConfig, view: View) -> dict[str, Any]:
        # Read here and not where it is drawn: Markdown costs more than a hub may spend on one event.
        return super().facts(config, view) | {"html": html((view.points[-1].data or {}).get("text", ""))}

    def body(self, widget: int, facts: Mapping[str, Any]) -> str:
        return fresh(widget, facts) + _prose(facts["html"])

    def blank(self, widget: int, config: TextConfig) -> str:
        return _prose(html(config.text))


def _prose(text: str) -> str:
    return f'<div class="prose" tabindex="0">{text}</div>'
