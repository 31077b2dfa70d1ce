"""The inbox, the bell and broadcasts in Chromium: one person's browsers agree, and everybody's pages hear of a broadcast."""

import json
import re
import urllib.request
from collections.abc import Callable
from typing import Any

from celery import Celery
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Demo
from tests.support.servers import wait_until

NewPage = Callable[..., Page]


def live(page: Page) -> Page:
    expect(page.locator("html")).to_have_attribute("data-live-state", "live")
    return page


def tell(demo: Demo, audience: str, text: str, **headers: str) -> None:
    address = f"{demo.url}/api/v1/notify/{audience}"
    headers = {"Authorization": f"Bearer {demo.token}", "Content-Type": "text/plain", **headers}
    urllib.request.urlopen(urllib.request.Request(address, data=text.encode(), headers=headers)).close()


def api(demo: Demo, path: str) -> Any:
    request = urllib.request.Request(f"{demo.url}/api/v1/{path}", headers={"Authorization": f"Bearer {demo.token}"})
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def sweep(demo: Demo) -> None:
    """What beat does every five seconds; this waits for a worker, however long it takes to start."""
    Celery(broker=demo.site.environment["REDIS_URL"], set_as_current=False).send_task("workers.tasks.broadcasts_due", queue="bulk")


def row(page: Page, text: str, *, rows: str = "#inbox-list") -> Any:
    return page.locator(f"{rows} > li", has_text=text)


def badge(page: Page, count: int) -> None:
    expect(page.locator("#badge")).to_have_attribute("data-count", str(count))


def clear(page: Page) -> None:
    """Begin with an inbox in which everything is read."""
    page.goto("/inbox/")
    live(page)
    page.get_by_role("button", name="Mark all as read").first.click()
    expect(page.locator("#inbox-list > li.unread")).to_have_count(0)
    badge(page, 0)


def test_two_browsers_of_one_person_show_the_same_at_every_step(demo: Demo, new_page: NewPage) -> None:
    first, second = new_page("charlie"), new_page("charlie")
    clear(first)
    second.goto("/")
    live(second)
    # Quietly: a toast that somebody looks at is seen after two seconds.
    tell(demo, "charlie", "Storage is down\nNo answer for 30 s.", Priority="low", Key="storage")
    for page, rows in ((first, "#inbox-list"), (second, "#home-list"), (second, "#try-list")):
        expect(page.locator(f"{rows} > li").first).to_contain_text("Storage is down")
    for page in (first, second):
        badge(page, 1)
        expect(page.locator("#rail-inbox")).to_have_attribute("data-count", "1")
        assert page.title().startswith("(1) ")
    # Opening the panel is seeing: the badge goes in both; the row stays unread.
    second.locator("#bell").click()
    expect(second.locator("#bell-list > li").first).to_contain_text("Storage is down")
    badge(first, 0)
    expect(row(first, "Storage is down")).to_have_class("row unread")
    # Read in one is read in the other, the panel included.
    row(first, "Storage is down").hover()
    row(first, "Storage is down").get_by_role("button", name="Mark as read").click()
    expect(row(second, "Storage is down", rows="#home-list")).to_have_class("row")
    expect(row(second, "Storage is down", rows="#bell-list")).to_have_class("row")
    # The same key replaces: one row, on top, unread again.
    tell(demo, "charlie", "In between")
    tell(demo, "charlie", "Storage is up again", Key="storage")
    expect(first.locator("#inbox-list > li").first).to_contain_text("Storage is up again")
    expect(row(first, "Storage is down")).to_have_count(0)
    expect(second.locator("#home-list > li").first).to_contain_text("Storage is up again")
    # Withdrawn leaves both.
    request = urllib.request.Request(
        f"{demo.url}/api/v1/notifications/by-key/storage", method="DELETE", headers={"Authorization": f"Bearer {demo.token}"}
    )
    urllib.request.urlopen(request).close()
    expect(row(first, "Storage is up again")).to_have_count(0)
    expect(row(second, "Storage is up again", rows="#home-list")).to_have_count(0)


CLOCK = "performance.timeOrigin + performance.now()"
# The second page notes when each of the three first shows what the click in the first one means.
WATCH = """title => {
    const first = window.firstShown = {};
    const note = () => {
        const row = [...document.querySelectorAll("#home-list > li")].find(each => each.textContent.includes(title));
        if (document.querySelector("#badge").dataset.count === "0") first.badge ??= CLOCK;
        if (!document.title.startsWith("(")) first.title ??= CLOCK;
        if (row && !row.classList.contains("unread")) first.state ??= CLOCK;
    };
    new MutationObserver(note).observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
}""".replace("CLOCK", CLOCK)


def test_a_click_in_one_browser_is_the_state_badge_and_title_of_the_other_within_a_second(demo: Demo, new_page: NewPage) -> None:
    first, second = new_page("charlie"), new_page("charlie")
    clear(first)
    second.goto("/")
    live(second)
    first.evaluate(f"addEventListener('click', () => {{ window.clickedAt = {CLOCK}; }}, true)")
    delays = []
    # The best of three: a machine that is busy in one moment says nothing, a delay that is always there does.
    while len(delays) < 3 and min(delays, default=9999) > 1000:
        title = f"Agree {len(delays)}"
        tell(demo, "charlie", title, Priority="low")
        expect(row(first, title)).to_have_class("row unread")
        expect(row(second, title, rows="#home-list")).to_have_class("row unread")
        badge(second, 1)
        expect(second).to_have_title(re.compile(r"^\(1\) "))
        second.evaluate(WATCH, title)
        row(first, title).hover()
        row(first, title).get_by_role("button", name="Mark as read").click()
        expect(row(second, title, rows="#home-list")).to_have_class("row")
        expect(second).not_to_have_title(re.compile(r"^\("))
        badge(second, 0)
        shown = second.evaluate("window.firstShown")
        assert shown.keys() == {"badge", "title", "state"}
        delays.append(max(shown.values()) - first.evaluate("window.clickedAt"))
    assert 0 < min(delays) <= 1000, delays


def test_what_arrives_while_the_panel_is_open_is_seen_when_it_closes(demo: Demo, new_page: NewPage) -> None:
    page = new_page("charlie")
    clear(page)
    page.locator("#bell").click()
    expect(page.locator("#bell-panel")).to_be_visible()
    # Its list is there: what opening it marked as seen was marked before this comes.
    expect(page.locator("#bell-list > li").first).to_be_visible()
    tell(demo, "charlie", "While you look", Priority="low")
    expect(page.locator("#bell-list > li").first).to_contain_text("While you look")
    badge(page, 1)
    page.keyboard.press("Escape")
    badge(page, 0)


def test_archiving_takes_a_row_away_everywhere_and_moving_it_back_returns_it(demo: Demo, new_page: NewPage) -> None:
    first, second = new_page("charlie"), new_page("charlie")
    clear(first)
    tell(demo, "charlie", "Archive me")
    second.goto("/inbox/")
    live(second)
    row(first, "Archive me").hover()
    row(first, "Archive me").get_by_role("button", name="Archive").click()
    for page in (first, second):
        expect(row(page, "Archive me")).to_have_count(0)
    first.goto("/inbox/?tab=archived")
    live(first)
    found = row(first, "Archive me", rows="#inbox-found")
    found.hover()
    found.get_by_role("button", name="Move to the inbox").click()
    expect(row(first, "Archive me", rows="#inbox-found")).to_have_count(0)
    expect(row(second, "Archive me")).to_be_visible()
    # Put off from the archive and taken back, it is in the archive again, on every page.
    first.locator("#undo").get_by_role("button", name="Undo").click()
    expect(row(second, "Archive me")).to_have_count(0)
    found.hover()
    found.get_by_role("button", name="Snooze").click()
    first.get_by_role("button", name="1 hour").click()
    expect(found).to_have_count(0)
    first.locator("#undo").get_by_role("button", name="Undo").click()
    expect(found).to_be_visible()
    found.hover()
    found.get_by_role("button", name="Move to the inbox").click()
    expect(row(second, "Archive me")).to_be_visible()


def test_scrolling_brings_older_rows_and_marking_all_reaches_every_page(demo: Demo, new_page: NewPage) -> None:
    first, second = new_page("bob"), new_page("bob")
    for n in range(35):
        tell(demo, "bob", f"Burst {n}", Priority="low")
    for page in (first, second):
        page.goto("/inbox/")
        live(page)
    expect(first.locator("#inbox-list > li")).to_have_count(30)
    first.locator("#inbox-more").scroll_into_view_if_needed()
    expect(row(first, "Burst 0")).to_be_visible()
    texts = [text for text in first.locator("#inbox-list .title-link").all_text_contents() if text.startswith("Burst")]
    assert texts == [f"Burst {n}" for n in reversed(range(35))]
    first.get_by_role("button", name="Mark all as read").first.click()
    for page in (first, second):
        expect(page.locator("#inbox-list > li.unread")).to_have_count(0)


def test_hostile_texts_stay_texts(demo: Demo, new_page: NewPage) -> None:
    page = new_page("charlie")
    clear(page)
    texts = [
        "<img src=x onerror=alert(1)>",
        '<b hx-get="/x" hx-trigger="load">',
        "</hx-upsert><hx-partial hx-target='#main' hx-swap='delete'>",
        "<title>x",
    ]
    for text in texts:
        tell(demo, "charlie", text)
        expect(page.locator("#inbox-list .title-link").first).to_have_text(text)
    expect(page.locator("#main")).to_be_visible()
    page.reload()
    assert page.locator("#inbox-list .title-link").all_text_contents()[: len(texts)] == texts[::-1]


def test_a_broadcast_from_the_console_reaches_every_open_page_and_every_inbox(demo: Demo, new_page: NewPage) -> None:
    sender, others = new_page("alice"), [new_page("bob"), new_page("charlie")]
    for page, address in zip(others, ("/", "/rooms/lobby/"), strict=True):
        page.goto(address)
        live(page)
    before = int(str(others[0].locator("#badge").get_attribute("data-count")))
    sender.goto("/admin/signalbox_notifications/broadcast/add/")
    sender.get_by_label("Title").fill("Maintenance at 22:00")
    expect(sender.locator("#send")).to_have_text("Send to 3 people")
    sender.locator("#send").click()
    for page in others:
        expect(page.locator("#toasts .toast", has_text="Maintenance at 22:00")).to_be_visible()
    expect(row(others[0], "Maintenance at 22:00", rows="#home-list")).to_be_visible()
    # Nobody has written a row yet: a page that is opened now has it all the same.
    others[1].goto("/inbox/")
    expect(row(others[1], "Maintenance at 22:00")).to_be_visible()
    live(sender)
    pk = sender.url.rstrip("/").split("/")[-2]
    sweep(demo)
    with demo.site.worker():
        wait_until(lambda: api(demo, f"broadcasts/{pk}")["state"] == "done", described="the worker to write the rows", patience=120)
        expect(sender.locator("#broadcast")).to_contain_text("3 of 3")
        expect(sender.locator("#broadcast")).to_contain_text("Done")
    # He has opened no inbox: his badge counts again when his row is written.
    badge(others[0], before + 1)


def test_the_inbox_by_keyboard_with_snooze_and_undo(demo: Demo, new_page: NewPage) -> None:
    page, other = new_page("charlie"), new_page("charlie")
    clear(page)
    for name in ("Key three", "Key two", "Key one"):
        tell(demo, "charlie", name, Priority="low")
    expect(page.locator("#inbox-list > li").first).to_contain_text("Key one")
    other.goto("/inbox/")
    live(other)
    page.keyboard.press("j")
    expect(row(page, "Key one").locator(".title-link")).to_be_focused()
    page.keyboard.press("j")
    expect(row(page, "Key two").locator(".title-link")).to_be_focused()
    page.keyboard.press("k")
    expect(row(page, "Key one").locator(".title-link")).to_be_focused()
    page.keyboard.press("j")
    # The row that moved up takes the focus, so that e e e works.
    page.keyboard.press("e")
    for one in (page, other):
        expect(row(one, "Key two")).to_have_count(0)
    expect(row(page, "Key three").locator(".title-link")).to_be_focused()
    page.keyboard.press("Shift+I")
    expect(row(other, "Key three")).to_have_class("row")
    page.keyboard.press("Shift+U")
    expect(row(other, "Key three")).to_have_class("row unread")
    # The row goes with the news, which may come before the answer that offers Undo.
    expect(page.locator("#undo")).to_be_visible()
    page.keyboard.press("z")
    for one in (page, other):
        expect(row(one, "Key two")).to_be_visible()
    expect(page.locator("#undo")).to_have_count(0)
    row(page, "Key one").locator(".title-link").focus()
    page.keyboard.press("b")
    page.get_by_role("button", name="1 hour").click()
    for one in (page, other):
        expect(row(one, "Key one")).to_have_count(0)
    page.keyboard.press("?")
    expect(page.locator("#keys-dialog")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.get_by_label("Filter the inbox")).to_be_focused()
    # On the unread tab a row that is read goes, and the focus to the one that moved up.
    page.goto("/inbox/?tab=unread")
    live(page)
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(row(page, "Key three").locator(".title-link")).to_be_focused()
    page.keyboard.press("k")
    page.keyboard.press("Shift+I")
    expect(row(page, "Key two")).to_be_hidden()
    expect(row(page, "Key three").locator(".title-link")).to_be_focused()
    page.goto("/inbox/?tab=snoozed")
    live(page)
    expect(row(page, "Key one", rows="#inbox-found")).to_be_visible()
    page.get_by_role("button", name="End all snoozes").click()
    expect(row(other, "Key one")).to_be_visible()
    # Undo fills this list again, and takes the row off the other page.
    expect(page.locator("#undo")).to_be_visible()
    page.keyboard.press("z")
    expect(row(page, "Key one", rows="#inbox-found")).to_be_visible()
    expect(row(other, "Key one")).to_have_count(0)


def test_undo_is_offered_beside_as_many_toasts_as_are_shown(demo: Demo, new_page: NewPage) -> None:
    page = new_page("charlie")
    clear(page)
    page.reload()  # without what clearing said
    live(page)
    tell(demo, "charlie", "Flood 0")
    page.locator("#toasts .toast").hover()  # what is pointed at stays
    for number in (1, 2, 3):
        tell(demo, "charlie", f"Flood {number}")
    expect(page.locator("#toasts .more-toasts")).to_have_text("+1 more")
    # Not one of the three: their places stay taken.
    row(page, "Flood 3").locator(".title-link").focus()
    page.keyboard.press("e")
    expect(row(page, "Flood 3")).to_have_count(0)
    expect(page.locator("#undo")).to_be_visible()
    page.keyboard.press("z")
    expect(row(page, "Flood 3")).to_be_visible()


def test_a_toast_before_her_eyes_is_seen_on_all_devices_and_stays_unread(demo: Demo, new_page: NewPage) -> None:
    page, other = new_page("bob"), new_page("bob")
    clear(page)
    other.goto("/inbox/")
    live(other)
    # Nobody has touched the other page: there it is not seen.
    page.mouse.move(200, 200)
    tell(demo, "bob", "Look here")
    expect(page.locator("#toasts .toast", has_text="Look here")).to_be_visible()
    for one in (page, other):
        badge(one, 0)
        expect(row(one, "Look here")).to_have_class("row unread")


def test_all_that_is_listed_is_put_off_until_a_time_of_ones_own_and_taken_back_everywhere(demo: Demo, new_page: NewPage) -> None:
    page, other = new_page("charlie", allowed=lambda text: "422" in text), new_page("charlie")
    clear(page)
    for number in (1, 2, 3):
        tell(demo, "charlie", f"Put off {number}", Priority="low", Category="later")
    other.goto("/")
    live(other)
    badge(other, 3)
    expect(other).to_have_title(re.compile(r"^\(3\) "))
    page.goto("/inbox/?q=category:later+is:unread")
    live(page)
    expect(page.locator("#inbox-found > li")).to_have_count(3)
    page.get_by_role("button", name="Snooze all").click()
    dialog = page.locator("#snooze-all-dialog")
    own = dialog.get_by_label("Or until")
    # The browser itself asks for a time, and for one that lies ahead; the server says so too.
    dialog.get_by_role("button", name="Snooze", exact=True).click()
    expect(dialog).to_be_visible()
    own.evaluate("field => field.removeAttribute('min')")
    own.fill("2020-01-01T10:00")
    dialog.get_by_role("button", name="Snooze", exact=True).click()
    expect(dialog.get_by_role("alert")).to_have_text("That time has passed.")
    own.fill(page.evaluate("new Date(Date.now() + 40 * 86400000).toISOString().slice(0, 16)"))
    dialog.get_by_role("button", name="Snooze", exact=True).click()
    expect(dialog).to_be_hidden()
    expect(page.locator("#inbox-found > li")).to_have_count(0)
    badge(other, 0)
    expect(row(other, "Put off 3", rows="#home-list")).to_have_count(0)
    assert not other.title().startswith("(")
    # Undo counts down, and says how many it took back.
    undo = page.locator("#undo").get_by_role("button", name="Undo")
    expect(page.locator("#undo [data-left]")).to_have_text(re.compile("^[1-9]$"))
    undo.click()
    expect(page.locator("#undone")).to_contain_text("Taken back: 3")
    # She has dealt with them: they are unread again, and nothing new.
    expect(row(other, "Put off 3", rows="#home-list")).to_have_class("row unread")
    expect(other.locator("#rail-inbox")).to_have_attribute("data-count", "3")
    badge(other, 0)


def test_a_button_is_pressed_from_a_row_and_both_pages_see_what_it_did(demo: Demo, new_page: NewPage) -> None:
    page, other = new_page("charlie"), new_page("charlie")
    clear(page)
    other.goto("/")
    live(other)
    again = [{"label": "Again, please", "url": "/inbox/try/", "method": "post"}]
    said = {"audience": "charlie", "title": "Press below", "priority": "low", "actions": again}
    headers = {"Authorization": f"Bearer {demo.token}", "Content-Type": "application/json"}
    address = f"{demo.url}/api/v1/notifications"
    urllib.request.urlopen(urllib.request.Request(address, data=json.dumps(said).encode(), headers=headers)).close()
    row(page, "Press below").get_by_role("button", name="Again, please").click()
    for one, rows in ((page, "#inbox-list"), (other, "#home-list")):
        expect(row(one, "Here it is", rows=rows)).to_have_class("row unread")
        expect(row(one, "Press below", rows=rows)).to_have_class("row")
    expect(page.locator("#live-polite")).to_have_text("Again, please: done")
    assert page.url.endswith("/inbox/")


def test_a_button_whose_request_failed_says_so_and_leaves_the_list_as_it_was(demo: Demo, new_page: NewPage) -> None:
    page = new_page("bob", allowed=lambda text: any(word in text for word in ("503", "500", "ERR_FAILED", "Failed to fetch")))
    clear(page)
    tell(demo, "bob", "Still here", Priority="low")
    expect(row(page, "Still here")).to_be_visible()
    failed, everything = page.locator("#not-done"), page.get_by_role("button", name="Archive all")
    busy = "<!doctype html><html><body><main><h1>Busy</h1></main></body></html>"

    def says_so() -> None:
        expect(failed).to_contain_text("That did not work.")
        expect(row(page, "Still here")).to_be_visible()
        failed.evaluate("toast => toast.remove()")

    page.route("**/inbox/all/archived/**", lambda route: route.fulfill(status=503, content_type="text/html", body=busy))
    everything.click()
    says_so()
    page.route("**/inbox/all/archived/**", lambda route: route.abort())
    everything.click()
    says_so()
    page.route("**/archive/", lambda route: route.fulfill(status=500, content_type="text/html", body=busy))
    row(page, "Still here").hover()
    row(page, "Still here").get_by_role("button", name="Archive").click()
    says_so()
    # Her session has ended: no sign-in page inside the inbox.
    page.unroute("**/inbox/all/archived/**")
    page.context.clear_cookies(name=re.compile("^sessionid"))
    everything.click()
    says_so()


def test_a_tab_of_a_category_shows_what_arrives_for_it_and_counts_what_is_unread(demo: Demo, new_page: NewPage) -> None:
    page = new_page("charlie")
    clear(page)
    page.goto("/inbox/?tab=mention")
    live(page)
    tell(demo, "charlie", "Disk is full", Category="alert", Priority="low")
    tell(demo, "charlie", "bob mentioned you", Category="mention", Priority="low")
    expect(row(page, "bob mentioned you")).to_be_visible()
    expect(row(page, "Disk is full")).to_be_hidden()
    for tab, count in (("alert", "1"), ("mention", "1"), ("unread", "2")):
        expect(page.locator(f"#inbox-{tab}")).to_have_text(count)
    page.get_by_role("button", name="Mark all as read").first.click()
    expect(page.locator("#inbox-mention")).to_have_text("")
    expect(page.locator("#inbox-alert")).to_have_text("1")
