"""Rooms in Chromium: the lines of the systems before, word for word, and people who talk."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.support import browser as browsers
from tests.support import servers

pytestmark = pytest.mark.browser

GREETING = '{"type": "connection_established", "message": "You are now connected!"}'
# The interface's lines name port 8000; Chromium is told where that is.
LINE_A = """const socket = new WebSocket("ws://127.0.0.1:8000/ws/chat/"); socket.onmessage = (e) => console.log(e.data); socket.onopen = () => socket.send(JSON.stringify({message: "Hello Django"}));"""  # noqa: E501
LINE_C = """let url = `ws://${window.location.host}/ws/socker-server/`; const chatSocket = new WebSocket(url); chatSocket.onmessage = function(e){ let data = JSON.parse(e.data); console.log('Data', data) }"""  # noqa: E501
LONG_ROOM = """
from notifications.rooms import actions, people
guest = people.Person("guest:1", "guest-1111")
room = actions.open_room("long", title="Long", access="guests", owner=guest)
for number in range(120):
    actions.post_message(room, author=guest, text=f"line {number:03}")
"""
DEN = """
from django.contrib.auth import get_user_model
from notifications.rooms import actions, people
alice = people.Person.of_user(get_user_model().objects.get(username="alice"))
actions.open_room("den", title="Den", access="guests", owner=alice)
"""
ROOT = "http://127.0.0.1:8000"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> servers.Site:
    site = servers.make_site(tmp_path_factory.mktemp("rooms"), ROOMS_OPEN="1")
    site.manage("demo")
    return site


@pytest.fixture(scope="module")
def web(site: servers.Site) -> Iterator[servers.Web]:
    """One process, no Redis anywhere."""
    with site.web(ALLOWED_ORIGINS=ROOT) as started:
        yield started


@pytest.fixture(scope="module")
def chromium(web: servers.Web) -> Iterator[Browser]:
    with browsers.chromium(f"--host-resolver-rules=MAP 127.0.0.1:8000 127.0.0.1:{web.port}") as started:
        yield started


@pytest.fixture
def new_page(chromium: Browser, site: servers.Site) -> Iterator[Callable[..., Page]]:
    """A page of a new browser: of a guest, or of somebody who signs in."""
    opened: list[tuple[Any, browsers.Watched]] = []

    def make(name: str = "", *, root: str = ROOT, allowed: str = "no error", **more: Any) -> Page:
        context = browsers.new_context(chromium, reduced_motion="reduce", **more)
        opened.append((context, browsers.Watched(context, allowed=lambda text: allowed in text)))
        page = context.new_page()
        if name:
            password = json.loads((site.folder / "demo.json").read_text())["passwords"][name]
            browsers.sign_in(page, root, name=name, password=password)
        return page

    yield make
    for context, watched in opened:
        watched.check(*context.pages)
        context.close()


def run(page: Page, line: str) -> list[Any]:
    """Run a line in the page; what it logs comes into the list."""
    logged: list[Any] = []
    page.on("console", lambda message: logged.append([argument.json_value() for argument in message.args]))
    page.evaluate(f"() => {{ {line}; window.lineSocket = typeof socket === 'undefined' ? chatSocket : socket; }}")
    return logged


def wait_for(page: Page, logged: list[Any], count: int) -> list[Any]:
    for _ in range(200):
        if len(logged) >= count:
            return logged
        page.wait_for_timeout(50)
    raise AssertionError(f"{count} lines were not logged: {logged}")


@pytest.mark.parametrize("name", ["", "alice"])
def test_line_a_logs_the_greeting_and_the_bare_answer(new_page: Callable[..., Page], name: str) -> None:
    page = new_page(name)
    page.goto(f"{ROOT}/rooms/")
    logged = run(page, LINE_A)
    assert wait_for(page, logged, 2) == [[GREETING], ["You said: Hello Django"]]


def test_line_b_answers_bare_text_with_an_object(new_page: Callable[..., Page]) -> None:
    page = new_page()
    page.goto(f"{ROOT}/rooms/")
    logged = run(page, LINE_A)
    wait_for(page, logged, 2)
    page.evaluate("""window.lineSocket.send("Hello Django")""")
    assert wait_for(page, logged, 3)[2] == ['{"message": "Hello Django"}']


def test_line_c_logs_the_greeting(new_page: Callable[..., Page]) -> None:
    page = new_page()
    page.goto(f"{ROOT}/rooms/")
    logged = run(page, LINE_C)
    assert wait_for(page, logged, 1) == [["Data", json.loads(GREETING)]]


def test_line_d_talks_between_a_guest_and_a_person(new_page: Callable[..., Page]) -> None:
    line = """const socket = new WebSocket("ws://127.0.0.1:8000/ws/chat/tutorial/"); socket.onmessage = (e) => console.log(e.data);"""
    guest, alice = new_page(), new_page("alice")
    pages: dict[Page, list[Any]] = {guest: [], alice: []}
    for page in pages:
        page.goto(f"{ROOT}/rooms/")
        pages[page] = run(page, line)
        wait_for(page, pages[page], 1)
    guest.evaluate("""window.lineSocket.send(JSON.stringify({message: "from the guest"}))""")
    wait_for(alice, pages[alice], 2)
    alice.evaluate("""window.lineSocket.send(JSON.stringify({message: "from alice"}))""")
    heard = [[json.loads(entry[0]) for entry in wait_for(page, logged, 3)] for page, logged in pages.items()]
    assert heard[0] == heard[1]
    assert [message.get("user", "")[:6] for message in heard[0]] == ["", "guest-", "alice"]


# --- the pages ---


def say(page: Page, text: str) -> None:
    page.locator("#say").fill(text)
    page.locator("#say").press("Enter")


def texts(page: Page) -> list[str]:
    return page.locator("#messages .msg .text").all_inner_texts()


def test_two_people_and_a_guest_talk(new_page: Callable[..., Page]) -> None:
    alice, bob, guest = new_page("alice"), new_page("bob"), new_page()
    pages = (alice, bob, guest)
    for page in pages:
        page.goto(f"{ROOT}/rooms/lobby/")
    for number, page in enumerate(pages):
        say(page, f"talk {number}")
        for other in pages:
            expect(other.get_by_text(f"talk {number}", exact=True)).to_have_count(1)
    assert len({tuple(texts(page)) for page in pages}) == 1
    guest.reload()
    assert texts(guest) == texts(alice)


def test_the_composer_is_empty_and_in_focus_after_sending_and_says_it_once(new_page: Callable[..., Page]) -> None:
    page = new_page("bob")
    page.goto(f"{ROOT}/rooms/lobby/")
    for number in range(3):
        say(page, f"quick {number}")
        expect(page.get_by_text(f"quick {number}", exact=True)).to_have_count(1)
        expect(page.locator("#say")).to_have_value("")
        expect(page.locator("#say")).to_be_focused()


def test_what_is_said_while_the_server_is_dead_is_shown_at_once_kept_and_said_once(
    new_page: Callable[..., Page], site: servers.Site
) -> None:
    with site.web() as web:
        alice, guest = (new_page(name, root=web.url, allowed="net::ERR") for name in ("alice", ""))
        for page in (alice, guest):
            page.goto(f"{web.url}/rooms/lobby/")
        web.kill()
        for word in ("kept one", "kept two"):
            say(alice, word)
            expect(alice.locator("#outbox .msg.pending", has_text=word)).to_be_visible()
        expect(alice.locator("#outbox .note").first).to_contain_text("does not answer")
        web.start()
        for page in (alice, guest):
            expect(page.locator("#messages .msg .text", has_text="kept")).to_have_text(["kept one", "kept two"], timeout=30_000)
        expect(alice.locator("#outbox .msg")).to_have_count(0)

        # Stored, and the answer lost on the way: sent again under the same id, which says nothing twice.
        lost = []

        def lose(route: Route) -> None:
            if route.request.method == "POST" and not lost:
                status = route.fetch().status
                route.abort()
                lost.append(status)
            else:
                route.continue_()

        alice.context.route("**/rooms/lobby/messages/", lose)
        say(alice, "kept three")
        wait_for(alice, lost, 1)
        expect(alice.locator("#outbox .msg")).to_have_count(0)
        # Written, and the page reloaded before anything could be sent.
        alice.context.unroute("**/rooms/lobby/messages/")
        alice.context.route(
            "**/rooms/lobby/messages/", lambda route: route.abort() if route.request.method == "POST" else route.continue_()
        )
        say(alice, "kept four")
        expect(alice.locator("#outbox .msg")).to_have_count(1)
        alice.reload()
        expect(alice.locator("#outbox .msg", has_text="kept four")).to_be_visible()
        alice.context.unroute("**/rooms/lobby/messages/")
        words = ["kept one", "kept two", "kept three", "kept four"]
        for page in (alice, guest):
            expect(page.locator("#messages .msg .text", has_text="kept")).to_have_text(words, timeout=40_000)
        expect(alice.locator("#outbox .msg")).to_have_count(0)
        assert lost == [200]


def test_messages_are_grouped_by_author_under_a_rule_for_the_day(new_page: Callable[..., Page]) -> None:
    page = new_page("charlie")
    page.goto(f"{ROOT}/rooms/lobby/")
    say(page, "group one")
    expect(page.get_by_text("group one", exact=True)).to_have_count(1)
    say(page, "group two")
    second = page.locator(".msg", has_text="group two")
    expect(second).to_have_class("msg follows")
    expect(page.locator("#messages .day")).to_have_count(1)


def test_markup_is_shown_and_does_nothing(new_page: Callable[..., Page]) -> None:
    page = new_page()
    page.goto(f"{ROOT}/rooms/lobby/")
    say(page, '<img src=x onerror="document.title = 1"><b hx-get="/rooms/" hx-trigger="load">**bold**</b>')
    message = page.locator(".msg", has_text="onerror").last
    expect(message.locator("strong")).to_have_text("bold")
    expect(message.locator("img, b[hx-get]")).to_have_count(0)


def test_older_messages_come_above_in_order(new_page: Callable[..., Page], site: servers.Site) -> None:
    site.manage("shell", "-c", LONG_ROOM)
    page = new_page()
    page.goto(f"{ROOT}/rooms/long/")
    assert texts(page) == [f"line {number:03}" for number in range(70, 120)]
    for count in (100, 120):
        page.get_by_role("link", name="Load older").click()
        expect(page.locator("#messages .msg")).to_have_count(count)
    assert texts(page) == [f"line {number:03}" for number in range(120)]
    expect(page.get_by_role("link", name="Load older")).to_have_count(0)
    page.evaluate("scrollTo(0, 0)")
    other = new_page()
    other.goto(f"{ROOT}/rooms/long/")
    say(other, "something new")
    expect(page.get_by_role("button", name="1 new below")).to_be_visible()
    page.get_by_role("button", name="1 new below").click()
    expect(page.get_by_text("something new", exact=True)).to_be_in_viewport()


def test_presence_typing_reactions_and_a_guest_sent_out(new_page: Callable[..., Page], site: servers.Site) -> None:
    site.manage("shell", "-c", DEN)
    alice, guest = new_page("alice"), new_page("")
    for page in (alice, guest):
        page.goto(f"{ROOT}/rooms/den/")
    expect(alice.locator("#presence li", has_text="guest")).to_have_count(1)
    guest.locator("#say").press_sequentially("my word")
    expect(alice.locator("#typing span")).to_have_count(1)
    expect(guest.locator("#typing span")).to_have_count(0)
    guest.locator("#say").press("Enter")
    message = alice.locator(".msg", has_text="my word")
    expect(alice.locator("#message-menu")).to_be_hidden()
    message.hover()
    message.locator("[data-menu]").click()
    alice.locator("#message-menu [data-sign]").first.click()
    expect(guest.locator(".signs button")).to_have_attribute("aria-pressed", "false")
    message.hover()
    message.locator("[data-menu]").click()
    alice.locator("[data-delete]").click()
    expect(guest.locator(".msg")).to_have_count(0)


CLUB = """
from django.contrib.auth import get_user_model
from notifications.rooms import actions, people
from notifications.rooms.running import actions as running
person = {name: people.Person.of_user(get_user_model().objects.get(username=name)) for name in ("alice", "bob")}
room = actions.open_room("club", title="Club", access="guests", owner=person["alice"])
for number in range(70):
    actions.post_message(room, author=person["alice"], text=f"old {number:02}")
running.join(room, person["bob"])
"""


def test_unread_messages_names_and_reading_on_two_devices(new_page: Callable[..., Page], site: servers.Site) -> None:
    site.manage("shell", "-c", CLUB)
    directory, guest = new_page("bob"), new_page()
    directory.goto(f"{ROOT}/rooms/")
    expect(directory.get_by_role("listitem").filter(has_text="Club")).not_to_have_class(re.compile("unread"))
    before = str(directory.locator("#badge").get_attribute("data-count"))
    guest.goto(f"{ROOT}/rooms/club/")
    row = directory.get_by_role("listitem").filter(has_text="Club")
    expect(row).to_contain_text("Here: guest-")

    # Words for bob, his name completed with the keyboard.
    for number in range(3):
        say(guest, f"new {number}")
    guest.locator("#say").press_sequentially("look @b")
    expect(guest.get_by_role("option", name="@bob")).to_have_attribute("aria-selected", "true")
    guest.keyboard.press("Enter")
    expect(guest.locator("#say")).to_have_value("look @bob ")
    guest.keyboard.press("Enter")
    expect(guest.locator("#messages .mention")).to_have_text("@bob")
    expect(row.locator(".count")).to_contain_text("4")
    expect(directory.locator("#toasts")).to_contain_text("mentioned you in Club")
    expect(directory.locator("#badge")).to_have_attribute("data-count", str(int(before) + 1))

    # On another device: the line, the jump to it, and reading that empties the first one's count.
    phone = new_page("bob", width=390, height=260)
    phone.goto(f"{ROOT}/rooms/club/")
    expect(phone.locator("#messages .new-rule + .msg")).to_contain_text("new 0")
    expect(phone.locator("#jump")).to_contain_text("4 new")
    phone.locator("#jump").click()
    expect(phone.locator("#messages .new-rule")).to_be_in_viewport()
    phone.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    phone.bring_to_front()
    expect(row.locator(".count")).to_have_count(0)
    expect(directory.locator("#badge")).to_have_attribute("data-count", before)

    # Who is there, on a narrow screen, and away again with Escape.
    expect(phone.locator("#people")).to_be_hidden()
    phone.get_by_role("button", name="Who is here").click()
    expect(phone.locator("#members")).to_contain_text("bob")
    phone.keyboard.press("Escape")
    expect(phone.locator("#people")).to_be_hidden()


def test_who_is_banned_while_watching_is_shown_out_and_who_is_muted_is_told(new_page: Callable[..., Page], site: servers.Site) -> None:
    site.manage("shell", "-c", DEN.replace('"den"', '"cellar"'))
    alice, bob, guest = new_page("alice"), new_page("bob", allowed="status of 40"), new_page(allowed="status of 40")
    for page in (alice, bob, guest):
        page.goto(f"{ROOT}/rooms/cellar/")
    say(bob, "words of bob")
    say(guest, "words of a guest")

    def moderate(words: str, deed: str) -> None:
        message = alice.locator("#messages .msg", has_text=words)
        message.hover()
        message.locator("[data-menu]").click()
        alice.get_by_role("button", name=deed, exact=True).click()
        alice.wait_for_url(f"{ROOT}/rooms/cellar/settings/")
        alice.goto(f"{ROOT}/rooms/cellar/")

    moderate("words of bob", "Mute for ten minutes")
    say(bob, "never said")
    expect(bob.locator("#outbox .failed")).to_contain_text("not write for now")
    bob.get_by_role("button", name="Take back").click()
    expect(bob.locator("#say")).to_have_value("never said")
    moderate("words of a guest", "Ban")
    expect(guest.locator("#log")).to_have_attribute("data-refused", "not_found")
    expect(guest.locator("#log .msg")).to_have_count(0)
    say(alice, "among us")
    expect(bob.get_by_text("among us", exact=True)).to_have_count(1)
    expect(guest.get_by_text("among us", exact=True)).to_have_count(0)
    guest.reload()
    expect(guest.get_by_role("heading", name="not found")).to_be_visible()


def test_the_echo_page_answers_by_hand(new_page: Callable[..., Page]) -> None:
    page = new_page()
    page.goto(f"{ROOT}/rooms/echo/")
    expect(page.locator("#echo-state")).to_have_text("Connected")
    page.get_by_role("button", name="Send as JSON").click()
    expect(page.get_by_text("You said: Hello Django")).to_have_count(1)
    page.get_by_role("button", name="Send as text").click()
    expect(page.locator("#echo-log .in").last).to_contain_text('{"message": "Hello Django"}')
