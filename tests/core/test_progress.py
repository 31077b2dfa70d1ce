"""Progress of background tasks: in place, in order, to its end; done, failed, or killed."""

import math
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models.functions import Now

from core import jobs
from core import progress as progresses
from core.models import Run
from core.progress import Report, progress, progress_to, reports
from tests.support import servers
from tests.support.servers import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Report]:
    """What is told, to nobody but us."""
    heard: list[Report] = []
    monkeypatch.setattr(reports, "_takers", [heard.append])
    return heard


def has_told(told: list[Report], done: float) -> bool:
    return bool(told) and told[-1].done == done


def test_a_task_is_told_from_its_beginning_to_its_end_under_one_key(told: list[Report]) -> None:
    @progress_to(widget="ops/import", audience="user:{user}", title="Import of {path}")
    def import_rows(path: str, *, user: str) -> str:
        for number in (1, 2):
            progress(number, 2, f"row {number}")
            wait_until(partial(has_told, told, number), described="a report")
        return path

    assert import_rows("a.csv", user="alice") == "a.csv"
    assert len({report.key for report in told}) == 1
    assert [report.state for report in told][-1] == "done"
    assert [report.part for report in told if report.state == "running"][-2:] == [0.5, 1.0]
    assert (told[0].title, told[0].audience, told[0].widget, told[0].news) == ("Import of a.csv", ("user:alice",), "ops/import", True)
    assert Run.objects.get().state == "done"


def test_what_a_task_raises_is_raised_and_told_as_failed(told: list[Report]) -> None:
    @progress_to(audience="all")
    def fails() -> None:
        progress(3, 10)
        raise ValueError("row 4\nis broken")

    with pytest.raises(ValueError, match="row 4"):
        fails()
    assert (told[-1].state, told[-1].label, told[-1].done, told[-1].title) == ("failed", "ValueError: row 4 is broken", 3, "Fails")


def test_a_thousand_steps_are_few_reports_and_the_last_one_is_the_end(told: list[Report]) -> None:
    @progress_to(audience="all")
    def quick() -> None:
        for number in range(1000):
            progress(number + 1, 1000)

    quick()
    assert len(told) <= 3
    assert (told[-1].state, told[-1].done) == ("done", 1000)


def test_a_task_in_a_transaction_that_rolls_back_is_shown_all_the_same(told: list[Report]) -> None:
    @progress_to(audience="all")
    def undone() -> None:
        # On SQLite there is one writer: what is reported while the task's transaction lasts waits for its end.
        wait_until(lambda: told, described="the first report")
        with transaction.atomic():
            Run.objects.update(title="Rolled back")
            transaction.set_rollback(True)

    undone()
    assert [report.state for report in told][-1] == "done"
    assert Run.objects.get().title == "Undone"


def test_two_tasks_at_once_do_not_mix(told: list[Report]) -> None:
    gate = threading.Barrier(2)

    @progress_to(audience="all", title="{name}")
    def one(name: str, total: int) -> None:
        gate.wait(10)
        progress(total, total)

    threads = [threading.Thread(target=one, args=given) for given in (("a", 3), ("b", 5))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {(report.title, report.done) for report in told if report.state == "done"} == {("a", 3), ("b", 5)}


def test_a_task_that_is_silent_keeps_its_lease(told: list[Report], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progresses, "EVERY", 0.01)
    monkeypatch.setattr(progresses, "RENEW", 0.01)
    leases: set[Any] = set()

    def renewed() -> bool:
        leases.update(Run.objects.values_list("lease_until", flat=True))
        return len(leases) > 2

    @progress_to(audience="all")
    def silent() -> None:
        wait_until(renewed, described="a lease that grows")

    silent()
    assert {(report.done, report.label) for report in told} == {(0, "")}


def test_outside_of_such_a_task_it_does_nothing(told: list[Report]) -> None:
    progress(1, 2)
    assert not Run.objects.exists()


def test_a_run_that_is_not_heard_of_any_more_has_failed_and_is_told_once(told: list[Report]) -> None:
    Run.objects.create(key="k", title="Import", done=3, total=9, audience=["all"], lease_until=Now() - timedelta(seconds=1))
    Run.objects.create(key="alive", title="Other", lease_until=Now() + timedelta(seconds=9))
    Run.objects.create(key="old", title="Old", state="done", lease_until=Now() - timedelta(days=8))
    for _ in range(2):
        progresses.sweep()
    assert [(report.key, report.state, report.label, report.audience) for report in told] == [("k", "failed", progresses.LOST, ("all",))]
    assert set(Run.objects.values_list("key", "state")) == {("k", "failed"), ("alive", "running")}


def test_the_sweep_comes_by_itself_again_and_again(told: list[Report]) -> None:
    sweeper = jobs._Sweeper()
    for key, now in (("first", 0.0), ("second", 5.0)):
        Run.objects.create(key=key, title="Import", audience=["all"], lease_until=Now() - timedelta(seconds=1))
        for job in sweeper.due(now):
            if job.function == progresses.sweep:
                job.run()
        assert (told[-1].key, told[-1].state) == (key, "failed")


# --- what comes that nobody meant; these run on Postgres too (test_postgres.py) ---


@pytest.fixture
def shown() -> Callable[[], tuple[str, str]]:
    """The title and body in alice's inbox, with everybody listening who listens on a site."""
    from notifications.models import InboxItem

    get_user_model().objects.create_user("alice")
    return lambda: InboxItem.objects.values_list("notification__title", "notification__body").get()


NO_NUMBERS = [(math.nan, 10), (math.inf, 10), (5, math.nan), (-math.inf, math.inf), (10**400, 10)]
ODD_NUMBERS = [(-5, 10), (5, -10), (5, 0), (1e308, 1e-308)]


@pytest.mark.parametrize("wrong", [*NO_NUMBERS, *ODD_NUMBERS], ids=lambda wrong: "of".join(str(number)[:6] for number in wrong))
@pytest.mark.parametrize("first", [True, False], ids=["first", "later"])
def test_hostile_numbers_keep_no_run_from_its_end(
    shown: Callable[[], tuple[str, str]], caplog: pytest.LogCaptureFixture, wrong: tuple[float, float], first: bool
) -> None:
    @progress_to(audience="user:alice", title="Import")
    def task() -> None:
        if not first:
            progress(4, 10)
        progress(*wrong, "row 4")
        progress(*wrong, "row 4")

    task()
    assert shown() == ("Import is done", "row 4")
    run = Run.objects.get()
    assert run.state == "done" and run.done >= 0 and run.total >= 0
    assert caplog.text.count("is no number") == (wrong in NO_NUMBERS)


def test_hostile_text_is_cleaned_and_cut_wherever_it_stands(shown: Callable[[], tuple[str, str]]) -> None:
    hostile = "row\0 4 \ud800" + "x" * 5000

    @progress_to(widget="ops/{path}", audience=("user:alice", "user:{path}"), title="Import of {path}", url="/{path}")
    def unsent(path: str) -> None:
        progress(4, 10, path)
        raise ValueError(path)

    @progress_to(audience="user:alice", title="Import of {path}")
    def task(path: str) -> None:
        progress(4, 10, path)
        raise ValueError(path)

    for function in (unsent, task):
        with pytest.raises(ValueError, match="row"):
            function(hostile)
    title, body = shown()
    assert title.startswith("Import of row 4 ?xxx") and title.endswith("x… failed") and len(title) == 199
    assert body.startswith("ValueError: row 4 ?xxx") and len(body) == 120
    assert set(Run.objects.values_list("state", flat=True)) == {"failed"}


def test_hostile_errors_that_cannot_be_written_are_named(told: list[Report]) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("nothing to say")

    @progress_to(audience="all")
    def task() -> None:
        raise Mute

    with pytest.raises(Mute):
        task()
    assert (told[-1].state, told[-1].label) == ("failed", "Mute:")


def test_whoever_breaks_over_a_report_keeps_no_run_from_its_end(
    told: list[Report], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks(report: Report) -> None:
        raise ZeroDivisionError(report.state)

    monkeypatch.setattr(reports, "_takers", [breaks])

    @progress_to(audience="all")
    def task() -> None:
        progress(1, 2)

    task()
    for key in ("one", "two"):
        Run.objects.create(key=key, title="Import", lease_until=Now() - timedelta(seconds=1))
    progresses.sweep()
    assert list(Run.objects.order_by("pk").values_list("state", flat=True)) == ["done", "failed", "failed"]
    assert "cannot be shown" in caplog.text


TASK = """
import time
from core.progress import progress, progress_to
@progress_to(widget="ops/import", audience="user:alice", title="Import")
def import_rows():
    progress(4, 10, "row 4")
    time.sleep(600)
import_rows()
"""
MADE = """
from django.contrib.auth import get_user_model
from dashboard.models import Dashboard, Widget
get_user_model().objects.create_user("alice")
board = Dashboard.objects.create(slug="ops", title="Ops")
Widget.objects.create(dashboard=board, slug="import", title="Import", kind="progress", config={"total": 50})
"""
SEEN = """
from notifications.models import InboxItem
from dashboard.models import Sample, Widget
from core.models import Run
from core.progress import sweep
from datetime import timedelta
from django.db.models.functions import Now
print("before", *InboxItem.objects.values_list("notification__title", flat=True), Sample.objects.order_by("-at").first().value)
Run.objects.update(lease_until=Now() - timedelta(seconds=1))
sweep()
widget = Widget.objects.get()
print("after", *InboxItem.objects.values_list("notification__title", flat=True), "|", widget.state, "|", widget.error)
"""


def test_a_killed_worker_ends_in_failed_on_the_widget_and_in_the_inbox(new_site: Callable[..., servers.Site]) -> None:
    import sqlite3

    site = new_site()
    site.manage("shell", "-v0", "-c", MADE)
    worker = servers.Process([sys.executable, "manage.py", "shell", "-v0", "-c", TASK], site.folder / "task.log", site.env())

    def shown() -> Any:
        with sqlite3.connect(site.folder / "signalbox.sqlite3") as database:
            return database.execute("SELECT 1 FROM signalbox_notifications_notification WHERE title = 'Import: 40 %'").fetchone()

    try:
        worker.start()
        wait_until(shown, described="the progress in the inbox", log=worker.log)
    finally:
        worker.kill()
    said = site.manage("shell", "-v0", "-c", SEEN).stdout
    assert "before Import: 40 % 20.0" in said
    assert f"after Import failed | error | {progresses.LOST}" in said
