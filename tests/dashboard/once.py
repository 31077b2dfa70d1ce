"""Run in a site on Postgres, as the first and as the second of two processes: while one asks a source or reads a model, the other does not.

They meet by files in the folder that is named first. Each prints what it did; `test_postgres.py` starts both and reads that.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connections
from django.utils import timezone

from core import jobs
from dashboard import polling, refresh
from dashboard.actions import save_dashboard, save_source, save_widget
from dashboard.models import AlertRule, Dashboard, Source, Widget
from dashboard.sources import function
from tests.support.servers import wait_until


@jobs.collected()
def first(folder: str) -> None:
    """Asks, and reads, until the second has tried to."""
    meet = Path(folder)
    _make()
    (meet / "made").touch()

    def asked() -> int:
        print("first asks")
        (meet / "asking").touch()
        _await(meet / "tried")
        return 1

    function.register("figure", asked)
    print("first asked", polling.poll_now())

    def read(source: Source) -> Any:
        print("first reads")
        (meet / "reading").touch()
        wait_until(_somebody_waits, described="the second to wait for the source's row")
        found = look(source)
        print("first has read")
        return found

    look: Callable[[Source], Any] = refresh._look
    refresh._look = read
    (meet / "asked").touch()
    refresh.refresh(_model().pk, now=timezone.now())


@jobs.collected()
def second(folder: str) -> None:
    """Tries to while the first is at it, and does when it is over."""
    meet = Path(folder)
    function.register("figure", lambda: print("second asks") or 2)
    _await(meet / "made")
    _await(meet / "asking")
    Source.objects.filter(kind="function").update(due_at=timezone.now())
    print("second asked", polling.poll_now())
    (meet / "tried").touch()
    _await(meet / "asked")
    Source.objects.filter(kind="function").update(due_at=timezone.now())
    print("second asked", polling.poll_now())
    _await(meet / "reading")
    read: Callable[[Source], Any] = refresh._look
    refresh._look = lambda source: print("second reads") or read(source)
    get_user_model().objects.create_user("nora")
    refresh.refresh(_model().pk, now=timezone.now())
    shown = _model().widget.series.get().samples.order_by("-at").values_list("value", flat=True)[0]
    print("shown", int(shown), "of", get_user_model().objects.count())


def _make() -> None:
    board = save_dashboard(Dashboard(slug="ops", title="Ops", owner=get_user_model().objects.create_user("olga")))
    function._functions["figure"] = function.Registered("figure", lambda: 0, "figure")
    polled = save_widget(Widget(dashboard=board, slug="polled", kind="stat", title="Polled"))
    AlertRule.objects.create(widget=polled, name="high", condition="above", high=5)
    save_source(Source(widget=polled, kind="function", config={"function": "figure"}))
    people = save_widget(Widget(dashboard=board, slug="people", kind="stat", title="People"))
    save_source(Source(widget=people, kind="model", config={"model": "auth.User"}))
    function._functions.clear()


def _model() -> Source:
    return Source.objects.select_related("widget").get(kind="model")


def _await(file: Path) -> None:
    wait_until(file.exists, described=file.name)


def _somebody_waits() -> bool:
    found: list[int] = []
    # In a connection of its own: ours is in the transaction that holds the row.
    thread = threading.Thread(target=lambda: found.append(_waiting()))
    thread.start()
    thread.join()
    return bool(found and found[0])


def _waiting() -> int:
    try:
        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
            return int(cursor.fetchone()[0])
    finally:
        connections.close_all()
