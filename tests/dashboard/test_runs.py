"""A task's progress as a widget's value."""

import pytest

from core.progress import Report
from dashboard import runs
from dashboard.models import Dashboard, Sample, Widget

pytestmark = pytest.mark.django_db


@pytest.fixture
def bar() -> Widget:
    board = Dashboard.objects.create(slug="ops", title="Ops")
    return Widget.objects.create(dashboard=board, slug="import", title="Import", kind="progress", config={"total": 200})


def report(state: str, done: float, *, label: str = "", news: bool = False, widget: str = "ops/import") -> Report:
    return Report("k", "Import", state, done, 10, label, widget=widget, news=news)


def test_a_bar_shows_the_part_that_is_done_of_its_own_total(bar: Widget) -> None:
    runs.show(report("running", 0, news=True))
    runs.show(report("running", 4, label="row 4"))
    newest = Sample.objects.order_by("-at").first()
    assert newest is not None
    assert (newest.value, newest.label) == (80, "row 4")
    runs.show(report("done", 10, news=True))
    newest = Sample.objects.order_by("-at").first()
    assert newest is not None
    assert (newest.value, newest.label) == (200, "Done")


def test_a_failed_one_says_why_on_its_tile_and_the_next_run_takes_that_away(bar: Widget) -> None:
    runs.show(report("failed", 4, label="ValueError: row 4", news=True))
    bar.refresh_from_db()
    assert (bar.state, bar.error) == (Widget.State.ERROR, "ValueError: row 4")
    runs.show(report("running", 0, news=True))
    bar.refresh_from_db()
    assert bar.state == Widget.State.OK


def test_a_widget_that_is_not_there_stops_no_task(bar: Widget, caplog: pytest.LogCaptureFixture) -> None:
    runs.show(report("running", 1, widget="ops/imprt", news=True))
    assert "cannot be shown" in caplog.text
