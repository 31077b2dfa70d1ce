"""The demo's board: this machine, live."""

from typing import Any

import psutil

from core.demo import People
from dashboard.actions import save_dashboard, save_source, save_widget
from dashboard.alerts.actions import save_rule
from dashboard.models import Access, AlertRule, Dashboard, Favourite, Source, Widget

BOARD = "this-machine"
SEEN_EVERY = {"interval": 2, "grace": 4}
LEFT_EVERY = {"interval": 5, "grace": 10}  # web processes leave their figures every 5 s: core/delivery/service.py
PERCENT = {"unit": "%", "decimals": 1, "better": "down"}
ABOUT = (
    "The machine is sampled every **two seconds**; this Signalbox is what its web processes count, together, every **five**. "
    "Make your own under [Dashboards](/dashboards/new/)."
)
MEGABYTES = psutil.virtual_memory().total // 2**20
USAGE = {
    "unit": "%",
    "decimals": 1,
    "min": 0,
    "max": 100,
    "range": 900,
    "labels": {"cpu": "CPU", "memory": "Memory", "load": "Load"},
    "thresholds": [{"value": 90, "level": "bad"}],
}
TRAFFIC = {"unit": "/s", "min": 0, "range": 900, "area": True, "labels": {"publishes": "Published", "deliveries": "Delivered"}}
USERS: dict[str, Any] = {"model": "auth.User", "figure": "rows", "fields": ["username", "is_staff", "date_joined"], "rows": 5}
LAG = {
    "unit": "ms",
    "decimals": 1,
    "better": "down",
    "color": 2,
    "waiting": "Measured on the way to open pages: seconds after the first one, this one too, was sent something.",
}
TILES: tuple[dict[str, Any], ...] = (
    {"slug": "cpu", "kind": "stat", "title": "CPU", "config": PERCENT | {"color": 1}, **SEEN_EVERY},
    {"slug": "memory", "kind": "stat", "title": "Memory", "config": PERCENT | {"color": 2}, **SEEN_EVERY},
    {"slug": "disk", "kind": "stat", "title": "Disk", "config": PERCENT | {"color": 3}, **SEEN_EVERY},
    {"slug": "network", "kind": "stat", "title": "Network", "config": {"unit": "kB/s", "color": 4}, **SEEN_EVERY},
    {"slug": "usage", "kind": "timeseries", "title": "CPU, memory and load", "columns": 8, "rows": 4, "config": USAGE, **SEEN_EVERY},
    {"slug": "events", "kind": "feed", "title": "What happened", "columns": 4, "rows": 4, "config": {"entries": 8}},
    {"slug": "publishes", "kind": "stat", "title": "Published", "config": {"unit": "/s", "decimals": 1, "color": 5}, **LEFT_EVERY},
    {"slug": "deliveries", "kind": "stat", "title": "Delivered", "config": {"unit": "/s", "decimals": 1, "color": 6}, **LEFT_EVERY},
    {"slug": "connections", "kind": "stat", "title": "Connections", "config": {"color": 1}, **LEFT_EVERY},
    {"slug": "lag", "kind": "stat", "title": "From publish to send", "config": LAG},
    {"slug": "traffic", "kind": "timeseries", "title": "This Signalbox", "columns": 8, "rows": 4, "config": TRAFFIC, **LEFT_EVERY},
    {"slug": "lobby", "kind": "room", "title": "Lobby", "columns": 4, "rows": 4, "config": {"room": "lobby"}},
    {"slug": "health", "kind": "status", "title": "Parts", "columns": 4, "rows": 3, "source": ("health", {"figure": "states"})},
    {"slug": "queues", "kind": "bars", "title": "Waiting jobs", "columns": 4, "rows": 3, "source": ("celery", {"figure": "waiting"})},
    {
        "slug": "load",
        "kind": "gauge",
        "title": "Load of all cores",
        "columns": 4,
        "rows": 3,
        "config": {"unit": "%", "warn": 80, "bad": 100},
        "source": ("system", {"figures": ["load"]}),
    },
    {
        "slug": "accounts",
        "kind": "table",
        "title": "Newest accounts",
        "columns": 6,
        "rows": 3,
        "config": {"columns": USERS["fields"]},
        "source": ("model", USERS),
    },
    {
        "slug": "used",
        "kind": "progress",
        "title": "Memory in use",
        "columns": 3,
        "rows": 3,
        "config": {"total": MEGABYTES, "unit": "MB"},
        **SEEN_EVERY,
    },
    {
        "slug": "rooms",
        "kind": "bars",
        "title": "Messages by name",
        "columns": 3,
        "rows": 3,
        "config": {"high": 20},
        "source": ("model", {"model": "signalbox_rooms.Message", "group": "name"}),
    },
    {"slug": "people", "kind": "stat", "title": "People", "config": {"against": 0}, "source": ("model", {"model": "auth.User"})},
    {"slug": "clock", "kind": "clock", "title": "Time", "config": {"zone": "UTC"}},
    {"slug": "about", "kind": "text", "title": "About this board", "config": {"text": ABOUT}, "columns": 6, "rows": 2},
)
RULES: tuple[dict[str, Any], ...] = (
    {"widget": "cpu", "name": "CPU busy", "condition": "above", "high": 95, "pending_seconds": 60, "recovery_seconds": 60},
    {"widget": "disk", "name": "Disk nearly full", "condition": "above", "high": 90, "severity": 3},
    {"widget": "memory", "name": "Nothing is sampled", "condition": "no_data", "pending_seconds": 60},
)


def make(people: People) -> None:
    """Make the board where it is not there yet, open to everybody who is signed in, starred by alice."""
    board = Dashboard.objects.filter(slug=BOARD).first()
    if board is None:
        description = "What this computer is doing, and this Signalbox."
        board = Dashboard(slug=BOARD, title="This machine", description=description, owner=people.alice, access=Access.MEMBERS)
        save_dashboard(board)
        for order, tile in enumerate(TILES):
            _add(board, order, **tile)
        for rule in RULES:
            save_rule(AlertRule(**rule | {"widget": Widget.objects.get(dashboard=board, slug=rule["widget"])}))
    for person in (people.alice, people.bob, people.charlie):
        Favourite.objects.get_or_create(user=person, dashboard=board)


def _add(board: Dashboard, order: int, *, source: tuple[str, dict[str, Any]] | None = None, **tile: Any) -> None:
    widget = save_widget(Widget(dashboard=board, order=order, **tile))
    if source:
        save_source(Source(widget=widget, kind=source[0], config=source[1]))
