"""What a page shows of a board: its tiles, read in a constant number of queries. The same code that writes a push writes the tile."""

import json
import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import msgspec
from django.conf import settings
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from core.errors import Problem
from dashboard import history, store, values, widgets
from dashboard.alerts import shown as alerts_shown
from dashboard.models import Dashboard, Series, Widget
from dashboard.widgets.base import Point, View, WidgetKind
from dashboard.widgets.figures import span
from dashboard.widgets.timeseries import RANGES, TimeSeries, TimeSeriesConfig

MOST_POINTS = 10_000  # of all charts of one range on a page
CHART_WIDTH = 800  # pixels that a first paint is good for; charts.js asks anew for what it needs


@dataclass(frozen=True, slots=True)
class Line:
    """One series on a tile, with what there is to show of it."""

    pk: int
    name: str
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Tile:
    """One widget as a page shows it."""

    widget: Widget
    board: str  # slug
    kind: WidgetKind | None
    config: Any = None
    trouble: str = ""
    lines: tuple[Line, ...] = ()
    body: SafeString = field(default_factory=lambda: mark_safe(""))
    chart: Mapping[str, Any] | None = None
    alerts: SafeString = field(default_factory=lambda: mark_safe(""))  # the signs of its rules
    base: str = ""  # the address of the board's pages for those who came by a share link
    is_example: bool = False  # with made-up values, which do not get late

    @property
    def address(self) -> str:
        return f"{self.board}/{self.widget.slug}"

    @property
    def page(self) -> str:
        return f"{self.base or f'/dashboards/{self.board}'}/{self.widget.slug}"

    @property
    def lasting(self) -> str:
        """Where an open page asks for it: no renaming, of the board or of the widget, changes that."""
        return f"{self.base or f'/dashboards/{self.widget.dashboard_id}'}/{self.widget.pk}"

    @property
    def has_table(self) -> bool:
        """Whether its title leads to its values as a table."""
        return bool(self.lines) and not self.is_example

    @property
    def state(self) -> str:
        if self.trouble:
            return "error"
        if self.widget.state == Widget.State.PAUSED:
            return "paused"
        return "live" if self.lines or self.body else "nodata"

    @property
    def interval(self) -> str:
        """The seconds between two values as an attribute; 0: nobody knows, so the tile is never late."""
        return "0" if self.is_example else _plain(self.widget.expected)

    @property
    def grace(self) -> str:
        return _plain(self.widget.patience)

    @property
    def description(self) -> str:
        """What a chart shows, for those who do not see it."""
        names = ", ".join(line["label"] for line in self.chart["legend"]) if self.chart else ""
        unit = f", in {self.config.unit}" if self.config.unit else ""
        return f"{self.widget.title}: {names}{unit}, last {span(self.config.range)}"

    @property
    def marks(self) -> SafeString:
        """What this page knows of the widget: its settings, its learnt interval and its series."""
        pk = self.widget.pk
        own = mark(f"w-{pk}-r{self.widget.revision}") + mark(interval_mark(pk, self.widget.learnt))
        return mark_safe(own + "".join(mark(f"w-{pk}-n{line.pk}") for line in self.lines))

    @property
    def waiting(self) -> str:
        """What stands there until the first value comes, where its settings have words for that."""
        return str(getattr(self.config, "waiting", ""))

    @property
    def curl(self) -> str:
        """The line that sends a value here."""
        value = self.kind.curl if self.kind else "42"
        return f'curl -H "Authorization: Bearer $T" -d {value} {settings.BASE_URL}/api/v1/widgets/{self.address}'


@dataclass(frozen=True, slots=True)
class Board:
    """A board with its tiles in order."""

    dashboard: Dashboard
    tiles: tuple[Tile, ...]

    @property
    def mark(self) -> SafeString:
        """What this page knows of the layout."""
        return mark(f"board-{self.dashboard.pk}-r{self.dashboard.revision}")


def board(pk: int, *, now: datetime, base: str = "") -> Board:
    """Read a board. A page reads its channel's position first and then this. `base`: where its pages stand for a guest with a link."""
    dashboard = Dashboard.objects.get(pk=pk)
    shown = tiles(dashboard.widgets.select_related("dashboard"), now=now)
    return Board(dashboard, tuple(replace(tile, base=base) for tile in shown) if base else shown)


def tiles(rows: Iterable[Widget], *, now: datetime) -> tuple[Tile, ...]:
    """The tiles of these widgets (with their dashboards), in their order."""
    shown = list(rows)
    typed = {widget.pk: _typed(widget) for widget in shown}
    series = _series(typed)
    views = history.views(_wanted(typed, series))
    charts = _charts({widget.pk: typed[widget.pk][1] for widget in shown if isinstance(typed[widget.pk][0], TimeSeries)}, series, now)
    made = (_tile(widget, *typed[widget.pk], series[widget.pk], views, charts.get(widget.pk)) for widget in shown)
    signs = alerts_shown.of_widgets(typed)
    return tuple(replace(tile, alerts=signs[tile.widget.pk]) if tile.widget.pk in signs else tile for tile in made)


def example(widget: Widget, *, now: datetime) -> Tile:
    """The tile of a widget that has no values yet, as it would look with some until now: for its form."""
    kind, config, trouble = _typed(widget)
    if kind is None or not kind.curl or (blank := kind.blank(0, config)):
        body = mark_safe(blank) if kind is not None and not trouble else mark_safe("")
        return Tile(widget, widget.dashboard.slug, kind, config, trouble, body=body, is_example=True)
    sent = json.loads(kind.curl.strip("'"))
    sent = sent if isinstance(sent, dict) else {"value": sent}
    reading = kind.read(sent["value"], label=sent.get("label", ""))
    count = max(kind.recent, 30) if kind.recent > 1 and not kind.keeps_all else 1
    start = values.microseconds(now) - (count - 1) * 10 * history.SECOND
    wave = [reading.value * (1 + 0.2 * math.sin(number / 4) * (count > 1)) for number in range(count)]
    points = tuple(
        Point(number, start + number * 10 * history.SECOND, value, reading.label, reading.data) for number, value in enumerate(wave)
    )
    series = Series(pk=0, name=sent.get("series", ""))
    stretch = history.Stretch(start, points[-1].at, 0, {0: [(point.at, point.value) for point in points]})
    tile = _tile(widget, kind, config, trouble, [series], {0: View(points)}, stretch if isinstance(kind, TimeSeries) else None)
    return replace(tile, is_example=True)


def _typed(widget: Widget) -> tuple[WidgetKind | None, Any, str]:
    """Its kind, its typed config, and what is wrong with it."""
    kind = widgets.KINDS.get(widget.kind)
    if kind is None:
        return None, None, f"There is no kind of widget {widget.kind!r} here."
    trouble = widget.error if widget.state == Widget.State.ERROR else ""
    try:
        return kind, kind.settings(widget.config), trouble
    except Problem as problem:
        return None, None, problem.detail


def _series(pks: Collection[int]) -> dict[int, list[Series]]:
    found: dict[int, list[Series]] = defaultdict(list)
    for row in Series.objects.filter(widget__in=pks).order_by("pk"):
        found[row.widget_id].append(row)
    return found


def _wanted(typed: Mapping[int, tuple[WidgetKind | None, Any, str]], series: Mapping[int, Sequence[Series]]) -> dict[int, history.Wanted]:
    return {
        row.pk: history.Wanted(kind.recent, kind.horizon(config))
        for pk, (kind, config, _) in typed.items()
        if kind is not None
        for row in series.get(pk, ())
    }


def _tile(
    widget: Widget,
    kind: WidgetKind | None,
    config: Any,
    trouble: str,
    series: Sequence[Series],
    views: Mapping[int, View],
    points: history.Stretch | None,
) -> Tile:
    board = widget.dashboard.slug
    if kind is None:
        return Tile(widget, board, None, trouble=trouble)
    target = store.target_of(widget)
    lines = tuple(Line(row.pk, row.name, store.facts(target, row.pk, row.name, views[row.pk])) for row in series if row.pk in views)
    if isinstance(kind, TimeSeries):
        lines = _ordered(lines, list(config.labels))
        return Tile(widget, board, kind, config, trouble, lines, chart=_chart(widget.pk, kind, config, lines, points))
    # mark_safe: it is what the kind's own escaping templates wrote, and exactly what a push carries.
    bodies = "".join(kind.body(widget.pk, line.facts) for line in lines)
    body = mark_safe(kind.whole(widget.pk, config, bodies) if lines else kind.blank(widget.pk, config))
    return Tile(widget, board, kind, config, trouble, lines, body)


# --- charts ---


def _ordered(lines: Sequence[Line], named: Sequence[str]) -> tuple[Line, ...]:
    """Lines in the order in which the settings name them, then in the order in which they came."""
    places = {name: place for place, name in enumerate(named)}
    return tuple(sorted(lines, key=lambda line: (places.get(line.name, len(places)), line.pk)))


def _charts(configs: Mapping[int, TimeSeriesConfig], series: Mapping[int, Sequence[Series]], now: datetime) -> dict[int, history.Stretch]:
    """Each chart's first paint; charts of one range share their queries."""
    end = values.microseconds(now)
    found: dict[int, history.Stretch] = {}
    for seconds in {config.range for config in configs.values()}:
        mine = [pk for pk, config in configs.items() if config.range == seconds]
        names = {row.pk: row.name for pk in mine for row in series.get(pk, ())}
        width = min(CHART_WIDTH, MOST_POINTS // max(1, len(names)))
        stretch = history.stretch(list(names), start=end - seconds * history.SECOND, end=end, width=width)
        found |= dict.fromkeys(mine, stretch)
    return found


def answer(stretch: history.Stretch, names: Mapping[int, str]) -> dict[str, Any]:
    """A stretch as charts.js takes it, in a tile and from the points address."""
    return {
        "from": values.seconds(stretch.start),
        "to": values.seconds(stretch.end),
        "step": values.seconds(stretch.step),
        "series": {name: [[values.seconds(at), value] for at, value in stretch.series[pk]] for pk, name in names.items()},
    }


def _chart(
    widget: int, kind: TimeSeries, config: TimeSeriesConfig, lines: Sequence[Line], points: history.Stretch | None
) -> dict[str, Any]:
    named = [(line.name, config.labels.get(line.name, line.name or "value"), index % 6 + 1) for index, line in enumerate(lines)]
    drawn = [
        {"name": name, "label": label, "color": color} | ({"area": True} if config.area or config.stacked else {})
        for name, label, color in named
    ]
    shown = {} if points is None else answer(points, {line.pk: line.name for line in lines})
    return {
        "series": msgspec.json.encode(drawn).decode(),
        "points": msgspec.json.encode(shown).decode(),
        "stacked": config.stacked,
        "thresholds": msgspec.json.encode(config.thresholds).decode() if config.thresholds else "",
        "legend": [{"name": name, "label": label, "color": color} for name, label, color in named],
        "ranges": [{"seconds": seconds, "text": _short(seconds), "now": seconds == config.range} for seconds in RANGES],
        # mark_safe: written by the kind, which escapes.
        "news": mark_safe("".join(kind.news(widget, line.facts) for line in lines)),
    }


def _short(seconds: int) -> str:
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


# --- small things ---


def _plain(number: float) -> str:
    return f"{number:g}"


def mark(id: str, *, required: bool = False) -> SafeString:
    """A hidden element that says what a page knows of; pushed as `required`, it makes pages without it refetch."""
    return format_html('<i hidden id="{}"{}></i>', id, mark_safe(' hx-swap-oob="outerMorph"' if required else ""))


def interval_mark(widget: int, learnt: float | None) -> str:
    """The id of the mark that says which interval a page learnt."""
    return f"w-{widget}-i{round((learnt or 0) * 1000)}"


def snapshot(pk: int) -> list[dict[str, Any]]:
    """The newest value of every series of a board, as events."""
    shown = tiles(Widget.objects.filter(dashboard=pk).select_related("dashboard"), now=values.moment(0))
    return [
        {"type": "widget.value", "key": f"{tile.widget.pk}/{line.name}", "data": line.facts, "at": line.facts["at"]}
        for tile in shown
        for line in tile.lines
    ]
