"""Alerts and kiosks in Chromium: a sign on the tile and a toast, without a reload; a wall screen with nothing but the board."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.e2e.conftest import Demo
from tests.e2e.test_dashboards import BOARD, harbour, tile
from tests.e2e.test_live import live, post

__all__ = ["harbour"]  # a fixture

RULE = """
from dashboard.alerts import actions
from dashboard.models import AlertRule, Widget
ships = Widget.objects.get(dashboard__slug="harbour", slug="ships")
actions.save_rule(AlertRule(widget=ships, name="Too many ships", condition="above", high=90, audience=["user:alice"]))
"""
# No worker runs here: this is what one does.
JUDGE = """
from django.utils import timezone
from core.delivery.sequencer import sequence_channels
from dashboard.alerts import actions
from dashboard.models import Dashboard
sequence_channels([Dashboard.objects.get(slug="harbour").channel])
actions.judge(now=timezone.now())
"""
WATCHED = """
window.locks = 0;
Object.defineProperty(navigator, "wakeLock", { value: { request: async (what) => { window.locks += what === "screen"; } } });
"""


def test_an_alert_shows_on_the_tile_and_in_the_inbox_and_is_taken(demo: Demo, harbour: Callable[[str], object], as_alice: Page) -> None:
    post(demo, "widgets/harbour/ships", 12)
    harbour(RULE)
    as_alice.goto(BOARD)
    live(as_alice)
    as_alice.evaluate("window.same = true")
    expect(tile(as_alice, "Ships").locator(".alert")).to_have_count(0)
    post(demo, "widgets/harbour/ships", 95)
    harbour(JUDGE)
    sign = tile(as_alice, "Ships").locator(".alert")
    expect(sign).to_have_text("Alert")
    expect(sign).to_have_attribute("title", "Too many ships: above 90")
    expect(as_alice.locator(".toast", has_text="Alert: Too many ships")).to_be_visible()
    assert as_alice.evaluate("window.same")
    sign.click()
    as_alice.get_by_role("button", name="Acknowledge").click()
    expect(as_alice.get_by_text("Acknowledged by alice")).to_be_visible()
    as_alice.get_by_role("button", name="Mute").click()
    as_alice.get_by_role("button", name="For an hour").click()
    expect(as_alice.get_by_text("Muted until")).to_be_visible()
    as_alice.goto(BOARD)
    live(as_alice)
    expect(sign).to_have_text("Acknowledged")
    post(demo, "widgets/harbour/ships", 12)
    harbour(JUDGE)
    expect(sign).to_have_count(0)


def test_a_kiosk_is_the_board_and_nothing_else(demo: Demo, harbour: object, new_page: Callable[..., Page]) -> None:
    page = new_page("alice")
    page.add_init_script(WATCHED)
    page.goto(f"{BOARD}?kiosk=1")
    live(page)
    expect(page.locator("#rail")).to_be_hidden()
    expect(page.locator(".bar button").first).to_be_hidden()
    assert page.evaluate("getComputedStyle(document.body).cursor") == "none"
    assert page.evaluate("window.locks") == 1
    build = page.locator("body").get_attribute("data-build") or ""
    page.evaluate("window.same = true")

    def another_build(route: object) -> None:
        answer = route.fetch()  # type: ignore[attr-defined]
        route.fulfill(response=answer, body=answer.text().replace(f'data-build="{build}"', 'data-build="deployed"'))  # type: ignore[attr-defined]

    say = "(states) => { for (const state of states) document.dispatchEvent(new CustomEvent('live:state', { detail: { state } })) }"
    page.evaluate(say, ["down", "live"])
    page.wait_for_load_state("networkidle")
    assert page.evaluate("window.same"), "the same build: it stays"
    page.route("**/dashboards/harbour/?kiosk=1", another_build)
    page.evaluate(say, ["down", "live"])
    expect(page.locator("body")).to_have_attribute("data-build", "deployed")
    assert page.evaluate("window.same") is None


def test_a_board_fills_the_screen_and_gives_it_back(demo: Demo, harbour: object, as_alice: Page) -> None:
    as_alice.goto(BOARD)
    live(as_alice)
    button = as_alice.locator(".bar > [data-full-screen]")
    button.click()
    as_alice.wait_for_function("document.fullscreenElement !== null")
    button.click()
    as_alice.wait_for_function("document.fullscreenElement === null")
