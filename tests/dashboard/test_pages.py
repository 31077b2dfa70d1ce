"""The pages of boards, for the owner, a member, staff, a stranger and a guest."""

import csv
import io
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dashboard.actions import NewValue, post_feed, record, record_many, save_dashboard, save_widget
from dashboard.models import Access, Dashboard, Favourite, Widget
from tests.dashboard.conftest import NOW, at
from tests.dashboard.page import Page

pytestmark = pytest.mark.django_db

PAGES = [
    "/dashboards/ops/",
    "/dashboards/ops/board/",
    "/dashboards/ops/mini/",
    "/dashboards/ops/queue/tile/",
    "/dashboards/ops/queue/points/",
    "/dashboards/ops/queue/table/",
    "/dashboards/ops/queue.csv",
]

SignedIn = Callable[[Any], Client]


def statuses(users: dict[str, Any], address: str, signed_in: SignedIn) -> dict[str, int]:
    return {name: signed_in(user).get(address).status_code for name, user in users.items()}


@pytest.fixture
def everybody(owner: Any, alice: Any, bob: Any, charlie: Any) -> dict[str, Any]:
    return {"owner": owner, "staff": alice, "member": bob, "stranger": charlie, "guest": None}


@pytest.mark.parametrize("address", PAGES)
def test_who_may_not_see_a_board_finds_nothing_there(stat: Widget, everybody: dict[str, Any], address: str, signed_in: SignedIn) -> None:
    record(stat, 1)
    seen = statuses(everybody, address, signed_in)
    assert seen == {"owner": 200, "staff": 200, "member": 200, "stranger": 404, "guest": 404}


@pytest.mark.parametrize(("access", "stranger", "guest"), [(Access.ROLES, 404, 404), (Access.MEMBERS, 200, 404), (Access.PUBLIC, 200, 200)])
def test_a_board_may_be_open_to_more(
    board: Dashboard, stat: Widget, everybody: dict[str, Any], signed_in: SignedIn, access: str, stranger: int, guest: int
) -> None:
    board.access = access
    save_dashboard(board)
    for address in PAGES:
        seen = statuses(everybody, address, signed_in)
        assert (seen["stranger"], seen["guest"]) == (stranger, guest)


def test_a_refusal_looks_like_absence(stat: Widget, charlie: Any, signed_in: SignedIn) -> None:
    browser = signed_in(charlie)
    hidden, absent = browser.get("/dashboards/ops/"), browser.get("/dashboards/oops/")
    assert (hidden.status_code, hidden.content) == (absent.status_code, absent.content)


def test_the_list_shows_what_one_may_see_starred_first(board: Dashboard, bob: Any, charlie: Any, owner: Any, signed_in: SignedIn) -> None:
    save_dashboard(Dashboard(slug="aaa", title="Another", owner=owner, access=Access.MEMBERS))
    browser = signed_in(bob)
    assert [row.slug for row in browser.get("/dashboards/").context["rows"]] == ["aaa", "ops"]
    assert browser.post("/dashboards/ops/favourite/", {"starred": "1"}).status_code == 302
    assert [row.slug for row in browser.get("/dashboards/").context["rows"]] == ["ops", "aaa"]
    assert [row.slug for row in signed_in(charlie).get("/dashboards/").context["rows"]] == ["aaa"]
    assert list(signed_in(None).get("/dashboards/").context["rows"]) == []
    browser.post("/dashboards/ops/favourite/", {"starred": "0"})
    assert not Favourite.objects.exists()


def test_the_list_is_searched_by_words(board: Dashboard, owner: Any, signed_in: SignedIn) -> None:
    save_dashboard(Dashboard(slug="checkout", title="Checkout", description="Orders 100% live", owner=owner))
    browser = signed_in(owner)
    found = {
        query: [row.slug for row in browser.get("/dashboards/", {"q": query}).context["rows"]]
        for query in ("live check", "%", "nothing", "\0")
    }
    assert found == {"live check": ["checkout"], "%": ["checkout"], "nothing": [], "\0": ["checkout", "ops"]}


def test_a_star_takes_a_post_of_somebody_who_may_see_the_board(board: Dashboard, owner: Any, charlie: Any, signed_in: SignedIn) -> None:
    assert signed_in(charlie).post("/dashboards/ops/favourite/", {"starred": "1"}).status_code == 404
    assert signed_in(owner).get("/dashboards/ops/favourite/").status_code == 405
    assert signed_in(None).post("/dashboards/ops/favourite/").status_code == 302
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(owner)
    assert careful.post("/dashboards/ops/favourite/", {"starred": "1"}).status_code == 403


def test_an_empty_tile_shows_the_curl_line(stat: Widget, chart: Widget, feed: Widget, owner: Any, signed_in: SignedIn) -> None:
    text = signed_in(owner).get("/dashboards/ops/").content.decode()
    assert text.count("data-copy") == 3
    assert "-d 42 " in text
    assert "api/v1/widgets/ops/queue" in text


def test_hostile_titles_and_entries_are_shown_as_text(feed: Widget, stat: Widget, owner: Any, signed_in: SignedIn) -> None:
    evil = '<script>alert(1)</script><i hx-get="/x" id="w-1" hx-swap-oob="true">'
    stat.title, stat.config = evil, {"unit": "<b>&"}
    save_widget(stat)
    record(stat, 1)
    post_feed(feed, evil, url="/x?a=1&b='2".replace("'", ""))
    text = signed_in(owner).get("/dashboards/ops/").content.decode()
    assert "<script>alert" not in text
    assert '<i hx-get="/x"' not in text
    assert "<small>&lt;b&gt;&amp;</small>" in text


def test_a_kiosk_has_no_shell(board: Dashboard, owner: Any, signed_in: SignedIn) -> None:
    assert 'class="kiosk"' in signed_in(owner).get("/dashboards/ops/?kiosk=1").content.decode()
    assert 'class="kiosk"' not in signed_in(owner).get("/dashboards/ops/").content.decode()


def test_a_broken_widget_says_so_and_the_others_stay(board: Dashboard, stat: Widget, owner: Any, signed_in: SignedIn) -> None:
    Widget.objects.create(dashboard=board, slug="old", kind="hologram", title="Old")
    Widget.objects.create(dashboard=board, slug="odd", kind="stat", title="Odd", config={"color": 99})
    Widget.objects.filter(pk=stat.pk).update(state=Widget.State.ERROR, error="The source answered 502.")
    record(stat, 42)
    text = signed_in(owner).get("/dashboards/ops/").content.decode()
    assert text.count('class="trouble"') == 3
    assert "The source answered 502." in text
    assert ">42<small>" in text


# --- history ---


def points(browser: Client, **query: Any) -> dict[str, Any]:
    answer = browser.get("/dashboards/ops/load/points/", query)
    assert answer.status_code == 200, answer.content
    return dict(answer.json())


def test_points_are_a_stretch_of_every_series(chart: Widget, owner: Any, signed_in: SignedIn) -> None:
    record_many([NewValue(chart, second, at(second), name) for second in range(10) for name in ("cpu", "memory")], now=at(10))
    start = NOW.timestamp()
    answer = points(signed_in(owner), **{"from": start + 2, "to": start + 4, "width": 100})
    assert (answer["from"], answer["to"], answer["step"]) == (start + 2, start + 4, 0)
    assert answer["series"]["cpu"] == [[start + 2, 2.0], [start + 3, 3.0], [start + 4, 4.0]]
    assert set(answer["series"]) == {"cpu", "memory"}


def test_many_points_come_as_the_lowest_and_highest_of_each_bucket(chart: Widget, owner: Any, signed_in: SignedIn) -> None:
    record_many([NewValue(chart, 1000 if second == 777 else second % 7, at(second), "cpu") for second in range(2000)], now=at(2000))
    start = NOW.timestamp()
    answer = points(signed_in(owner), **{"from": start, "to": start + 2000, "width": 100})
    line = answer["series"]["cpu"]
    assert answer["step"] == 20
    assert 100 < len(line) <= 204
    assert max(value for _, value in line) == 1000
    assert [moment for moment, _ in line] == sorted(moment for moment, _ in line)


BAD_TIMES = ["x", "", "nan", "inf", "1e400", "9" * 40, "1_000", "\0", "\u0661"]
BAD_SPANS = [{"from": text} for text in BAD_TIMES] + [{"from": "2", "to": "1"}, {"width": "x"}, {"width": "-1"}, {"width": "\u0661"}]


@pytest.mark.parametrize("query", BAD_SPANS, ids=[json.dumps(query)[:30] for query in BAD_SPANS])
def test_a_stretch_that_is_none_is_422(chart: Widget, owner: Any, signed_in: SignedIn, query: dict[str, str]) -> None:
    assert signed_in(owner).get("/dashboards/ops/load/points/", query).status_code == 422


def test_a_chart_comes_with_its_history(chart: Widget, owner: Any, signed_in: SignedIn) -> None:
    record_many([NewValue(chart, 5, None, name) for name in ("cpu", "memory")])
    text = signed_in(owner).get("/dashboards/ops/").content.decode()
    assert "data-chart" in text
    assert f"/dashboards/{chart.dashboard_id}/{chart.pk}/points/" in text
    assert 'aria-label="Load: cpu, memory, last 15 min"' in text


@pytest.mark.parametrize(("seconds", "text"), [(300, "5 m"), (900, "15 m"), (3600, "1 h"), (86_400, "1 d"), (2_592_000, "30 d")])
def test_a_chart_begins_with_its_range_and_offers_five_minutes_to_thirty_days(
    chart: Widget, page: Callable[[str], Page], seconds: int, text: str
) -> None:
    chart.config = {"range": seconds}
    save_widget(chart)
    record(chart, 5, series="cpu")
    record(chart, 4, time.time() - seconds / 2, series="cpu")
    tile = page("/dashboards/ops/").tile(chart.pk)
    assert tile is not None
    (drawn,) = tile.having("data-chart")
    points = json.loads(drawn.attributes["data-points"])
    assert drawn.attributes["data-range"] == str(seconds)
    assert points["to"] - points["from"] == pytest.approx(seconds, abs=1e-3)
    assert [value for _, value in points["series"]["cpu"]] == [4, 5]
    buttons = [(node.attributes["data-seconds"], node.text, node.attributes["aria-pressed"]) for node in tile.having("data-seconds")]
    assert [seconds for seconds, _, _ in buttons] == ["300", "900", "3600", "86400", "2592000"]
    assert [(which, words) for which, words, pressed in buttons if pressed == "true"] == [(str(seconds), text)]


def test_a_chart_is_drawn_with_its_thresholds_and_its_areas(chart: Widget, page: Callable[[str], Page]) -> None:
    record_many([NewValue(chart, 5, None, name) for name in ("cpu", "memory")])

    def drawn(**config: Any) -> dict[str, str]:
        chart.config = config
        save_widget(chart)
        tile = page("/dashboards/ops/").tile(chart.pk)
        assert tile is not None
        return tile.having("data-chart")[0].attributes

    plain = drawn()
    assert "data-thresholds" not in plain and "data-stacked" not in plain
    assert [line.get("area") for line in json.loads(plain["data-series"])] == [None, None]
    marked = drawn(area=True, thresholds=[{"value": 80, "level": "warn"}, {"value": 95.5, "level": "bad"}])
    assert json.loads(marked["data-thresholds"]) == [{"value": 80.0, "level": "warn"}, {"value": 95.5, "level": "bad"}]
    assert [(line["name"], line["area"]) for line in json.loads(marked["data-series"])] == [("cpu", True), ("memory", True)]
    stacked = drawn(stacked=True)
    assert "data-stacked" in stacked
    assert [line["area"] for line in json.loads(stacked["data-series"])] == [True, True]


def test_the_table_shows_what_the_chart_shows(chart: Widget, owner: Any, signed_in: SignedIn) -> None:
    record_many([NewValue(chart, 0.5, at(1), "cpu", "after the deploy"), NewValue(chart, 7, at(2), "memory")], now=at(3))
    rows = signed_in(owner).get("/dashboards/ops/load/table/").context["rows"]
    assert [(row["series"], row["value"], row["label"]) for row in rows] == [("memory", "7", ""), ("cpu", "0.5", "after the deploy")]


def test_the_title_of_a_tile_with_values_leads_to_its_table(
    stat: Widget, gauge: Widget, bars: Widget, progress: Widget, feed: Widget, text: Widget, page: Callable[[str], Page], owner: Any
) -> None:
    numbers = (stat, gauge, bars, progress)
    record_many([NewValue(widget, 7) for widget in numbers])
    opened = page("/dashboards/ops/")
    for widget in (*numbers, feed, text):
        tile = opened.tile(widget.pk)
        assert tile is not None
        links = [node.attributes["href"] for node in tile.having("href") if node.attributes["href"].endswith("/table/")]
        assert links == ([f"/dashboards/ops/{widget.slug}/table/"] if widget in numbers else []), "there is no table of nothing"
        for link in links:
            assert [row["value"] for row in opened.client.get(link).context["rows"]] == ["7"]


def test_what_is_no_number_stands_in_tables_and_csv_as_what_was_said(
    table: Widget, status: Widget, feed: Widget, text: Widget, owner: Any, signed_in: SignedIn
) -> None:
    browser = signed_in(owner)
    record_many([NewValue(table, {"CPU": 42, "State": "=1+1"}, at(1), "web-1"), NewValue(table, {}, at(2), "web-1")], now=at(9))
    record_many([NewValue(status, "slow", at(1), "search"), NewValue(status, "down", at(2), "search", "no answer")], now=at(9))
    record_many([NewValue(feed, "Backup done", at(1)), NewValue(text, "**Freeze**", at(1))], now=at(9))
    said = {
        table: ["taken out", "CPU 42 · State =1+1"],
        status: ["no answer", "slow"],
        feed: ["Backup done"],
        text: ["**Freeze**"],
    }
    for widget, words in said.items():
        page = browser.get(f"/dashboards/ops/{widget.slug}/table/")
        assert [(row["value"], row["label"]) for row in page.context["rows"]] == [(word, "") for word in words]
        rows = csv.DictReader(io.StringIO(browser.get(f"/dashboards/ops/{widget.slug}.csv").getvalue().decode()))
        assert [row["value"] for row in rows] == words


def test_no_cell_of_a_csv_is_a_formula(feed: Widget, stat: Widget, owner: Any, signed_in: SignedIn) -> None:
    for text in ("=1+1", "+1", "-1", "@SUM(A1)", 'plain, "quoted"'):
        post_feed(feed, text)
    record(stat, -5)
    browser = signed_in(owner)
    answer = browser.get("/dashboards/ops/events.csv")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="ops-events.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))
    assert [row["label"] for row in rows] == ['plain, "quoted"', "'@SUM(A1)", "'-1", "'+1", "'=1+1"]
    assert "-5.0" in browser.get("/dashboards/ops/queue.csv").getvalue().decode()


# --- cost ---


def test_a_large_board_costs_no_more_queries_than_a_small_one(
    board: Dashboard, stat: Widget, chart: Widget, feed: Widget, owner: Any, signed_in: SignedIn
) -> None:
    browser = signed_in(owner)

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert browser.get("/dashboards/ops/board/").status_code == 200
        return len(queries)

    record_many([NewValue(stat, 1, at(0)), NewValue(chart, 1, at(0), "cpu"), NewValue(feed, "one", at(0))], now=at(3))
    cost()  # the first request of all writes the epoch, and of a session when it was used
    small = cost()
    more = [save_widget(Widget(dashboard=board, slug=f"s{number}", kind="stat", title=f"S{number}")) for number in range(40)]
    record_many([NewValue(widget, second, at(second)) for widget in [stat, *more] for second in range(3)], now=at(3))
    record_many([NewValue(chart, 1, at(0), f"line{number}") for number in range(20)], now=at(3))
    assert cost() == small


# --- in other pages ---


def test_a_widget_stands_live_on_any_page(stat: Widget, owner: Any, charlie: Any, rf: Any) -> None:
    from django.template import Context, Template

    from core.live import LivePositions

    record(stat, 42)

    def shown(user: Any) -> str:
        request = rf.get("/")
        request.user = user
        request.live = LivePositions(request)
        return Template('{% load dashboards %}{% live_widget "ops/queue" %}').render(Context({"request": request}))

    assert f'data-channel="dashboard:{stat.dashboard_id}"' in shown(owner)
    assert f'data-refetch="/dashboards/{stat.dashboard_id}/{stat.pk}/tile/"' in shown(owner)
    assert shown(charlie).strip() == ""


def test_home_shows_starred_boards_in_small(stat: Widget, board: Dashboard, bob: Any, charlie: Any, signed_in: SignedIn) -> None:
    record(stat, 42)
    Favourite.objects.create(user=bob, dashboard=board)
    assert f'id="mini-{board.pk}"' in signed_in(bob).get("/").content.decode()
    assert f'id="mini-{board.pk}"' not in signed_in(charlie).get("/").content.decode()
