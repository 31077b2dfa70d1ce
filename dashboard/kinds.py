"""The channel kind `dashboard`: the newest value of every series, and what became of the board and its widgets."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from core.delivery import presence
from core.delivery.channel import Event, EventType, Keeps, Kind, Reader
from dashboard import boards, policy, widgets
from dashboard.alerts import noting, shown
from dashboard.models import Dashboard


class DashboardKind(Kind):
    name = "dashboard"
    keeps = Keeps.STATE
    pace = 0.2
    has_presence = True
    types = (
        EventType("widget.value", slot="value"),
        EventType("series.changed", slot="late"),
        EventType("widget.config", slot="config", revives=True),
        EventType("widget.removed", slot="config", removes=True),
        EventType("layout.changed", slot="layout"),
    )

    def readable(self, readers: Collection[Reader], keys: Collection[str]) -> set[tuple[Reader, str]]:
        return policy.readable(readers, keys)

    def resolve(self, name: str) -> str | None:
        # A slug is never a number alone, so that a key can always be told from one.
        if name.isascii() and name.isdigit():
            return name
        pk = Dashboard.objects.filter(slug=name).values_list("pk", flat=True).first()
        return None if pk is None else str(pk)

    def names(self, reader: Reader) -> Sequence[str]:
        slugs = {str(pk): slug for pk, slug in Dashboard.objects.order_by("-pk").values_list("pk", "slug")[:50]}
        allowed = {key for _, key in self.readable([reader], slugs)}
        return [slug for key, slug in slugs.items() if key in allowed]

    def render(self, event: Event, key: str) -> str:
        return _RENDERERS[event.type](event, key)

    def numbered(self, key: str, events: Sequence[Event]) -> None:
        noting.note_numbered_locked(events)

    def render_presence(self, who: str, key: str, *, here: bool) -> str:
        return presence.face(who, here=here)

    def snapshot(self, key: str) -> Sequence[Mapping[str, Any]]:
        return boards.snapshot(int(key))


def _value(event: Event, key: str) -> str:
    kind = widgets.KINDS.get(event.data["kind"])
    return kind.push(_widget(event), event.data) if kind else ""


def _late(event: Event, key: str) -> str:
    kind = widgets.KINDS.get(event.data["kind"])
    return kind.push_late(_widget(event), event.data) if kind else ""


def _config(event: Event, key: str) -> str:
    # What is not on a page makes it refetch; a page that was rendered after the change has it, and stays as it is.
    widget, data = _widget(event), event.data
    if "alert" in data:
        return shown.push(data["alert"])
    if "interval" in data:
        return boards.mark(boards.interval_mark(widget, data["interval"]), required=True)
    if "line" in data:
        return boards.mark(f"w-{widget}-n{data['line']}", required=True)
    again = f"-{data['again']}" if "again" in data else ""
    return boards.mark(f"w-{widget}-r{data['revision']}{again}", required=True)


def _removed(event: Event, key: str) -> str:
    return f'<hx-partial hx-target="#w-{_widget(event)}" hx-swap="delete"></hx-partial>'


def _layout(event: Event, key: str) -> str:
    return boards.mark(f"board-{key}-r{event.data['revision']}", required=True)


def _widget(event: Event) -> int:
    return int(event.key.split("/", 1)[0])


_RENDERERS = {
    "widget.value": _value,
    "series.changed": _late,
    "widget.config": _config,
    "widget.removed": _removed,
    "layout.changed": _layout,
}
