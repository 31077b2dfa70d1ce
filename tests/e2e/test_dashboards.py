"""Boards in Chromium: tiles that fill, charts that gain lines, feeds, stars, pauses; all without a reload."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.conftest import Demo
from tests.e2e.test_live import live, post

MAKE = """
from dashboard.actions import save_dashboard, save_widget
from dashboard.models import Access, Dashboard, Widget
board = save_dashboard(Dashboard(slug="harbour", title="Harbour", access=Access.MEMBERS))
for order, (slug, kind, title) in enumerate([("ships", "stat", "Ships"), ("tide", "timeseries", "Tide"), ("log", "feed", "Log")]):
    columns = 6 if slug == "tide" else 4
    save_widget(Widget(dashboard=board, slug=slug, kind=kind, title=title, order=order, columns=columns, rows=3, interval=60))
"""
REMOVE = "from dashboard.models import Dashboard; Dashboard.objects.filter(slug__in=['harbour', 'port']).delete()"
CHANGE = """
from dashboard.actions import remove_widget, save_dashboard, save_widget
from dashboard.models import Widget
ships = Widget.objects.get(dashboard__slug="harbour", slug="ships")
ships.config = {"unit": "boats"}
save_widget(ships)
remove_widget(Widget.objects.get(dashboard__slug="harbour", slug="log"))
board = ships.dashboard
board.slug = "port"
save_dashboard(board)
"""
BOARD = "/dashboards/harbour/"


@pytest.fixture
def harbour(demo: Demo) -> Iterator[Callable[[str], object]]:
    """A board with three empty tiles; returns what runs Python on the site."""

    def run(code: str) -> object:
        return demo.site.manage("shell", "--no-imports", "-c", code)

    run(MAKE)
    yield run
    run(REMOVE)


def tile(page: Page, title: str) -> Locator:
    return page.get_by_role("region", name=title, exact=True)


def test_an_empty_board_fills_while_one_watches(demo: Demo, harbour: object, as_alice: Page) -> None:
    as_alice.goto(BOARD)
    live(as_alice)
    expect(tile(as_alice, "Ships")).to_contain_text(f"{demo.url}/api/v1/widgets/harbour/ships")
    expect(tile(as_alice, "Ships").locator(".age")).to_contain_text("No data")
    as_alice.evaluate("window.same = true")
    post(demo, "widgets", {"harbour/ships": 12, "harbour/tide": {"value": 1.5, "series": "quay"}, "harbour/log": "Lock opened"})
    expect(tile(as_alice, "Ships").locator(".value")).to_have_text("12")
    expect(tile(as_alice, "Ships").locator(".age")).to_have_text("now")
    expect(tile(as_alice, "Tide").locator("canvas")).to_be_visible()
    expect(tile(as_alice, "Log").get_by_role("listitem")).to_contain_text(["Lock opened"])
    post(demo, "widgets/harbour/ships", [13, 14, 15])
    expect(tile(as_alice, "Ships").locator(".value")).to_have_text("15")
    expect(tile(as_alice, "Ships").locator(".spark .line")).to_be_attached()
    assert as_alice.evaluate("window.same")


def test_a_chart_gains_a_line_when_a_new_series_comes(demo: Demo, harbour: object, as_alice: Page) -> None:
    post(demo, "widgets/harbour/tide", [{"value": 1, "series": "quay"}, {"value": 2, "series": "quay"}])
    as_alice.goto(BOARD)
    live(as_alice)
    legend = tile(as_alice, "Tide").locator("[data-legend] button")
    expect(legend).to_have_text(["quay"])
    post(demo, "widgets/harbour/tide", [{"value": 3, "series": "lock"}])
    expect(legend).to_have_text(["quay", "lock"])
    legend.first.click()
    expect(legend.first).to_have_attribute("aria-pressed", "false")
    tile(as_alice, "Tide").get_by_role("link", name="As a table").click()
    expect(as_alice.get_by_role("row")).to_have_count(4)


def test_new_settings_and_a_removed_widget_reach_open_pages(demo: Demo, harbour: Callable[[str], object], as_alice: Page) -> None:
    post(demo, "widgets/harbour/ships", 12)
    as_alice.goto(BOARD)
    live(as_alice)
    expect(tile(as_alice, "Log")).to_be_visible()
    harbour(CHANGE)
    expect(tile(as_alice, "Ships").locator(".value")).to_have_text("12boats")
    expect(tile(as_alice, "Log")).to_have_count(0)
    # The board has another address now, and the page that is open goes on, its chart too.
    post(demo, "widgets/port/tide", [{"value": number, "series": "quay"} for number in range(30)])
    expect(tile(as_alice, "Tide").locator("canvas")).to_be_visible()
    post(demo, "widgets/port/ships", 13)
    expect(tile(as_alice, "Ships").locator(".value")).to_have_text("13boats")
    expect(tile(as_alice, "Ships").get_by_role("link", name="Ships")).to_have_attribute("href", "/dashboards/port/ships/table/")


def test_a_late_value_moves_the_line_and_not_the_number(demo: Demo, harbour: object, as_alice: Page) -> None:
    post(demo, "widgets/harbour/ships", [{"value": 5, "at": 1763709000}, {"value": 7, "at": 1763709100}])
    as_alice.goto(BOARD)
    live(as_alice)
    line = tile(as_alice, "Ships").locator(".spark .line")
    before = line.get_attribute("d") or ""
    post(demo, "widgets/harbour/ships", {"value": 1, "at": 1763709050})
    expect(line).not_to_have_attribute("d", before)
    expect(tile(as_alice, "Ships").locator(".value")).to_have_text("7")
    expect(tile(as_alice, "Ships").locator(".chip")).to_have_text("Stale")


def test_a_paused_board_stands_still_and_catches_up(demo: Demo, harbour: object, as_alice: Page) -> None:
    post(demo, "widgets/harbour/ships", 1)
    as_alice.goto(BOARD)
    live(as_alice)
    pause = as_alice.locator(".bar > [data-live-pause]")
    pause.click()
    post(demo, "widgets/harbour/ships", 2)
    expect(as_alice.locator("#connection-bar")).to_contain_text("1 waiting")
    expect(tile(as_alice, "Ships").locator(".value")).to_have_text("1")
    pause.click()
    expect(tile(as_alice, "Ships").locator(".value")).to_have_text("2")


def test_a_star_puts_a_board_on_the_home_page_live(demo: Demo, harbour: object, as_bob: Page) -> None:
    post(demo, "widgets/harbour/ships", 1)
    as_bob.goto(BOARD)
    star = as_bob.get_by_role("button", name="Favourite: Harbour")
    star.click()
    expect(star).to_have_attribute("aria-pressed", "true")
    as_bob.goto("/")
    live(as_bob)
    home = as_bob.locator(".mini", has_text="Harbour").locator(".value")
    expect(home).to_have_text("1")
    post(demo, "widgets", {"harbour/ships": 2, "harbour/log": "another tile's news"})
    expect(home).to_have_text("2")


def test_a_kiosk_has_no_chrome_and_stays_live(demo: Demo, harbour: object, as_alice: Page) -> None:
    as_alice.goto(f"{BOARD}?kiosk=1")
    live(as_alice)
    expect(as_alice.locator("#rail")).to_be_hidden()
    post(demo, "widgets/harbour/ships", 3)
    expect(tile(as_alice, "Ships").locator(".value")).to_have_text("3")


MORE = """
from dashboard.actions import NewValue, record_many, save_widget
from dashboard.models import Dashboard, Widget
board = Dashboard.objects.get(slug="harbour")
for slug, kind, config in [
    ("fleet", "table", {"columns": ["Tons", "State"], "sort": "-Tons"}),
    ("lamps", "status", {}),
    ("words", "text", {"text": "# Berths\\n\\n- one\\n- two"}),
    ("time", "clock", {"zone": "UTC"}),
    ("cargo", "timeseries", {"stacked": True}),
]:
    save_widget(Widget(dashboard=board, slug=slug, kind=kind, title=slug.title(), config=config, columns=6, rows=4, order=9))
ships = [("anna", 5), ("bela", 90), ("cora", 12)]
record_many([NewValue("harbour/fleet", {"Tons": tons, "State": "in"}, series=name) for name, tons in ships])
record_many([NewValue("harbour/lamps", "up", series="north"), NewValue("harbour/lamps", "down", series="south")])
record_many([NewValue("harbour/cargo", value, series=name) for name, value in [("coal", 10), ("corn", 7)]])
"""


def test_tables_stay_sorted_while_they_change_and_clocks_go(demo: Demo, harbour: Callable[[str], object], as_alice: Page) -> None:
    harbour(MORE)
    as_alice.goto(BOARD)
    live(as_alice)
    fleet = tile(as_alice, "Fleet")
    names = fleet.locator("tbody th")
    expect(names).to_have_text(["bela", "cora", "anna"])
    post(demo, "widgets/harbour/fleet", {"series": "anna", "value": {"Tons": 40, "State": "out"}})
    expect(names).to_have_text(["bela", "anna", "cora"])
    fleet.get_by_role("button", name="Row").click()
    expect(names).to_have_text(["anna", "bela", "cora"])
    post(demo, "widgets/harbour/fleet", {"series": "berta", "value": {"Tons": 1}})
    expect(names).to_have_text(["anna", "bela", "berta", "cora"])
    expect(fleet.locator("th[aria-sort=ascending]")).to_have_text("Row")
    post(demo, "widgets/harbour/lamps", {"series": "north", "value": "slow"})
    expect(tile(as_alice, "Lamps").get_by_role("listitem")).to_have_text(["northslow", "southdown"])
    expect(tile(as_alice, "Words").get_by_role("heading", name="Berths")).to_be_visible()
    expect(tile(as_alice, "Time").locator("[data-clock]")).to_have_text(re.compile(r"\d\d:\d\d:\d\d"))
    cargo = tile(as_alice, "Cargo")
    expect(cargo.locator("canvas")).to_have_count(0)  # nobody sees it: it is drawn when somebody does
    cargo.scroll_into_view_if_needed()
    expect(cargo.locator("canvas")).to_be_visible()
    drawn = "document.querySelector('[aria-label=Cargo] [data-chart]').chart.plot.data.slice(1).map((line) => line.at(-1))"
    assert as_alice.evaluate(drawn) == [10, 17]


def test_a_widget_is_made_by_a_form_that_shows_what_it_will_be(demo: Demo, harbour: object, as_alice: Page) -> None:
    as_alice.goto(BOARD)
    as_alice.get_by_role("link", name="Edit", exact=True).click()
    as_alice.get_by_label("Add a").select_option("gauge")
    as_alice.get_by_role("button", name="Add", exact=True).click()
    preview = as_alice.locator("#preview")
    expect(preview.locator(".w h2")).to_have_text("Gauge")
    as_alice.get_by_label("Title").fill("Depth")
    as_alice.get_by_label("Unit").fill("m")
    expect(preview.locator(".w h2")).to_have_text("Depth")
    expect(preview.locator("svg.gauge text")).to_have_text("42 m")
    as_alice.get_by_role("button", name="Save").click()
    as_alice.wait_for_url(f"{demo.url}{BOARD}")
    expect(tile(as_alice, "Depth")).to_be_visible()
    as_alice.goto(f"{BOARD}edit/")
    up = as_alice.get_by_role("button", name="Move Depth up")
    up.focus()
    as_alice.keyboard.press("Enter")
    expect(as_alice.locator(".places tbody th a")).to_have_text(["Ships", "Tide", "Depth", "Log"])


# Every value that stood on the page for as long as one change.
NOTE_VALUES = """window.values = [];
new MutationObserver(() => values.push(...[...document.querySelectorAll(".value")].map((value) => value.textContent)))
  .observe(document.body, { subtree: true, childList: true, characterData: true })"""


def test_a_shared_board_is_live_for_a_guest_and_dark_when_the_address_ends(
    demo: Demo, harbour: object, as_alice: Page, browser: Browser
) -> None:
    as_alice.goto(f"{BOARD}share/")
    as_alice.get_by_role("button", name="Make an address").click()
    address = as_alice.locator("#made").inner_text()
    guest = browser.new_context().new_page()
    guest.goto(demo.url + address[address.index("/d/") :])
    live(guest)
    post(demo, "widgets/harbour/ships", 12)
    expect(tile(guest, "Ships").locator(".value")).to_have_text("12")
    guest.evaluate(NOTE_VALUES)
    as_alice.get_by_role("button", name="Revoke").click()
    expect(as_alice.get_by_role("button", name="Revoke")).to_have_count(0)
    post(demo, "widgets/harbour/ships", 13)
    expect(guest.locator(".w")).to_have_count(0)
    expect(guest.locator("[data-live-chip]")).to_have_text("Closed")
    assert "13" not in guest.evaluate("window.values")  # dark before the first value that came after the end
    guest.context.close()


ROOM = """
from dashboard.actions import save_widget
from dashboard.models import Dashboard, Widget
board = Dashboard.objects.get(slug="harbour")
save_widget(Widget(dashboard=board, slug="talk", kind="room", title="Talk", config={"room": "lobby"}, columns=4, rows=4, order=0))
"""


def test_what_is_said_in_a_room_stands_on_its_tile(demo: Demo, harbour: Callable[[str], object], as_alice: Page, as_bob: Page) -> None:
    harbour(ROOM)
    as_alice.goto(BOARD)
    live(as_alice)
    talk = tile(as_alice, "Talk")
    expect(talk.locator("[data-channel^='room:']")).to_be_visible()
    as_bob.goto("/rooms/lobby/")
    live(as_bob)
    as_bob.get_by_role("textbox").fill("Lock three is open")
    as_bob.keyboard.press("Enter")
    expect(talk).to_contain_text("Lock three is open")
    as_alice.reload()
    expect(talk).to_contain_text("Lock three is open")
    expect(talk.locator("[hx-swap-oob]")).to_have_count(0)


def test_a_board_says_who_watches_it(demo: Demo, harbour: object, as_alice: Page) -> None:
    as_alice.goto(BOARD)
    live(as_alice)
    expect(as_alice.locator("[data-watching]")).to_have_text("1 watching")
    expect(as_alice.locator("#presence i")).to_have_attribute("title", "alice")


def test_who_comes_and_who_leaves_is_counted_on_the_page_of_who_stays(
    harbour: object, as_alice: Page, as_bob: Page, new_page: Callable[..., Page]
) -> None:
    third = new_page("charlie")
    for number, page in enumerate((as_alice, as_bob, third), start=1):
        page.goto(BOARD)
        live(page)
        for one in (as_alice, as_bob, third)[:number]:
            expect(one.locator("[data-watching]")).to_have_text(f"{number} watching")
    also = as_bob.context.new_page()
    also.goto(BOARD)
    live(also)
    expect(also.locator("[data-watching]")).to_have_text("3 watching")
    third.close()
    for one in (as_alice, as_bob):
        expect(one.locator("[data-watching]")).to_have_text("2 watching")
    assert {face.get_attribute("title") for face in as_alice.locator("#presence i").all()} == {"alice", "bob"}
