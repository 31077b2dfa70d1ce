"""A room's newest messages, live. What is shown is the room's own region, which each viewer's page asks for: the room decides who may."""

from typing import Annotated, Any
from urllib.parse import quote

from django.utils.html import escape
from msgspec import Meta

from core.delivery.channel import registry
from core.errors import Code, Problem
from dashboard.widgets.base import Config, Reading, WidgetKind


class RoomConfig(Config, frozen=True):
    room: Annotated[str, Meta(max_length=64, pattern=r"^[A-Za-z0-9_-]*\Z", description="As in /rooms/lobby/.")] = "lobby"


class Room(WidgetKind):
    name = "room"
    title = "Room"
    icon = "message-square"
    config = RoomConfig
    takes_values = is_regular = False
    size = (4, 4)
    shape = "A room takes no values: what people say in it is shown."

    def read(self, value: object, *, label: object = "", data: Any = None) -> Reading:
        raise Problem(Code.INVALID, self.shape, field="value")

    def blank(self, widget: int, config: RoomConfig) -> str:
        kind = registry.kinds.get("room")
        if kind is None or not kind.panel or not config.room:
            return '<p class="note">No room is chosen.</p>'
        # The same for everybody. Another room is another element, so that it is asked for.
        address = kind.panel.format(name=quote(config.room))
        asks = f'hx-get="{address}" hx-trigger="load" hx-swap="innerHTML" hx-status:4xx="swap:none" hx-status:5xx="swap:none"'
        note = f'<p class="note">There is no room {escape(config.room)} that is open to you.</p>'
        return f'<div class="region" id="w-{widget}-room-{escape(config.room)}" {asks} hx-morph-skip-children>{note}</div>'
