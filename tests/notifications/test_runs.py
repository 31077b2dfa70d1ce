"""A task's progress in the inbox: one item, quiet while it runs, a toast at its end."""

from dataclasses import replace
from typing import Any

import pytest
from celery import shared_task

from core.models import Run
from core.progress import Report, progress, progress_to
from notifications import runs
from notifications.models import InboxItem, Priority
from tests.notifications.conftest import carried, titles

pytestmark = pytest.mark.django_db


def report(state: str, done: float, *, news: bool = False, audience: str = "user:bob", key: str = "k") -> Report:
    return Report(key, "Import", state, done, 10, f"row {done:g}", audience=(audience,), url="/dashboards/ops/", news=news)


def test_one_item_changes_quietly_and_ends_with_a_toast(bob: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "EVERY", 0)
    for state, done, news in (("running", 0, True), ("running", 4, False), ("done", 10, True)):
        runs.show(report(state, done, news=news))
        if state == "running":
            assert titles(bob) == [f"Import: {done * 10} %"]
    assert titles(bob) == ["Import is done"]
    assert InboxItem.objects.count() == 1
    events = carried(f"user:{bob.pk}")
    assert [event.data["quiet"] for event in events if event.type == "notification.put"] == [False, True, False]
    assert [event.data["row"]["priority"] for event in events] == [Priority.LOW, Priority.LOW, Priority.NORMAL]


def test_it_changes_at_most_every_two_seconds_but_its_end_is_told_at_once(bob: Any) -> None:
    for number in range(5):
        runs.show(report("running", number, news=number == 0, key="often"))
    assert titles(bob) == ["Import: 0 %"]
    runs.show(report("failed", 5, news=True, key="often"))
    assert titles(bob) == ["Import failed"]


def test_whom_nobody_knows_stops_no_task(bob: Any, caplog: pytest.LogCaptureFixture) -> None:
    runs.show(report("running", 1, news=True, audience="user:nobody-at-all", key="wrong"))
    assert "cannot be told" in caplog.text
    assert not InboxItem.objects.exists()


@pytest.mark.parametrize("title", ["x" * 191, "x" * 192, "x" * 193, "x" * 200, "\u0958" * 150, "é" * 150 + "e\u0301" * 50])
def test_a_title_of_any_length_is_the_same_until_its_end(bob: Any, monkeypatch: pytest.MonkeyPatch, title: str) -> None:
    monkeypatch.setattr(runs, "EVERY", 0)
    told = []
    for state in ("running", "done", "failed"):
        runs.show(replace(report(state, 10, news=True), title=title))
        told += titles(bob)
    begun, done, failed = told
    assert begun.removesuffix(": 100 %") == done.removesuffix(" is done") == failed.removesuffix(" failed") != failed
    assert max(map(len, told)) <= 200 and (begun == "x" * 191 + ": 100 %") == (title == "x" * 191)


@pytest.mark.django_db(transaction=True)
def test_a_task_that_is_delivered_twice_is_one_run_and_one_item(bob: Any) -> None:
    def rows() -> None:
        progress(3, 3)

    import_rows = shared_task(name="tests.import_rows")(progress_to(audience="user:bob", title="Import")(rows))
    for _ in range(2):
        import_rows.apply(task_id="0001").get()
    import_rows.apply(task_id="0002").get()
    assert [key.rpartition(":")[2] for key in Run.objects.order_by("key").values_list("key", flat=True)] == ["0001", "0002"]
    assert titles(bob) == ["Import is done", "Import is done"]
