"""A page rendered earlier and the events since are a page rendered now, for each kind of widget and whatever comes in what order."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from core.delivery.channel import Event, registry
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
from dashboard.models import Dashboard, Widget
from tests.dashboard.conftest import at
from tests.dashboard.page import Page, assert_follows

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]


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


def test_a_gauge_says_in_colour_and_word_which_limit_is_reached(
    gauge: Widget, page: Callable[[str], Page], numbered: Callable[[], list[Event]]
) -> None:
    record(gauge, 12, at(0), now=at(600))
    opened = page("/dashboards/ops/")
    said, notes = [], []
    for second, value in enumerate((79.9, 80, 89.9, 90, 500, 3), start=1):
        record(gauge, value, at(second), now=at(600))
        opened.apply(numbered())
        (drawn,) = [node for node in opened.region.all() if "gauge" in node.attributes.get("class", "").split()]
        words = [node.text for node in opened.region.all() if "tone" in node.attributes.get("class", "").split()]
        (note,) = [node.text for node in opened.region.all() if node.attributes.get("class") == "note"]
        notes.append(note)
        said.append((drawn.attributes["class"].removeprefix("gauge").strip(), words, drawn.attributes["aria-label"].partition(", ")[2]))
    warning, critical = ("warn", ["Warning"], "warning"), ("bad", ["Critical"], "critical")
    assert said == [("", [], ""), warning, warning, critical, critical, ("", [], "")]
    plain, warned, alarmed = "warning from 80, critical from 90", "Warning from 80, critical from 90", "Critical from 90"
    assert notes == [plain, warned, warned, alarmed, alarmed, plain]


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


def test_an_open_page_follows_a_board_and_a_widget_to_their_new_addresses(
    board: Dashboard, chart: Widget, page: Callable[[str], Page], numbered: Callable[[], list[Event]]
) -> None:
    opened = page("/dashboards/ops/")
    board.slug, chart.slug = "operations", "cpu"
    save_dashboard(board)
    save_widget(chart)
    record_many([NewValue(chart, number, at(number), "cpu") for number in range(40)], now=at(600))
    opened.apply(numbered())
    assert "/dashboards/operations/cpu/table/" in opened.region.written()
    assert_follows(opened, page("/dashboards/operations/"))


@pytest.mark.parametrize("rest", ["", "board/", "watching/", "mini/", "load/points/", "load/tile/"])
def test_a_board_is_asked_for_by_its_number_too_and_by_the_same_people(
    rest: str, board: Dashboard, chart: Widget, signed_in: Callable[[Any], Client], owner: Any, bob: Any, charlie: Any
) -> None:
    address = f"/dashboards/{board.pk}/{rest.replace('load', str(chart.pk))}"
    assert [signed_in(who).get(address).status_code for who in (owner, bob, charlie, None)] == [200, 200, 404, 404]
    assert signed_in(owner).get(address.replace(str(board.pk), str(2**64))).status_code == 404
