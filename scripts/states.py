"""What `make shots` shows of every kind of widget in every state: a board for each state, with one tile of each kind on it.

And of broadcasts: one that everybody has, and one that was paused on its way.
"""

import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import django

# How long ago the newest value came, where a value is expected every ten minutes with five of grace.
EXPECTED = {"interval": 600, "grace": 300}
AGES = {"live": 0, "late": 1200, "stale": 7200, "error": 1200, "paused": 1200}
STATES = (*AGES, "nodata")
TROUBLE = "http://prometheus:9090 does not answer: no connection within 5 s. Asked again in 40 s."
PAST, STEP = 90, 10  # values before the newest, seconds between them
READERS = 2480
ANNOUNCED = "Every board has **late** and **stale** now. Have a look at [this machine](/dashboards/this-machine/)."
PLANNED = "The dashboards are **read-only** for half an hour."


@dataclass(frozen=True, slots=True)
class Shown:
    """A kind with settings that say something, and the newest value of each of its series."""

    kind: str
    title: str
    size: tuple[int, int]
    config: dict[str, Any]
    values: dict[str, Any]
    is_walk: bool = False  # numbers with a past


SHOWN = (
    Shown("stat", "Orders", (3, 2), {"unit": "/min", "better": "up"}, {"": 128}, is_walk=True),
    Shown("stat", "Errors", (3, 2), {"better": "down", "color": 6}, {"": 7}, is_walk=True),
    Shown("gauge", "Disk", (3, 3), {"warn": 70, "bad": 90}, {"": 74}),
    Shown("progress", "Import", (3, 2), {}, {"": 61}),
    Shown(
        "timeseries",
        "Requests",
        (6, 4),
        {"unit": "/s", "range": 900, "area": True, "thresholds": [{"value": 160, "level": "warn"}]},
        {"web-1": 120, "web-2": 90},
        is_walk=True,
    ),
    Shown("bars", "Queues", (3, 3), {}, {"import": 42, "mail": 12, "exports": 88}),
    Shown("status", "Services", (3, 3), {}, {"search": "up", "mail": "slow", "billing": "down", "maps": "off"}),
    Shown(
        "table",
        "Workers",
        (6, 3),
        {"columns": ["CPU", "State"], "sort": "-CPU"},
        {"web-1": {"CPU": 42, "State": "busy"}, "web-2": {"CPU": 7, "State": "idle"}, "web-3": {"CPU": 91, "State": "busy"}},
    ),
    Shown("feed", "What happened", (3, 3), {}, {"": "Backup of the archive done in 4 min"}),
    Shown("text", "Note", (3, 3), {"text": "**Freeze** until Monday\n\n- no deploys\n- ask before restarts"}, {}),
    Shown("clock", "Lisbon", (3, 2), {"zone": "Europe/Lisbon"}, {}),
    Shown("room", "Lobby", (3, 4), {"room": "lobby"}, {}),
)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")
    django.setup()
    for state in STATES:
        make(state)
    make_broadcasts()


def make(state: str) -> None:
    """The board `widgets-<state>`."""
    from dashboard.actions import NewValue, record_many, save_dashboard, save_widget
    from dashboard.models import Access, Dashboard, Widget

    board = save_dashboard(Dashboard(slug=f"widgets-{state}", title=f"Every widget: {state}", access=Access.MEMBERS))
    for order, one in enumerate(SHOWN):
        columns, rows = one.size
        widget = Widget(dashboard=board, slug=f"w{order}", kind=one.kind, title=one.title, config=one.config, columns=columns, rows=rows)
        widget.order, widget.interval, widget.grace = order, EXPECTED["interval"], EXPECTED["grace"]
        save_widget(widget)
        if state in AGES and one.values:
            record_many([NewValue(widget, value, at, series) for series, at, value in past(one, time.time() - AGES[state])])
        if state in ("error", "paused"):
            widget.state, widget.error = state, TROUBLE if state == "error" else ""
            save_widget(widget)


def past(one: Shown, newest: float) -> Iterator[tuple[str, float, Any]]:
    """(series, time, value) up to the newest."""
    for place, (series, value) in enumerate(one.values.items()):
        for ago in range(PAST, 0, -1) if one.is_walk else ():
            yield series, newest - ago * STEP, round(value * (1 + 0.3 * math.sin(ago / 7 + place)))
        yield series, newest, value


def make_broadcasts() -> None:
    """Two to a few thousand people: `BROADCASTS` of scripts.shots in this order."""
    from django.contrib.auth import get_user_model

    from notifications.broadcasts import actions

    people = get_user_model()
    people._default_manager.bulk_create(people(username=f"reader-{n:04}", password="!") for n in range(READERS))
    sender = people._default_manager.get(username="alice")
    done = actions.broadcast("all", title="The new dashboards are here", body=ANNOUNCED, markdown=True, sender=sender)
    while actions.write_chunk(done.pk, size=1000):
        pass
    paused = actions.broadcast("all", title="Maintenance at 22:00", body=PLANNED, markdown=True, sender=sender)
    actions.write_chunk(paused.pk, size=1000)
    actions.pause(paused, by=sender)


if __name__ == "__main__":
    main()
