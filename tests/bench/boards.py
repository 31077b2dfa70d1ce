"""A board of many widgets and whoever sends it values, in a process of its own: `python -m tests.bench.boards`.

Reads a command per line as JSON and answers each with a line of JSON.
"""

import json
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from tests.bench.publisher import steadily  # sets Django up

SLUG = "bench"
KINDS = (
    "stat",
    "stat",
    "stat",
    "timeseries",
    "stat",
    "gauge",
    "stat",
    "progress",
    "stat",
    "timeseries",
)  # in turn: what boards are made of


def make(*, widgets: int, slug: str = SLUG) -> dict[str, Any]:
    """A board of so many widgets that everybody who signs in may see, and a token that may push to them."""
    from django.contrib.auth import get_user_model

    from core.tokens import make_token
    from dashboard.actions import save_dashboard, save_widget
    from dashboard.models import Access, Dashboard, Widget

    owner, _ = get_user_model()._default_manager.get_or_create(username=f"owner-of-{slug}")
    board = save_dashboard(Dashboard(slug=slug, title=slug, access=Access.MEMBERS, owner=owner))
    for number in range(widgets):
        kind = KINDS[number % len(KINDS)]
        save_widget(Widget(dashboard=board, slug=f"w{number}", kind=kind, title=f"Widget {number}", order=number, columns=3, rows=2))
    _, token = make_token(owner, slug, [f"push:{slug}/*"])
    return {"channel": board.channel, "token": token, "names": [f"{slug}/w{number}" for number in range(widgets)]}


def tick(*, names: list[str], ticks: int, rate: float, first: int) -> dict[str, Any]:
    """Send all of these widgets a value at once, so many times a second: 1, 2, 3 ... Says when each was committed."""
    from dashboard.actions import record_many

    committed: dict[int, float] = {}

    def send(number: int) -> None:
        value = first + number
        record_many({name: _value(place, value) for place, name in enumerate(names)})
        committed[value] = time.time()

    return {**steadily(send, ticks, rate), "committed": committed}


def _value(place: int, number: int) -> float:
    # Gauges and progress go to 100; a stat shows the number itself, which tells a viewer which tick it has.
    return number % 101 if KINDS[place % len(KINDS)] in ("gauge", "progress") else number


def single(*, name: str, values: int, rate: float) -> dict[str, Any]:
    """Send one widget 1, 2, 3 ...; says when each committed, before it was numbered."""
    from django.db import transaction

    from dashboard.actions import record

    committed: dict[int, float] = {}

    def send(number: int) -> None:
        with transaction.atomic():
            # Before what numbers it: hooks run in the order in which they came.
            transaction.on_commit(lambda: committed.update({number + 1: time.time()}))
            record(name, number + 1)

    return {**steadily(send, values, rate), "committed": committed}


def bulk(*, names: list[str], samples: int, at_once: int) -> dict[str, Any]:
    """Record so many samples of the past hours by record_many(), so many in a call."""
    from django.utils import timezone

    from dashboard.actions import NewValue, record_many

    start, now = time.perf_counter(), timezone.now()
    for begin in range(0, samples, at_once):
        numbers = range(begin, begin + at_once)
        record_many([NewValue(names[n % len(names)], n, now - timedelta(milliseconds=samples - n)) for n in numbers])
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "per_second": samples / seconds}


def fill(*, name: str, days: int) -> dict[str, Any]:
    """A series with a sample for each second of so many days until now, rolled up as the job leaves it."""
    from django.db import connection
    from django.utils import timezone

    from dashboard import rollups, values
    from dashboard.actions import record
    from dashboard.models import Sample, Series, Widget

    board, widget = name.split("/")
    Widget.objects.filter(dashboard__slug=board, slug=widget).update(keep=24 * (days + 1))
    record(name, 0)
    series, end = Series.objects.get(widget__dashboard__slug=board, widget__slug=widget), timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {Sample._meta.db_table} (series_id, at, value, label) SELECT %s, %s - s * 1000000::bigint, s %% 1000, '' "
            "FROM generate_series(1, %s) AS s",
            [series.pk, values.microseconds(end), days * 86_400],
        )
        cursor.execute(f"ANALYZE {Sample._meta.db_table}")
    rollups.roll_up(now=end)
    return {"samples": Sample.objects.filter(series=series).count()}


def draw(*, name: str, days: int, width: int, times: int) -> dict[str, Any]:
    """Ask for the points of a chart as an open page does. Milliseconds of this process's CPU and of the clock."""
    from django.conf import settings
    from django.contrib.auth import get_user_model
    from django.test import Client

    settings.ALLOWED_HOSTS = ["testserver"]
    browser, (board, widget) = Client(), name.split("/")
    browser.force_login(get_user_model()._default_manager.get(username=f"owner-of-{board}"))
    took = []
    for _ in range(times):
        to = time.time()
        before = time.perf_counter()
        answer = browser.get(f"/dashboards/{board}/{widget}/points/", {"from": to - days * 86_400, "to": to, "width": width})
        took.append(1000 * (time.perf_counter() - before))
        assert answer.status_code == 200, answer.status_code
    points = sum(len(line) for line in answer.json()["series"].values())
    return {"median": sorted(took)[len(took) // 2], "max": max(took), "points": points}


COMMANDS: dict[str, Callable[..., dict[str, Any]]] = {
    "make": make,
    "tick": tick,
    "single": single,
    "bulk": bulk,
    "fill": fill,
    "draw": draw,
}


def main() -> None:
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        command, given = json.loads(line)
        print(json.dumps(COMMANDS[command](**given)), flush=True)


if __name__ == "__main__":
    main()
