"""The live connection between a real Signalbox and Chromium: values, toasts, messages; through a dead server, a resync, a sign-out."""

import json
import re
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import Demo, running
from tests.support import browser as browsers
from tests.support import servers

LOBBY = "/rooms/lobby/"
BOARD = "/dashboards/this-machine/"
SAY = """
from notifications.rooms.actions import post_message
from notifications.rooms.models import Room
from notifications.rooms.people import Person
room = Room.objects.get(slug="lobby")
for text in {texts}: post_message(room, author=Person(user_id=None, name="guest-1", key="guest-1"), text=text)
"""


def live(page: Page) -> None:
    expect(page.locator("html")).to_have_attribute("data-live-state", "live")


def post(demo: Demo, path: str, body: Any) -> None:
    """What anybody does with curl."""
    data = body if isinstance(body, str) else json.dumps(body)
    headers = {"Authorization": f"Bearer {demo.token}", "Content-Type": "text/plain" if isinstance(body, str) else "application/json"}
    urllib.request.urlopen(urllib.request.Request(f"{demo.url}/api/v1/{path}", data=data.encode(), headers=headers)).close()


def said(page: Page) -> list[str]:
    return [text.strip() for text in page.locator("#messages .text").all_text_contents()]


def test_a_value_changes_without_a_reload(demo: Demo, as_alice: Page) -> None:
    as_alice.goto(BOARD)
    live(as_alice)
    as_alice.evaluate("window.same = true")
    post(demo, "widgets/this-machine/network", 4711)
    expect(as_alice.get_by_role("region", name="Network").locator(".value")).to_contain_text("4,711")
    post(demo, "widgets/this-machine/network", 4712)
    expect(as_alice.get_by_role("region", name="Network").locator(".value")).to_contain_text("4,712")
    assert as_alice.evaluate("window.same")


def test_a_notification_is_a_toast_a_badge_and_a_count_in_the_title(demo: Demo, new_page: Callable[..., Page]) -> None:
    page = new_page("bob")
    page.goto(BOARD)
    live(page)
    post(demo, "notify/bob", "The tide is out")
    expect(page.locator("#toasts .toast", has_text="The tide is out")).to_be_visible()
    expect(page.locator("#badge")).to_have_attribute("data-count", re.compile(r"[1-9]\d*"))
    count = page.locator("#badge").get_attribute("data-count")
    expect(page).to_have_title(f"({count}) This machine · Signalbox")


def test_a_message_reaches_the_others_while_they_write(demo: Demo, new_page: Callable[..., Page]) -> None:
    alice, bob = new_page("alice"), new_page("bob")
    for page in (alice, bob):
        page.goto(LOBBY)
        live(page)
    alice.locator("#say").fill("half a sent")
    bob.locator("#say").fill("hello from bob")
    bob.keyboard.press("Enter")
    for page in (alice, bob):
        expect(page.locator("#messages .text", has_text="hello from bob")).to_have_count(1)
    expect(alice.locator("#say")).to_have_value("half a sent")


def test_the_back_button_brings_back_a_page_that_is_live(demo: Demo, as_alice: Page) -> None:
    as_alice.goto(BOARD)
    live(as_alice)
    as_alice.goto("/inbox/")
    live(as_alice)
    as_alice.go_back()
    live(as_alice)
    post(demo, "widgets/this-machine/disk", 77)
    expect(as_alice.get_by_role("region", name="Disk").locator(".value")).to_contain_text("77")


def test_signing_out_in_one_tab_ends_the_others(new_page: Callable[..., Page], demo: Demo, browser: Browser) -> None:
    context = browsers.new_context(browser, base_url=demo.url)
    first, second = context.new_page(), context.new_page()
    browsers.sign_in(first, demo.url, name="charlie", password=demo.passwords["charlie"])
    second.goto("/inbox/")
    live(second)
    first.evaluate(
        """fetch("/accounts/logout/", {method: "POST", headers: JSON.parse(document.body.getAttribute("hx-headers:inherited"))})"""
    )
    expect(second.locator("#connection-bar")).to_contain_text("You are signed out.")
    context.close()


# Through a dead server


@pytest.fixture
def frail(new_site: Callable[..., servers.Site]) -> Iterator[Demo]:
    """A Signalbox of the test's own, to kill. It resyncs whoever missed more than five events."""
    site = new_site(redis=True, CATCH_UP="5", ROOMS_OPEN="1")
    site.manage("demo")
    with site.web() as web:
        yield running(site, web)


@pytest.fixture
def in_lobby(frail: Demo, browser: Browser) -> Iterator[Page]:
    """Alice's page of the lobby, live."""
    context = browsers.new_context(browser, base_url=frail.url)
    page = context.new_page()
    browsers.sign_in(page, frail.url, name="alice", password=frail.passwords["alice"])
    page.goto(LOBBY)
    live(page)
    page.evaluate("window.same = true")
    yield page
    context.close()


def while_dead(demo: Demo, *texts: str) -> None:
    """Kill the server, say this in the lobby from another process, start the server."""
    demo.web.kill()
    demo.site.manage("shell", "-c", SAY.format(texts=list(texts)))
    demo.web.start()


def hurry(page: Page) -> None:
    """What the button "Retry now" does, whether it is still there or the page has come back by itself."""
    page.evaluate("document.dispatchEvent(new CustomEvent('live:retry'))")


def test_what_is_said_while_the_server_is_dead_is_shown_exactly_once(frail: Demo, in_lobby: Page) -> None:
    before = said(in_lobby)
    while_dead(frail, "one", "two", "three")
    hurry(in_lobby)
    expect(in_lobby.locator("#connection-bar")).to_contain_text("Back online, 3 updates applied")
    assert said(in_lobby) == [*before, "one", "two", "three"]
    assert in_lobby.evaluate("window.same")


def test_who_missed_too_much_has_the_region_fetched_and_goes_on_live(frail: Demo, in_lobby: Page) -> None:
    before = said(in_lobby)
    texts = [f"event {number}" for number in range(9)]
    while_dead(frail, *texts)
    hurry(in_lobby)
    expect(in_lobby.locator("#messages .text", has_text="event 8")).to_be_visible()
    assert said(in_lobby) == [*before, *texts]
    in_lobby.locator("#say").fill("and on")
    in_lobby.keyboard.press("Enter")
    expect(in_lobby.locator("#messages .text", has_text="and on")).to_have_count(1)
    assert in_lobby.evaluate("window.same")
