"""The demo's board: this machine, live."""

from typing import Any

from core.demo import People
from dashboard.actions import save_dashboard, save_source, save_widget
from dashboard.models import Access, Dashboard, Favourite, Source, Widget

BOARD = "this-machine"
SEEN_EVERY = {"interval": 2, "grace": 4}
PERCENT = {"unit": "%", "decimals": 1, "better": "down"}
MESSAGES = {"model": "signalbox_rooms.Message", "group": "name"}
ABOUT = "Sampled every **two seconds**. Make your own under [Dashboards](/dashboards/new/)."
TILES: tuple[dict[str, Any], ...] = (
    {"slug": "cpu", "kind": "stat", "title": "CPU", "config": PERCENT | {"color": 1}, **SEEN_EVERY},
    {"slug": "memory", "kind": "stat", "title": "Memory", "config": PERCENT | {"color": 2}, **SEEN_EVERY},
    {"slug": "disk", "kind": "stat", "title": "Disk", "config": PERCENT | {"color": 3}, **SEEN_EVERY},
    {"slug": "network", "kind": "stat", "title": "Network", "config": {"unit": "kB/s", "color": 4}, **SEEN_EVERY},
    {
        "slug": "usage",
        "kind": "timeseries",
        "title": "CPU, memory and load",
        "columns": 8,
        "rows": 4,
        "config": {
            "unit": "%",
            "decimals": 1,
            "min": 0,
            "max": 100,
            "range": 900,
            "labels": {"cpu": "CPU", "memory": "Memory", "load": "Load"},
            "thresholds": [{"value": 90, "level": "bad"}],
        },
        **SEEN_EVERY,
    },
    {"slug": "events", "kind": "feed", "title": "What happened", "columns": 4, "rows": 4, "config": {"entries": 8}},
    {"slug": "people", "kind": "stat", "title": "People", "config": {"against": 0}, "source": {"model": "auth.User"}},
    {"slug": "rooms", "kind": "bars", "title": "Messages by name", "config": {"high": 20}, "source": MESSAGES, "columns": 3, "rows": 2},
    {"slug": "clock", "kind": "clock", "title": "Time", "config": {"zone": "UTC"}},
    {"slug": "about", "kind": "text", "title": "About this board", "config": {"text": ABOUT}, "columns": 3, "rows": 2},
)


def make(people: People) -> None:
    """Make the board where it is not there yet, open to everybody who is signed in, starred by alice."""
    board = Dashboard.objects.filter(slug=BOARD).first()
    if board is None:
        description = "What this computer is doing, sampled every two seconds."
        board = Dashboard(slug=BOARD, title="This machine", description=description, owner=people.alice, access=Access.MEMBERS)
        save_dashboard(board)
        for order, tile in enumerate(TILES):
            _add(board, order, **tile)
    for person in (people.alice, people.bob, people.charlie):
        Favourite.objects.get_or_create(user=person, dashboard=board)


def _add(board: Dashboard, order: int, *, source: dict[str, Any] | None = None, **tile: Any) -> None:
    widget = save_widget(Widget(dashboard=board, order=order, **tile))
    if source:
        save_source(Source(widget=widget, kind="model", config=source))
