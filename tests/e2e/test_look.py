"""What every page owes to everybody: no barrier, no sideways scrolling, a keyboard's way through, and nothing that the policy refuses."""

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import Page, expect

from tests.e2e import pages

AXE = settings.BASE_DIR / "node_modules" / "axe-core" / "axe.min.js"
# Without preload: it would parse style sheets in ways that our policy refuses.
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], "preload": False}
EVERY = {**dict.fromkeys(pages.PERSON, "alice"), **dict.fromkeys(pages.GUEST | pages.DEVELOPER)}
ADDRESSES = pages.PERSON | pages.GUEST | pages.DEVELOPER
every_page = pytest.mark.parametrize("name", EVERY)


@pytest.fixture
def open_page(new_page: Callable[..., Page], request: pytest.FixtureRequest) -> Callable[..., Page]:
    """Opens one of the pages by its name, as the one who is meant to see it."""

    def opened(name: str, **options: Any) -> Page:
        page = new_page(EVERY[name], allowed=lambda text: name == "not-found" and "404" in text, **options)
        server = request.getfixturevalue("developer").url if name in pages.DEVELOPER else ""
        page.goto(server + ADDRESSES[name])
        return page

    return opened


def axe_faults(page: Page) -> list[str]:
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text() + "; undefined")
    found = page.evaluate("(rules) => axe.run(document, rules)", RULES)
    return [f"{one['id']}: {one['help']} {node['target']} {node['failureSummary']}" for one in found["violations"] for node in one["nodes"]]


@every_page
def test_axe_finds_no_barrier(name: str, open_page: Callable[..., Page]) -> None:
    page = open_page(name)
    for width, theme in ((1360, "light"), (1360, "dark"), (390, "dark"), (390, "light")):
        page.set_viewport_size({"width": width, "height": pages.WIDTHS[width]})
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        faults = axe_faults(page)
        assert not faults, "\n".join([f"{width} px, {theme}:", *faults])


WIDE = """() => document.documentElement.scrollWidth <= innerWidth ? [] : [...document.querySelectorAll("body *")]
    .filter((e) => e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.tagName + "." + e.className)"""
SMALL = """() => [...document.querySelectorAll("button, [role=button], input[type=checkbox], .rail a, .tabs a, .btn")]
    .filter((e) => e.checkVisibility() && !e.closest(".sr")).map((e) => [e, (e.closest("label") ?? e).getBoundingClientRect()])
    .filter(([, box]) => box.width < 24 || box.height < 24)
    .map(([e, box]) => `${e.outerHTML.slice(0, 120)} ${box.width}x${box.height}`)"""


@every_page
def test_a_phone_shows_it_whole_and_its_targets_are_large_enough(name: str, open_page: Callable[..., Page]) -> None:
    page = open_page(name, width=390, height=844, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390, page.evaluate(WIDE)
    assert not page.evaluate(SMALL)


@every_page
def test_no_element_carries_a_style_attribute(name: str, open_page: Callable[..., Page]) -> None:
    page = open_page(name, java_script_enabled=False)
    assert page.locator("[style]").count() == 0
    assert page.locator("style, script:not([src])").count() == 0


@pytest.mark.parametrize("name", ["home", "dashboard", "inbox", "room"])
def test_the_keyboard_reaches_the_content_and_the_rail(name: str, open_page: Callable[..., Page]) -> None:
    page = open_page(name)
    if name == "room":
        page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    reached = []
    for _ in range(6):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.textContent.trim()"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid", reached
    assert "Home" in reached and "Dashboards" in reached and "Rooms" in reached


def test_the_skip_link_leads_to_the_content(as_alice: Page) -> None:
    as_alice.goto("/accounts/sessions/")
    as_alice.keyboard.press("Tab")
    as_alice.keyboard.press("Enter")
    assert as_alice.evaluate("document.activeElement.id") == "main"


def test_the_user_menu_opens_and_closes_by_keyboard(as_alice: Page) -> None:
    as_alice.goto("/accounts/sessions/")
    as_alice.get_by_role("button", name="alice").focus()
    as_alice.keyboard.press("Enter")
    expect(as_alice.get_by_role("button", name="Sign out")).to_be_visible()
    as_alice.keyboard.press("Escape")
    expect(as_alice.get_by_role("button", name="Sign out")).to_be_hidden()


def test_the_theme_switch_beats_the_system(as_bob: Page) -> None:
    as_bob.goto("/accounts/sessions/")
    light = as_bob.evaluate("getComputedStyle(document.body).backgroundColor")
    for theme, changed in (("Dark", True), ("Auto", False)):
        as_bob.get_by_role("button", name="bob").click()
        with as_bob.expect_navigation():
            as_bob.get_by_role("button", name=theme).click()
        is_other = "getComputedStyle(document.body).backgroundColor !== light"
        as_bob.wait_for_function(f"light => ({is_other}) === {str(changed).lower()}", arg=light)


@pytest.mark.parametrize("width", [390, 1360])
def test_the_rail_is_at_the_left_or_below(width: int, open_page: Callable[..., Page]) -> None:
    page = open_page("sessions", width=width, height=pages.WIDTHS[width])
    box = page.locator("#rail").bounding_box()
    assert box is not None
    assert (box["width"] == 216) if width == 1360 else (box["y"] + box["height"] == 844 and box["width"] == 390)


def test_numbers_do_not_move_their_neighbours(open_page: Callable[..., Page]) -> None:
    page = open_page("styleguide")
    widths = page.evaluate(
        """() => [..."0123456789"].map((digit) => { const e = document.querySelector(".value"); e.textContent = digit.repeat(4);
            const range = document.createRange(); range.selectNodeContents(e); return Math.round(range.getBoundingClientRect().width); })"""
    )
    assert len(set(widths)) == 1


def test_inter_comes_from_here(open_page: Callable[..., Page]) -> None:
    page = open_page("sessions")
    assert page.evaluate("document.fonts.ready.then(() => [...document.fonts].some((f) => f.family === 'Inter' && f.status === 'loaded'))")


def test_pages_ask_nobody_else(new_page: Callable[..., Page], demo: Any) -> None:
    page = new_page("alice")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for address in pages.PERSON.values():
        page.goto(address)
    assert asked and [url for url in asked if not url.startswith((demo.url, "data:"))] == []


def test_signing_out_ends_on_the_sign_in_page(new_page: Callable[..., Page], demo: Any) -> None:
    page = new_page(None)
    page.goto("/accounts/login/")
    page.get_by_label("Username").fill("charlie")
    page.get_by_label("Password").fill(demo.passwords["charlie"])
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="charlie").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/accounts/login/")


@pytest.mark.parametrize("theme", pages.THEMES)
def test_a_toast_the_bell_and_the_menu_are_no_barrier_either(theme: str, new_page: Callable[..., Page]) -> None:
    page = new_page("bob", theme=theme)
    page.goto("/")
    page.get_by_role("button", name="Notify me").click()
    expect(page.locator("#try-list").get_by_text("Here it is")).to_be_visible()
    expect(page.locator("#toasts .toast").first).to_be_visible()
    assert not axe_faults(page)
    page.get_by_role("button", name="Notifications").click()
    expect(page.locator("#bell-list").get_by_text("Here it is").first).to_be_visible()
    assert not axe_faults(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="bob").click()
    assert not axe_faults(page)


def test_a_cut_connection_is_said_in_words_and_is_no_barrier(new_page: Callable[..., Page], demo: Any) -> None:
    page = new_page("bob", allowed=lambda text: "WebSocket" in text or "ERR_" in text)
    page.route_web_socket("**/live/ws", lambda socket: socket.close(code=1012))
    page.goto("/")
    expect(page.locator("#connection-bar")).to_contain_text("Reconnecting", timeout=15_000)
    expect(page.get_by_role("button", name="Retry now")).to_be_visible()
    assert not axe_faults(page)


MADE = """
from urllib.parse import urlsplit
from django.contrib.auth import get_user_model
from notifications.broadcasts import actions
from notifications.unsubscribing import link
alice = get_user_model().objects.get(username="alice")
made = actions.broadcast("user:alice", title="Maintenance", sender=alice, token="look")
actions.pause(made, by=alice)
print(f"/admin/signalbox_notifications/broadcast/{made.pk}/progress/")
print(urlsplit(link(alice, "alert", "email")).path)
actions.cancel(made, withdraw=True)
"""


def test_what_is_made_first_is_no_barrier_either(new_page: Callable[..., Page], demo: Any) -> None:
    """A broadcast's progress, the page that a mail's link leads to, a kept filter, a muted board; wide and on a phone."""
    progress, unsubscribe = demo.site.manage("shell", "-v0", "-c", MADE).stdout.split()[-2:]
    page = new_page("alice")
    page.goto("/inbox/filters/?q=is:unread")
    page.get_by_label("Name").fill("Still to read")
    page.get_by_role("button", name="Save").click()
    page.goto("/dashboards/this-machine/")
    page.get_by_role("button", name="Mute").click()
    expect(page.get_by_role("button", name="Mute")).to_have_attribute("aria-pressed", "true")
    for address in ("/dashboards/this-machine/", "/inbox/filters/", "/inbox/?q=is:unread", progress, unsubscribe):
        page.goto(address)
        for width, theme in ((1360, "light"), (390, "dark")):
            page.set_viewport_size({"width": width, "height": pages.WIDTHS[width]})
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            faults = axe_faults(page)
            assert not faults, "\n".join([f"{address} {width} px, {theme}:", *faults])
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, page.evaluate(WIDE)
    # It leaves no trace.
    page.goto("/dashboards/this-machine/")
    page.get_by_role("button", name="Mute").click()
    expect(page.get_by_role("button", name="Mute")).to_have_attribute("aria-pressed", "false")
    page.goto("/inbox/filters/")
    page.get_by_role("button", name="Delete Still to read").click()
    expect(page.get_by_text("None yet.")).to_be_visible()
