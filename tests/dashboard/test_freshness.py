"""How often values are expected: given, told by a source, or learnt; and that open pages come to know what was learnt."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from core import jobs
from core.delivery.channel import Event
from core.delivery.sequencer import sequence
from core.models import Event as Row
from dashboard import freshness
from dashboard.actions import NewValue, post_feed, record_many, save_source, save_widget
from dashboard.kinds import DashboardKind
from dashboard.models import Dashboard, Source, Widget
from dashboard.sources import function
from tests.dashboard.conftest import at
from tests.dashboard.page import Page

SECOND = 1_000_000


def moments(*gaps: float) -> list[int]:
    """Times with these gaps between them."""
    found = [0]
    for gap in gaps:
        found.append(found[-1] + round(gap * SECOND))
    return found


@pytest.mark.parametrize(
    ("gaps", "learnt"),
    [
        ([10] * 5, 10),
        ([10] * 4, None),
        ([2.01, 1.98, 2.03, 2, 1.99, 2.02], 2.0),
        ([60, 60, 60, 60, 86_400, 60, 60], 60),
        ([1, 300, 2, 4000, 7, 900, 30], None),
        ([0.01] * 20, 0.1),
        ([86_400] * 6, 86_000),
        ([], None),
    ],
)
def test_an_interval_is_learnt_from_values_that_come_regularly(gaps: Sequence[float], learnt: float | None) -> None:
    assert freshness.learn(moments(*gaps)) == learnt


@pytest.mark.parametrize(("before", "now", "settled"), [(None, 10, 10), (10, 11.9, 10), (10, 13, 13), (10, None, None), (None, None, None)])
def test_what_is_nearly_the_same_is_no_news(before: float | None, now: float | None, settled: float | None) -> None:
    assert freshness.settled(before, now) == settled


def send(widget: Widget, every: float, *, count: int = 10, series: str = "") -> None:
    record_many([NewValue(widget, number, at(number * every), series) for number in range(count)], now=at(count * every + 600))


@pytest.mark.django_db
def test_a_widget_learns_by_its_busiest_series_and_what_was_given_counts_more(chart: Widget, stat: Widget) -> None:
    send(chart, 60, series="slow")
    send(chart, 5, series="quick")
    send(stat, 30)
    assert freshness.learn_now() == 1
    for widget in (chart, stat):
        widget.refresh_from_db()
    assert (chart.learnt, chart.expected, chart.patience) == (5, 5, 5)
    assert (stat.interval, stat.learnt, stat.expected) == (2, None, 2), "the fixture gives it 2 s"
    assert freshness.learn_now() == 0


@pytest.mark.django_db
def test_a_series_that_ends_keeps_its_interval_so_that_it_becomes_stale(gauge: Widget) -> None:
    send(gauge, 5)
    freshness.learn_now()
    freshness.learn_now()
    gauge.refresh_from_db()
    assert gauge.expected == 5


@pytest.mark.django_db
def test_what_happens_when_it_happens_is_never_late(feed: Widget, text: Widget, clock: Widget) -> None:
    for number in range(10):
        post_feed(feed, f"entry {number}", at=at(number * 5), now=at(600))
    record_many([NewValue(text, "words", at(number)) for number in range(10)], now=at(600))
    assert freshness.learn_now() == 0


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kind", "config", "learnt"),
    [("system", {}, 5), ("system", {"every": 60}, 60), ("model", {"model": "auth.User"}, 30), ("system", {"figures": ["gone"]}, None)],
)
def test_a_source_says_how_often_it_is_read(board: Dashboard, kind: str, config: dict[str, Any], learnt: float | None) -> None:
    widget = save_widget(Widget(dashboard=board, slug="w", kind="stat", title="W"))
    with jobs.collected():
        if learnt:
            save_source(Source(widget=widget, kind=kind, config=config))
        else:
            Source.objects.create(widget=widget, kind=kind, config=config)
    send(widget, 777)
    freshness.learn_now()
    widget.refresh_from_db()
    assert widget.learnt == learnt


@pytest.mark.django_db
@pytest.mark.parametrize(("kind", "given", "known"), [("stat", None, 20), ("stat", 7, None), ("text", None, None)])
def test_a_tile_is_late_by_what_its_source_says_from_the_beginning(board: Dashboard, kind: str, given: float | None, known: float) -> None:
    function.register("of-the-beginning", int)
    widget = save_widget(Widget(dashboard=board, slug="w", kind=kind, title="W", interval=given))
    with jobs.collected():
        save_source(Source(widget=widget, kind="function", config={"function": "of-the-beginning", "every": 20}))
    widget.refresh_from_db()
    assert widget.learnt == known
    assert freshness.learn_now() == 0, "and there is nothing to correct"


@pytest.mark.django_db
def test_learning_takes_few_queries_for_many_widgets(board: Dashboard, django_assert_max_num_queries: Any) -> None:
    for number in range(12):
        send(save_widget(Widget(dashboard=board, slug=f"w{number}", kind="stat", title="W")), 5)
    freshness.learn_now()
    with django_assert_max_num_queries(6):
        assert freshness.learn_now() == 0


@pytest.fixture
def numbered(board: Dashboard, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[Event]]:
    monkeypatch.setattr(DashboardKind, "pace", 0.0)
    return lambda: [event for batch in sequence([board.channel]).batches for event in batch.events]


@pytest.mark.django_db
def test_an_open_page_takes_what_was_learnt_and_a_later_page_has_it(
    gauge: Widget, page: Callable[[str], Page], numbered: Callable[[], list[Event]]
) -> None:
    send(gauge, 5)
    numbered()
    opened = page("/dashboards/ops/")
    assert opened.tile(gauge.pk).attributes["data-interval"] == "0"  # type: ignore[union-attr]
    freshness.learn_now()
    events = numbered()
    opened.apply(events)
    assert opened.refetches == 1
    tile = opened.tile(gauge.pk)
    assert tile is not None
    assert (tile.attributes["data-interval"], tile.attributes["data-grace"]) == ("5", "5")
    fresh = page("/dashboards/ops/")
    assert opened.shown() == fresh.shown()
    fresh.region.attributes["data-position"] = "0:0"
    fresh.apply(events)
    assert fresh.refetches == 0


@pytest.mark.django_db
def test_what_is_learnt_does_not_take_the_place_of_what_was_saved(
    gauge: Widget, page: Callable[[str], Page], numbered: Callable[[], list[Event]]
) -> None:
    send(gauge, 5)
    numbered()
    opened = page("/dashboards/ops/")
    gauge.title = "Another"
    save_widget(gauge)
    freshness.learn_now()
    opened.apply(numbered()[-1:])
    assert opened.shown() == page("/dashboards/ops/").shown()
    assert set(Row.objects.filter(type="widget.config").values_list("key", flat=True)) >= {str(gauge.pk), f"{gauge.pk}//interval"}
