"""A page rendered earlier and the events since are a page rendered now, for each kind of widget and whatever comes in what order."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from core.delivery.channel import Event, registry
from core.delivery.sequencer import sequence
from dashboard.actions import (
    NewValue,
    Place,
    layout,
    post_feed,
    record,
    record_many,
    remove_widget,
    save_dashboard,
    save_widget,
)
from dashboard.kinds import DashboardKind
from dashboard.models import Dashboard, Sample, Widget
from tests.dashboard.conftest import at
from tests.dashboard.page import Page

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every page is rendered at one moment, and numbering waits for nothing."""
    monkeypatch.setattr(timezone, "now", lambda: at(600))
    monkeypatch.setattr(DashboardKind, "pace", 0.0)


@pytest.fixture
def numbered(board: Dashboard) -> Callable[[], list[Event]]:
    """Numbers what was published since the last call."""

    def number() -> list[Event]:
        return [event for batch in sequence([board.channel]).batches for event in batch.events]

    return number


def assert_follows(page: Page, fresh: Page) -> None:
    (text, charts), (now, charts_now) = page.shown(), fresh.shown()
    assert text == now
    assert charts == charts_now


def test_a_stat_follows(stat: Widget, page: Callable[[str], Page], numbered: Callable[[], list[Event]]) -> None:
    record(stat, 1, at(0), now=at(600))
    opened = page("/dashboards/ops/")
    for number in range(1, 50):
        record(stat, number * 3, at(number), now=at(600))
        opened.apply(numbered())
    assert "147" in opened.region.text
    assert opened.refetches == 0
    assert_follows(opened, page("/dashboards/ops/"))


def test_the_first_value_takes_the_place_of_the_curl_line(
    stat: Widget, page: Callable[[str], Page], numbered: Callable[[], list[Event]]
) -> None:
    opened = page("/dashboards/ops/")
    assert "/api/v1/widgets/ops/queue" in opened.region.text
    record(stat, 42, at(0), now=at(600))
    opened.apply(numbered())
    assert "/api/v1/widgets" not in opened.region.text
    assert "42 jobs" in opened.region.text
    assert_follows(opened, page("/dashboards/ops/"))


def test_a_late_sample_moves_the_line_and_not_the_value(
    stat: Widget, page: Callable[[str], Page], numbered: Callable[[], list[Event]]
) -> None:
    record(stat, 5, at(100), now=at(600))
    record(stat, 7, at(200), now=at(600))
    opened = page("/dashboards/ops/")
    record(stat, 1, at(130), now=at(600))
    opened.apply(numbered())
    assert opened.region.by_id(f"w-{stat.pk}-v").text == "7 jobs"
    assert "+6 jobs" in opened.region.text
    assert_follows(opened, page("/dashboards/ops/"))


def test_a_replaced_value_follows(stat: Widget, page: Callable[[str], Page], numbered: Callable[[], list[Event]]) -> None:
    record(stat, 5, at(100), now=at(600))
    opened = page("/dashboards/ops/")
    record(stat, 6, at(100), now=at(600))
    opened.apply(numbered())
    assert "6 jobs" in opened.region.text
    assert_follows(opened, page("/dashboards/ops/"))


def test_a_feed_follows(feed: Widget, page: Callable[[str], Page], numbered: Callable[[], list[Event]]) -> None:
    opened = page("/dashboards/ops/")
    for number in range(9):
        post_feed(feed, f"entry {number}", at=at(number), url="/inbox/" if number % 2 else "", now=at(600))
        if number % 3 == 0:
            opened.apply(numbered())
    post_feed(feed, "<b>late</b>", at=at(6.5), now=at(600))
    opened.apply(numbered())
    assert "entry 8" in opened.region.text
    assert "<b>late</b>" in opened.region.text
    assert "entry 4" not in opened.region.text
    assert_follows(opened, page("/dashboards/ops/"))


def test_a_gauge_follows(gauge: Widget, page: Callable[[str], Page], numbered: Callable[[], list[Event]]) -> None:
    record(gauge, 63, at(0), now=at(600))
    opened = page("/dashboards/ops/")
    for second, value in ((1, 85), (0.5, 99), (2, 91.5)):
        record(gauge, value, at(second), now=at(600))
        opened.apply(numbered())
    assert "91.5 %" in opened.region.text
    assert opened.region.having("stroke-dasharray")[0].attributes["stroke-dasharray"].startswith("149.5 ")
    assert_follows(opened, page("/dashboards/ops/"))


def test_bars_follow_each_by_itself(bars: Widget, page: Callable[[str], Page], numbered: Callable[[], list[Event]]) -> None:
    record_many([NewValue(bars, 91, at(0), "import"), NewValue(bars, 64, at(0), "mail")], now=at(600))
    opened = page("/dashboards/ops/")
    record(bars, 48, at(1), series="mail", now=at(600))
    record(bars, 5000, at(1), series="import", label="<i>", now=at(600))
    opened.apply(numbered())
    assert "mail 48 %" in opened.region.text
    assert [node.attributes["width"] for node in opened.region.all() if node.tag == "rect"] == ["100.0%", "48.0%"]
    record(bars, 1, at(2), series="thumbs", now=at(600))
    opened.apply(numbered())
    assert_follows(opened, page("/dashboards/ops/"))


def test_progress_follows(progress: Widget, page: Callable[[str], Page], numbered: Callable[[], list[Event]]) -> None:
    opened = page("/dashboards/ops/")
    for value in (1, 48111, 48112):
        record(progress, value, at(value / 1000), label=f"row {value}", now=at(600))
        opened.apply(numbered())
        assert_follows(opened, page("/dashboards/ops/"))
    assert "48,112 of 48,112 rows" in opened.region.text
    assert "100 %" in opened.region.text


def test_rows_of_a_table_are_put_in_replaced_and_taken_out_by_their_key(
    table: Widget, page: Callable[[str], Page], numbered: Callable[[], list[Event]]
) -> None:
    record(table, {"CPU": 1.5, "State": "idle"}, at(0), series="web-1", now=at(600))
    opened = page("/dashboards/ops/")
    record(table, {"CPU": 91, "State": "<b>busy</b>", "Hidden": 3}, at(1), series="web-1", now=at(600))
    record(table, {"CPU": 7}, at(1), series="web-2", label="Web two", now=at(600))
    opened.apply(numbered())
    assert "web-1 91 <b>busy</b>" in opened.region.text
    assert "Web two 7" in opened.region.text
    assert_follows(opened, page("/dashboards/ops/"))
    record(table, {}, at(2), series="web-2", now=at(600))
    opened.apply(numbered())
    assert [node.tag for node in opened.region.having("hidden") if node.tag == "tr"] == ["tr"]
    assert opened.refetches == 1
    assert_follows(opened, page("/dashboards/ops/"))


def test_a_status_grid_follows(status: Widget, page: Callable[[str], Page], numbered: Callable[[], list[Event]]) -> None:
    record_many([NewValue(status, "up", at(0), "db"), NewValue(status, "down", at(0), "search", "refused")], now=at(600))
    opened = page("/dashboards/ops/")
    record(status, "Slow", at(1), series="db", now=at(600))
    opened.apply(numbered())
    assert "db slow" in opened.region.text
    assert "search refused" in opened.region.text
    assert_follows(opened, page("/dashboards/ops/"))


def test_a_text_and_a_clock_need_no_value_and_a_sent_text_takes_the_place_of_the_set_one(
    text: Widget, clock: Widget, page: Callable[[str], Page], numbered: Callable[[], list[Event]]
) -> None:
    opened = page("/dashboards/ops/")
    assert "Hello you" in opened.region.text
    assert opened.region.having("data-clock")[0].attributes["data-clock"] == "Europe/Berlin"
    assert {opened.tile(one.pk).attributes["data-state"] for one in (text, clock)} == {"live"}
    for moment, words in enumerate(("**one**", "two <script>alert(1)</script>")):
        record(text, words, at(moment), now=at(600))
        opened.apply(numbered())
    assert "two <script>alert(1)</script>" in opened.region.text
    assert_follows(opened, page("/dashboards/ops/"))


def test_a_chart_follows(chart: Widget, page: Callable[[str], Page], numbered: Callable[[], list[Event]]) -> None:
    record(chart, 1, at(0), series="cpu", now=at(600))
    opened = page("/dashboards/ops/")
    for number in range(1, 30):
        record(chart, number, at(number), series="cpu", now=at(600))
        opened.apply(numbered())
    assert (opened.refetches, opened.fetches) == (0, 0)
    assert_follows(opened, page("/dashboards/ops/"))


def test_a_chart_that_missed_much_fetches_it(chart: Widget, page: Callable[[str], Page], numbered: Callable[[], list[Event]]) -> None:
    record(chart, 1, at(0), series="cpu", now=at(600))
    opened = page("/dashboards/ops/")
    record_many([NewValue(chart, number, at(number), "cpu") for number in range(1, 200)], now=at(600))
    opened.apply(numbered())
    assert opened.fetches == 1
    assert_follows(opened, page("/dashboards/ops/"))


def test_of_two_deep_changes_the_one_that_arrives_stands_for_both(
    chart: Widget, page: Callable[[str], Page], numbered: Callable[[], list[Event]]
) -> None:
    record_many([NewValue(chart, number, at(number), "cpu") for number in range(100, 200)], now=at(600))
    numbered()
    opened = page("/dashboards/ops/")
    record(chart, -1, at(20), series="cpu", now=at(600))
    record(chart, -2, at(10), series="cpu", now=at(600))
    record(chart, -3, at(198.5), series="cpu", now=at(600))
    events = numbered()
    assert [event.key for event in events] == [f"{chart.pk}/cpu/deep", f"{chart.pk}/cpu"]
    opened.apply(events)
    assert_follows(opened, page("/dashboards/ops/"))


def test_two_deep_changes_in_a_row_do_not_look_the_same(chart: Widget, numbered: Callable[[], list[Event]]) -> None:
    record_many([NewValue(chart, number, at(number), "cpu") for number in range(100, 200)], now=at(600))
    numbered()
    fragments = []
    for moment in (20, 10):
        record(chart, -1, at(moment), series="cpu", now=at(600))
        (event,) = numbered()
        fragments.append(registry.kinds["dashboard"].render(event, str(chart.dashboard_id)))
    assert fragments[0] != fragments[1]


def test_changed_settings_make_the_page_take_its_region_anew_once(
    stat: Widget, page: Callable[[str], Page], numbered: Callable[[], list[Event]]
) -> None:
    record(stat, 5, at(100), now=at(600))
    opened = page("/dashboards/ops/")
    stat.title, stat.config = "Waiting", {"unit": "tasks"}
    save_widget(stat)
    record(stat, 6, at(101), now=at(600))
    events = numbered()
    opened.apply(events)
    assert opened.refetches == 1
    assert "Waiting" in opened.region.text
    assert "6 tasks" in opened.region.text
    fresh = page("/dashboards/ops/")
    assert_follows(opened, fresh)
    fresh.region.attributes["data-position"] = "0:0"
    fresh.apply(events)
    assert fresh.refetches == 0


def test_removed_and_new_widgets_and_a_new_layout_follow(
    board: Dashboard, stat: Widget, feed: Widget, page: Callable[[str], Page], numbered: Callable[[], list[Event]]
) -> None:
    record(stat, 5, at(100), now=at(600))
    opened = page("/dashboards/ops/")
    removed = feed.pk
    remove_widget(feed)
    opened.apply(numbered())
    assert (opened.tile(removed), opened.refetches) == (None, 0)
    save_widget(Widget(dashboard=board, slug="users", kind="stat", title="Users", order=3))
    opened.apply(numbered())
    layout(board, [Place(stat.pk, order=9, columns=6, rows=3)])
    opened.apply(numbered())
    board.title = "Operations"
    save_dashboard(board)
    opened.apply(numbered())
    assert opened.refetches == 3
    assert_follows(opened, page("/dashboards/ops/"))


def test_a_page_with_one_tile_leaves_the_others_alone(
    stat: Widget, feed: Widget, page: Callable[[str], Page], numbered: Callable[[], list[Event]]
) -> None:
    record(stat, 1, at(0), now=at(600))
    post_feed(feed, "one", at=at(0), now=at(600))
    tile = page("/dashboards/ops/queue/tile/")
    mini = page("/dashboards/ops/mini/")
    numbered()
    record(stat, 2, at(1), now=at(600))
    post_feed(feed, "two", at=at(1), now=at(600))
    events = numbered()
    for opened, address in ((tile, "/dashboards/ops/queue/tile/"), (mini, "/dashboards/ops/mini/")):
        opened.apply([event for event in events if event.type != "widget.config"])
        assert opened.refetches == 0
        assert_follows(opened, page(address))


@pytest.mark.parametrize("seed", range(12))
def test_whatever_happens_every_open_page_ends_as_a_page_rendered_now(
    seed: int, board: Dashboard, stat: Widget, chart: Widget, feed: Widget, page: Callable[[str], Page], numbered: Callable[[], list[Event]]
) -> None:
    dice = random.Random(seed)
    opened = [page("/dashboards/ops/")]
    seen: list[list[Event]] = [[]]
    clock = 100.0
    for step in range(60):
        clock += dice.random() * 4
        _anything(dice, clock, step, stat=stat, chart=chart, feed=feed)
        if dice.random() < 0.4:
            events = numbered()
            for pending in seen:
                pending += events
        if dice.random() < 0.1:
            opened.append(page("/dashboards/ops/"))
            seen.append([])
        for which, pending in zip(opened, seen, strict=True):
            if dice.random() < 0.3:
                which.apply(_compacted(pending))
                pending.clear()
    last = numbered()
    fresh = page("/dashboards/ops/")
    for which, pending in zip(opened, seen, strict=True):
        which.apply(_compacted([*pending, *last]))
        assert_follows(which, fresh)
    assert Sample.objects.count() > 20


def _anything(dice: random.Random, clock: float, step: int, *, stat: Widget, chart: Widget, feed: Widget) -> None:
    late = clock - dice.choice([0, 0, 0, 0.5, 3, 20, 90])
    value = round(dice.uniform(-50, 500), dice.choice([0, 2]))
    match dice.choice(["stat", "stat", "stat", "chart", "chart", "list", "feed", "same", "config"]):
        case "stat":
            record(stat, value, at(late), now=at(600))
        case "chart":
            record(chart, value, at(late), series=dice.choice(["cpu", "memory", "load"]), now=at(600))
        case "list":
            times = [clock - dice.random() * 60 for _ in range(dice.choice([2, 40]))]
            record_many([NewValue(widget, value + moment, at(moment)) for widget in (stat, chart) for moment in times], now=at(600))
        case "feed":
            post_feed(feed, f"entry {step}", at=at(int(late)), now=at(600))
        case "same" if Sample.objects.filter(series__widget=stat).exists():
            some = dice.choice(list(Sample.objects.filter(series__widget=stat).values_list("at", flat=True)))
            record(stat, value, some / 1_000_000, now=at(600))
        case "config":
            stat.config = {"unit": dice.choice(["jobs", "tasks", ""]), "against": dice.choice([0, 30, 600])}
            save_widget(stat)


def _compacted(events: list[Event]) -> list[Event]:
    """What of these a reader is told who was away: the newest of each (slot, key), in order."""
    kind: Any = registry.kinds["dashboard"]
    newest = {(kind.type(event.type).slot, event.key): event for event in events}
    return sorted(newest.values(), key=lambda event: event.offset)
