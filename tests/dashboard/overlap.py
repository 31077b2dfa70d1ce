"""Run in a site on Postgres: writers whose transactions overlap, and whether an open page ends as a page rendered now.

Prints `followed` at its end. `test_overlapping.py` starts it.
"""

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from core.delivery import history
from core.delivery.sequencer import sequence
from core.models import Event
from dashboard.actions import post_feed, record, save_dashboard, save_widget
from dashboard.kinds import DashboardKind
from dashboard.models import Dashboard, Widget
from tests.dashboard.page import Page

KINDS = {
    "queue": "stat", "load": "timeseries", "events": "feed", "disk": "gauge", "workers": "bars",
    "import": "progress", "hosts": "table", "services": "status", "note": "text",
}  # fmt: skip
START = timezone.now().timestamp() - 600


def main() -> None:
    DashboardKind.pace = 0.0
    user = get_user_model().objects.create_user("olga")
    board = save_dashboard(Dashboard(slug="ops", title="Ops", owner=user))
    for slug, kind in KINDS.items():
        save_widget(Widget(dashboard=board, slug=slug, kind=kind, title=slug))
    for value in range(5):
        _record_all(value, value)
    for scene in (_first_commits_last, _first_commits_first, _storm):
        opened = _page(user)
        scene()
        _assert_follows(board, opened, user, scene.__name__)
    print("followed")


def _record_all(second: float, value: float) -> None:
    record("ops/queue", value, START + second)
    record("ops/load", value, START + second, series="cpu")
    record("ops/disk", value, START + second)
    record("ops/workers", value, START + second, series="mail")
    record("ops/import", value, START + second)
    record("ops/hosts", {"CPU": value}, START + second, series="web-1")
    record("ops/services", "down" if value > 50 else "up", START + second, series="search")
    record("ops/note", f"*{value}*", START + second)
    post_feed("ops/events", f"entry {value}", at=START + second)


def _first_commits_last() -> None:
    """The writer of the older sample reads first and commits last: neither sees the other."""
    written, committed = threading.Event(), threading.Event()

    def older() -> None:
        with transaction.atomic():
            _record_all(10, 10)
            written.set()
            assert committed.wait(30)

    def newer() -> None:
        assert written.wait(30)
        _record_all(11, 11)
        committed.set()

    _together(older, newer)


def _first_commits_first() -> None:
    """The writer of the newer sample reads before the older one commits, and commits after it."""
    both = threading.Barrier(2, timeout=30)
    committed = threading.Event()

    def older() -> None:
        with transaction.atomic():
            _record_all(20, 20)
            both.wait()
        committed.set()

    def newer() -> None:
        with transaction.atomic():
            _record_all(21, 21)
            both.wait()
            assert committed.wait(30)

    _together(older, newer)


def _storm() -> None:
    def writer(seed: int) -> Callable[[], None]:
        dice = random.Random(seed)

        def write() -> None:
            for _ in range(6):
                with transaction.atomic():
                    for _ in range(dice.choice([1, 1, 3])):
                        _record_all(30 + dice.random() * 40, dice.randint(0, 100))

        return write

    _together(*(writer(seed) for seed in range(6)))


def _together(*tasks: Callable[[], None]) -> None:
    def run(task: Callable[[], None]) -> None:
        try:
            task()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(tasks)) as threads:
        for done in [threads.submit(run, task) for task in tasks]:
            done.result(60)


def _page(user: object) -> Page:
    client = Client(headers={"host": "localhost"})
    client.force_login(user)  # type: ignore[arg-type]
    return Page(client, "/dashboards/ops/")


def _assert_follows(board: Dashboard, opened: Page, user: object, scene: str) -> None:
    while Event.objects.filter(channel=board.channel, offset=None).exists():
        sequence([board.channel])
    opened.apply(
        [history.as_event(row) for row in Event.objects.filter(channel=board.channel, offset__gt=opened.offset).order_by("offset")]
    )
    (text, charts), (now, charts_now) = opened.shown(), _page(user).shown()
    assert text == now, f"{scene}:\n{text}\n\n{now}"
    assert charts == charts_now, f"{scene}:\n{charts}\n\n{charts_now}"


if __name__ == "__main__":
    main()
