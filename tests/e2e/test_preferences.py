"""A choice on the preferences page is saved by its click, and said; times are on the clock of the browser."""

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from playwright.sync_api import Page, expect

from tests.e2e.conftest import Demo
from tests.e2e.test_inbox import tell


def test_a_click_saves_one_choice_and_says_so(as_bob: Page) -> None:
    as_bob.goto("/preferences/")
    cell = as_bob.get_by_label("Mentions by Webhook")
    expect(cell).to_be_checked()
    for wanted in (False, True):
        cell.click()
        expect(as_bob.locator("#saved")).to_have_text("Saved")
        with as_bob.expect_response("**/preferences/"):
            as_bob.reload()
        expect(cell).to_be_checked(checked=wanted)
        expect(as_bob.get_by_label("Alerts by Webhook")).to_be_checked()


def test_quiet_hours_and_snoozes_go_by_the_clock_before_her(new_page: Callable[..., Page], demo: Demo) -> None:
    page = new_page("charlie", timezone_id="Asia/Tokyo")
    page.goto("/preferences/")
    # Nobody has asked her yet: the browser knows.
    expect(page.get_by_label("Your time zone")).to_have_value("Asia/Tokyo")
    tell(demo, "charlie", "Look at me tomorrow", Priority="low")
    page.goto("/inbox/")
    page.get_by_role("link", name="Look at me tomorrow").click()
    page.get_by_role("button", name="Another time").click()
    dialog = page.locator("#snooze-dialog")
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Tomorrow, 9:00").click()
    page.wait_for_url("**/inbox/")
    page.goto("/inbox/?tab=snoozed")
    page.get_by_role("link", name="Look at me tomorrow").click()
    until = page.locator("form", has_text="Snoozed until").locator("time")
    expect(until).to_be_visible()
    moment = datetime.fromisoformat(str(until.get_attribute("datetime"))).astimezone(ZoneInfo("Asia/Tokyo"))
    assert (moment.hour, moment.minute) == (9, 0)
