"""Desktop notifications in Chromium: one of three tabs shows them, and reading anywhere closes them."""

import base64
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.conftest import Demo
from tests.e2e.test_inbox import NewPage, clear, live, row, tell

SHOWN = """async () => {
  const registration = await navigator.serviceWorker.getRegistration("/");
  const shown = registration ? await registration.getNotifications() : [];
  return shown.map(({ title, body, tag }) => ({ title, body, tag }));
}"""
# Counts what a tab hands to the worker, and has it stay: Chromium itself takes down after 25 s what does not.
COUNT = """navigator.serviceWorker && (() => {
  window.handed = 0;
  const post = ServiceWorker.prototype.postMessage;
  ServiceWorker.prototype.postMessage = function (message) {
    if (message.show) Object.assign(message.show, { stays: true }) && (window.handed += 1);
    return post.call(this, message);
  };
})()"""


def shown(page: Page) -> list[dict[str, Any]]:
    return page.evaluate(SHOWN)


def until(page: Page, wanted: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
    """The browser's notifications once they are as wanted."""
    for _ in range(300):
        if wanted(found := shown(page)):
            return found
        page.wait_for_timeout(100)
    raise AssertionError(f"still {shown(page)}")


def titles(page: Page) -> set[str]:
    return {one["title"] for one in shown(page)}


@pytest.fixture
def with_desktop(demo: Demo, new_page: NewPage) -> Page:
    """A browser of charlie's that has the permission, and where nothing is shown yet."""
    page = new_page("charlie", permissions=["notifications"])
    page.context.add_init_script(COUNT)
    return page


def turn_on(page: Page) -> None:
    page.goto("/preferences/device/")
    live(page)
    page.get_by_role("button", name="Turn on desktop notifications").click()
    expect(page.locator("html")).to_have_attribute("data-desktop", "on")
    expect(page.get_by_role("button", name="Send a test")).to_be_visible()


def test_nothing_is_asked_or_shown_before_somebody_presses_the_button(demo: Demo, with_desktop: Page) -> None:
    page = with_desktop
    page.context.add_init_script("window.asked = 0; Notification.requestPermission = async () => (window.asked++, 'granted')")
    page.goto("/preferences/device/")
    live(page)
    expect(page.locator("[data-device]")).to_have_attribute("data-device", "off")
    expect(page.get_by_role("button", name="Send a test")).to_be_hidden()
    tell(demo, "charlie", "Not for the desktop", Priority="high")
    expect(page.locator("#toasts .toast", has_text="Not for the desktop")).to_be_visible()
    assert page.evaluate("window.asked") == 0
    assert shown(page) == []
    page.get_by_role("button", name="Turn on desktop notifications").click()
    expect(page.locator("html")).to_have_attribute("data-desktop", "on")
    assert page.evaluate("window.asked") == 1
    # Off again takes the choice back, for this browser's other tabs too.
    other = page.context.new_page()
    other.goto("/")
    expect(other.locator("html")).to_have_attribute("data-desktop", "on")
    page.get_by_role("button", name="Turn off").click()
    expect(other.locator("html")).to_have_attribute("data-desktop", "off")


def test_one_of_three_tabs_shows_it_and_reading_on_another_device_closes_it(demo: Demo, new_page: NewPage, with_desktop: Page) -> None:
    page, elsewhere = with_desktop, new_page("charlie")
    clear(elsewhere)
    turn_on(page)
    context: BrowserContext = page.context
    tabs = [page, context.new_page(), context.new_page()]
    for tab in tabs[1:]:
        tab.goto("/inbox/")
        live(tab)
    tell(demo, "charlie", "Disk full\nNo room left", Priority="high", Key="disk")
    for tab in tabs:
        expect(tab.locator("#toasts .toast", has_text="Disk full")).to_be_visible()
    [found] = until(page, lambda all_shown: len(all_shown) == 1)
    assert (found["title"], found["body"]) == ("Disk full", "No room left")
    assert sum(tab.evaluate("window.handed") for tab in tabs) == 1
    # The same key again takes its place.
    tell(demo, "charlie", "Disk nearly full", Priority="high", Key="disk")
    [again] = until(page, lambda all_shown: [one["title"] for one in all_shown] == ["Disk nearly full"])
    assert again["tag"] == found["tag"]
    # Normal ones are for the page only.
    tell(demo, "charlie", "Nothing urgent")
    expect(row(elsewhere, "Nothing urgent")).to_be_visible()
    assert titles(page) == {"Disk nearly full"}
    # The tab that led is closed: another one leads.
    leader = next(tab for tab in tabs if tab.evaluate("window.handed"))
    rest = [tab for tab in tabs if tab != leader]
    leader.close()
    tell(demo, "charlie", "Second of its kind", Priority="high")
    until(rest[0], lambda all_shown: {one["title"] for one in all_shown} == {"Disk nearly full", "Second of its kind"})
    # Read on the other device.
    row(elsewhere, "Disk nearly full").hover()
    row(elsewhere, "Disk nearly full").get_by_role("button", name="Mark as read").click()
    until(rest[0], lambda all_shown: [one["title"] for one in all_shown] == ["Second of its kind"])
    elsewhere.get_by_role("button", name="Mark all as read").first.click()
    until(rest[0], lambda all_shown: not all_shown)
    # In her quiet hours only critical ones come, on pages too that were open before she set them.
    elsewhere.goto("/preferences/")
    for name, value in (("start", "00:00"), ("end", "23:59")):
        elsewhere.locator(f"#{name}").fill(value)
    elsewhere.locator("#zone").select_option("UTC" if 1 <= datetime.now(UTC).hour < 23 else "Asia/Tokyo")
    elsewhere.locator("form", has=elsewhere.locator("#zone")).get_by_role("button", name="Turn on").click()
    for tab in rest:
        expect(tab.locator("#bell")).to_have_attribute("data-quiet", re.compile("^00:00 23:59 "))
    tell(demo, "charlie", "High at night", Priority="high")
    for tab in rest:
        expect(tab.locator("#toasts .toast", has_text="High at night")).to_be_visible()
    demo.site.manage("notify", "charlie", "Critical at night", "--priority", "critical")
    until(rest[0], lambda all_shown: [one["title"] for one in all_shown] == ["Critical at night"])
    elsewhere.get_by_role("button", name="Turn off").click()
    for tab in rest:
        expect(tab.locator("#bell:not([data-quiet])")).to_be_visible()


def test_a_test_comes_the_way_everything_comes_and_what_was_read_meanwhile_is_closed_by_the_next_page(
    demo: Demo, new_page: NewPage, with_desktop: Page
) -> None:
    page, elsewhere = with_desktop, new_page("charlie")
    turn_on(page)
    page.get_by_role("button", name="Send a test").click()
    until(page, lambda all_shown: [one["title"] for one in all_shown] == ["This is a test"])
    # No tab of this browser listens while it is read elsewhere.
    page.goto("about:blank")
    clear(elsewhere)
    page.goto("/")
    until(page, lambda all_shown: not all_shown)


def test_a_blocked_site_says_so_and_what_to_do(demo: Demo, new_page: NewPage) -> None:
    page = new_page("charlie")
    page.context.add_init_script("Object.defineProperty(Notification, 'permission', { get: () => 'denied' })")
    page.goto("/preferences/device/")
    expect(page.locator("[data-device-says]")).to_contain_text("blocked in the browser")
    expect(page.get_by_role("button", name="Turn on desktop notifications")).to_be_hidden()


# A subscription needs the push service of the browser's maker: this one stands in for it.
PUSH = """(() => {
  let held = null;
  const made = (options) => ({
    options: { applicationServerKey: options.applicationServerKey.buffer ?? options.applicationServerKey },
    endpoint: "https://fcm.googleapis.com/fcm/send/e2e",
    toJSON: () => ({ endpoint: "https://fcm.googleapis.com/fcm/send/e2e", keys: { p256dh: "%s", auth: "AAAAAAAAAAAAAAAAAAAAAA" } }),
    unsubscribe: async () => { held = null; return true; },
  });
  PushManager.prototype.subscribe = async (options) => {
    if (window.refusing) throw new Error("The push service is away.");
    return (held = made(options));
  };
  PushManager.prototype.getSubscription = async () => held;
})()"""


def test_a_browser_is_subscribed_to_web_push_on_a_press_and_unsubscribed_again(demo: Demo, with_desktop: Page) -> None:
    page = with_desktop
    point = ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    text = base64.urlsafe_b64encode(point).decode().rstrip("=")
    page.context.add_init_script(PUSH % text)
    page.context.route("**/push/key/", lambda route: route.fulfill(json={"key": text}))
    turn_on(page)
    # What goes wrong is said where it was pressed.
    page.evaluate("window.refusing = true")
    page.get_by_role("button", name="Tell me then too").click()
    expect(page.locator("[data-push-says]")).to_have_text("The push service is away.")
    page.evaluate("window.refusing = false")
    page.get_by_role("button", name="Tell me then too").click()
    expect(page.locator("[data-push-says]")).to_contain_text("by web push too")
    # The server knows the device now.
    other = page.context.new_page()
    other.goto("/preferences/")
    expect(other.locator("#devices").locator("xpath=../..").get_by_role("button", name="Remove")).to_have_count(1)
    page.get_by_role("button", name="Only while a page is open").click()
    expect(page.locator("[data-push-says]")).to_contain_text("nothing is shown")
    other.reload()
    expect(other.locator("#devices").locator("xpath=../..").get_by_role("button", name="Remove")).to_have_count(0)


# What the push service does in earnest, and the browser then tells its worker; the site is the real one, but for its key.
CHANGED = """async ([key, before, after]) => {
  const asked = self.fetch;
  self.fetch = async (address, options) => {
    const answer = await asked(address, options);
    return address === "/push/key/" ? Response.json({ ...(await answer.json()), key }) : answer;
  };
  const made = { endpoint: after, keys: { p256dh: key, auth: "AAAAAAAAAAAAAAAAAAAAAA" } };
  PushManager.prototype.subscribe = async ({ applicationServerKey }) => (applicationServerKey === key ? made : null);
  await resubscribe({ oldSubscription: before && { endpoint: before }, newSubscription: null });
  self.fetch = asked;
}"""


def test_a_subscription_that_the_push_service_replaces_is_replaced_here(demo: Demo, with_desktop: Page) -> None:
    page = with_desktop
    turn_on(page)
    point = ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    text = base64.urlsafe_b64encode(point).decode().rstrip("=")
    # Playwright may hear of the worker later than the page does.
    worker = page.context.service_workers[0] if page.context.service_workers else page.context.wait_for_event("serviceworker")
    first, second = (f"https://fcm.googleapis.com/fcm/send/replaced-{number}" for number in (1, 2))
    remove = page.locator("#devices").locator("xpath=../..").get_by_role("button", name="Remove")
    for before, after in ((None, first), (first, second), ("https://fcm.googleapis.com/fcm/send/unknown", second)):
        worker.evaluate(CHANGED, [text, before, after])
        page.goto("/preferences/")
        expect(remove).to_have_count(1)
    remove.click()
    expect(remove).to_have_count(0)


def test_what_a_push_brings_is_what_a_page_has_shown_and_makes_no_second_one(demo: Demo, with_desktop: Page) -> None:
    page = with_desktop
    turn_on(page)
    tell(demo, "charlie", "Twice the same", Priority="high")
    [found] = until(page, lambda all_shown: len(all_shown) == 1)
    pk, at = (
        int(found["tag"].removeprefix("n-")),
        page.evaluate("""async () => {
      const registration = await navigator.serviceWorker.ready;
      return (await registration.getNotifications())[0].data.at;
    }"""),
    )
    pushed = {"tag": f"n-{pk}", "title": "Twice the same", "body": "", "url": f"/inbox/{pk}/open/", "at": at, "stays": True, "actions": []}
    session = page.context.new_cdp_session(page)
    workers: dict[str, str] = {}

    def known(event: dict[str, Any]) -> None:
        workers.update({one["scopeURL"]: one["registrationId"] for one in event["registrations"] if not one["isDeleted"]})

    session.on("ServiceWorker.workerRegistrationUpdated", known)
    session.send("ServiceWorker.enable")
    while f"{demo.url}/" not in workers:
        page.wait_for_timeout(50)

    def push(payload: dict[str, Any]) -> None:
        about = {"origin": demo.url, "registrationId": workers[f"{demo.url}/"], "data": json.dumps(payload)}
        session.send("ServiceWorker.deliverPushMessage", about)

    def both_pushed(all_shown: list[dict[str, Any]]) -> bool:
        # Again at each look: the DevTools lose what they deliver to a worker that is just being stopped.
        push(pushed)
        push(pushed | {"tag": f"n-{pk + 1}", "title": "Only pushed", "url": f"/inbox/{pk + 1}/open/"})
        return sorted(one["title"] for one in all_shown) == ["Only pushed", "Twice the same"]

    until(page, both_pushed)
