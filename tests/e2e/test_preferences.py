"""A choice on the preferences page is saved by its click, and said."""

from playwright.sync_api import Page, expect


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
