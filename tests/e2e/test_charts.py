"""charts.js in Chromium, the server played by hand: news are appended, late ones put in place, and what is missing is fetched."""

import json
from collections.abc import Iterator
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.fake_live import FakeLive, Talk, page_with, region

BOARD = "dashboard:7"
HEAD = """<link rel="stylesheet" href="/static/core/tokens.css"><link rel="stylesheet" href="/static/core/board.css">
<link rel="stylesheet" href="/static/npm/uplot/dist/uPlot.min.css"><link rel="stylesheet" href="/static/core/charts.css">
<script defer src="/static/npm/uplot/dist/uPlot.iife.min.js"></script><script type="module" src="/static/core/charts.js"></script>"""
SERIES = [{"name": "cpu", "label": "CPU", "color": 1}, {"name": "mem", "label": "Memory", "color": 2, "area": True}]
START = 1_763_700_000
# What the chart on the page holds of a series, as text; times from START on.
HELD = """([name, start]) => (document.querySelector("[data-chart]").chart.points.get(name) ?? [])
.map(([at, value]) => `${at - start}=${value}`).join(" ")"""


@pytest.fixture
def fake() -> Iterator[FakeLive]:
    with FakeLive() as server:
        yield server


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(timezone_id="UTC", locale="en-GB", viewport={"width": 900, "height": 500})
    page = context.new_page()
    trouble: list[str] = []
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("console", lambda message: trouble.append(message.text) if message.type == "error" else None)
    yield page
    context.close()
    assert not trouble


def answer(end: int, step: int = 0, **series: list[tuple[int, float | None]]) -> str:
    points = {name: [[START + at, value] for at, value in points] for name, points in series.items()}
    return json.dumps({"from": START, "to": START + end, "step": step, "series": points})


def tile(points: str, *, series: list[dict[str, object]] = SERIES) -> str:
    legend = '<span class="legend" data-legend><button type="button" data-name="cpu" class="s-1">CPU</button></span>'
    ranges = "".join(f'<button type="button" data-seconds="{seconds}">{seconds}</button>' for seconds in (300, 900))
    attributes = f"data-points-url='/points/' data-series='{json.dumps(series)}' data-range='900' data-unit='%' data-min='0'"
    chart = f"<div class='chart' id='w-1-chart' data-chart hx-morph-skip-children role='img' {attributes} data-points='{points}'></div>"
    news = '<i hidden id="w-1-new-cpu" data-series="cpu" data-new="{}"></i><i hidden id="w-1-changed" data-changed=""></i>'
    header = f"<header>{legend}<span class=ranges data-ranges>{ranges}</span></header>"
    return f'<section class="w c-12 r-4" id="w-1">{header}{chart}{news}</section>'


def news(at: int, value: float, *, prev: int | None) -> str:
    data = json.dumps({"prev": None if prev is None else START + prev, "points": [[START + at, value]]})
    return f"<i hidden id='w-1-new-cpu' hx-swap-oob='outerMorph' data-series='cpu' data-new='{data}'></i>"


def opened(fake: FakeLive, page: Page, points: str) -> Talk:
    fake.pages["/"] = page_with(region(BOARD, 1, tile(points)), head=HEAD)
    page.goto(fake.url)
    talk = fake.socket()
    talk.answer()
    expect(page.locator(".chart canvas")).to_be_visible()
    return talk


def holds(page: Page, name: str, text: str) -> None:
    page.wait_for_function(f"([text, ...of]) => ({HELD})(of) === text", arg=[text, name, START])


def asked(fake: FakeLive) -> tuple[float, float]:
    query = parse_qs(fake.asks("/points/").path.partition("?")[2])
    assert int(query["width"][0]) > 100
    return float(query["from"][0]) - START, float(query["to"][0]) - START


def test_the_first_paint_comes_from_the_page_and_news_follow_it(fake: FakeLive, page: Page) -> None:
    talk = opened(fake, page, answer(20, cpu=[(10, 1), (20, 2)], mem=[(10, 50)]))
    holds(page, "cpu", "10=1 20=2")
    talk.push(BOARD, 1, 2, news(30, 3, prev=20))
    talk.push(BOARD, 2, 3, news(25, 9, prev=20))
    talk.push(BOARD, 3, 4, news(30, 4, prev=25))
    holds(page, "cpu", "10=1 20=2 25=9 30=4")
    assert "/points/" not in {request.path.partition("?")[0] for request in fake.asked.queue}


def test_a_chart_that_was_not_heard_of_for_longer_than_its_range_shows_its_last_values(fake: FakeLive, page: Page) -> None:
    fake.pages["/points/"] = answer(5000, cpu=[(4400, 3), (4900, 4)])
    late = {"from": START + 100_000, "to": START + 100_900, "step": 1, "series": {"cpu": []}}
    shown = tile(json.dumps(late)).replace(
        'data-new="{}"', f"data-new='{json.dumps({'prev': START + 4900, 'points': [[START + 5000, 5]]})}'"
    )
    fake.pages["/"] = page_with(region(BOARD, 1, shown), head=HEAD)
    page.goto(fake.url)
    fake.socket().answer()
    assert asked(fake) == (4100, 5000)
    holds(page, "cpu", "4400=3 4900=4 5000=5")
    assert page.evaluate("document.querySelector('[data-chart]').chart.end") == START + 5000


def test_a_chart_not_heard_of_for_a_while_is_filled_up_to_the_length_of_its_range(fake: FakeLive, page: Page) -> None:
    fake.pages["/points/"] = answer(200, cpu=[(-300, 1), (-100, 2)])
    opened(fake, page, answer(900, cpu=[(100, 3), (500, 4)]))
    assert asked(fake) == (-400, 0)
    holds(page, "cpu", "-300=1 -100=2 100=3 500=4")


def test_what_is_missing_before_the_news_is_fetched(fake: FakeLive, page: Page) -> None:
    talk = opened(fake, page, answer(20, cpu=[(10, 1), (20, 2)]))
    fake.pages["/points/"] = answer(60, cpu=[(20, 2), (40, 4), (50, 5)])
    talk.push(BOARD, 1, 2, news(60, 6, prev=50))
    assert asked(fake) == (20, 60)
    holds(page, "cpu", "10=1 20=2 40=4 50=5 60=6")


def test_a_late_sample_has_its_span_fetched_again(fake: FakeLive, page: Page) -> None:
    talk = opened(fake, page, answer(20, cpu=[(10, 1), (20, 2)]))
    fake.pages["/points/"] = answer(16, cpu=[(15, 7)])
    span = json.dumps({"from": START + 14, "to": START + 16})
    talk.push(BOARD, 1, 2, f"<i hidden id='w-1-changed' hx-swap-oob='outerMorph' data-changed='{span}'></i>")
    assert asked(fake) == (14, 16)
    holds(page, "cpu", "10=1 15=7 20=2")


def test_a_fetch_that_fails_is_tried_again(fake: FakeLive, page: Page) -> None:
    tries: list[int] = []

    def flaky(_: object) -> str:
        tries.append(1)
        return "{}" if len(tries) < 2 else answer(60, cpu=[(50, 5)])

    talk = opened(fake, page, answer(20, cpu=[(20, 2)]))
    fake.pages["/points/"] = flaky
    talk.push(BOARD, 1, 2, news(60, 6, prev=50))
    holds(page, "cpu", "20=2 50=5 60=6")


def test_a_refetch_of_the_board_keeps_the_drawing_and_takes_the_new_points(fake: FakeLive, page: Page) -> None:
    talk = opened(fake, page, answer(20, cpu=[(10, 1), (20, 2)]))
    page.evaluate("document.querySelector('.chart canvas').id = 'mine'")
    fake.pages["/region/"] = region(BOARD, 9, tile(answer(40, cpu=[(20, 2), (30, 3), (40, 4)])))
    talk.say(signal="resync", channels=[BOARD])
    holds(page, "cpu", "10=1 20=2 30=3 40=4")
    expect(page.locator("#mine")).to_be_visible()


def test_a_hole_before_a_refetched_board_is_fetched_too(fake: FakeLive, page: Page) -> None:
    talk = opened(fake, page, answer(20, cpu=[(20, 2)]))
    late = json.dumps({"from": START + 100, "to": START + 120, "step": 0, "series": {"cpu": [[START + 110, 11]]}})
    fake.pages["/points/"] = answer(100, cpu=[(50, 5)])
    fake.pages["/region/"] = region(BOARD, 9, tile(late))
    talk.say(signal="resync", channels=[BOARD])
    assert asked(fake) == (20, 100)
    holds(page, "cpu", "20=2 50=5 110=11")


def test_a_range_is_fetched_at_the_width_of_the_chart(fake: FakeLive, page: Page) -> None:
    opened(fake, page, answer(20, cpu=[(20, 2)]))
    fake.pages["/points/"] = answer(20, step=10, cpu=[(10, 1), (20, 2)])
    page.get_by_role("button", name="300").click()
    start, end = asked(fake)
    assert round(end - start) == 300
    holds(page, "cpu", "10=1 20=2")
    expect(page.get_by_role("button", name="300")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="900")).to_have_attribute("aria-pressed", "false")


def test_the_legend_hides_a_series_and_the_pointer_shows_the_values(fake: FakeLive, page: Page) -> None:
    opened(fake, page, answer(800, cpu=[(0, 1), (800, 42.5)], mem=[(0, 50), (800, 63)]))
    box = page.locator(".u-over").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] - 4, box["y"] + 20)
    expect(page.locator(".chart-tip span")).to_have_text(["CPU42.5 %", "Memory63 %"])
    page.get_by_role("button", name="CPU").click()
    expect(page.get_by_role("button", name="CPU")).to_have_attribute("aria-pressed", "false")
    page.mouse.move(box["x"] + box["width"] - 6, box["y"] + 22)
    expect(page.locator(".chart-tip span")).to_have_text(["Memory63 %"])


def test_a_chart_follows_the_width_of_its_tile(fake: FakeLive, page: Page) -> None:
    opened(fake, page, answer(20, cpu=[(20, 2)]))
    page.set_viewport_size({"width": 500, "height": 500})
    page.wait_for_function(
        "() => Math.abs(document.querySelector('.uplot').clientWidth - document.querySelector('.chart').clientWidth) < 2"
    )


# A clock on which each look is 5 ms later, the tasks in which charts begin to be, and how often a script asks how large a chart is.
COUNT = """window.count = { tasks: new Set(), sizes: 0 };
let task = 0; (function next() { task += 1; setTimeout(next); })();
let clock = 0; performance.now = () => (clock += 5);
const { observe } = IntersectionObserver.prototype;
IntersectionObserver.prototype.observe = function (element) { count.tasks.add(task); observe.call(this, element); };
const size = Object.getOwnPropertyDescriptor(Element.prototype, "clientWidth");
const get = function () { count.sizes += this.matches("[data-chart]"); return size.get.call(this); };
Object.defineProperty(Element.prototype, "clientWidth", { get });"""


def test_many_charts_are_made_in_several_tasks_and_ask_for_no_layout(fake: FakeLive, page: Page) -> None:
    page.add_init_script(COUNT)
    tiles = "".join(tile(answer(20, cpu=[(10, 1), (20, 2)])).replace("w-1", f"w-{number}") for number in range(12))
    fake.pages["/"] = page_with(region(BOARD, 1, tiles), head=HEAD)
    page.goto(fake.url)
    fake.socket().answer()
    for number in range(12):
        page.locator(f"#w-{number}-chart").scroll_into_view_if_needed()
        expect(page.locator(f"#w-{number}-chart canvas")).to_be_visible()
    assert page.evaluate("[...document.querySelectorAll('[data-chart]')].every((root) => root.chart.plot.width === root.clientWidth)")
    page.reload()
    page.wait_for_function("() => [...document.querySelectorAll('[data-chart]')].every((root) => root.chart)")
    assert page.evaluate("[count.tasks.size >= 4, count.sizes]") == [True, 0]
