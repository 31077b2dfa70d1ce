"""live.js in Chromium against a server played by hand: every order of frames, answers and swaps that can hurt."""

import queue
import random
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.fake_live import EPOCH, FakeLive, Talk, page_with, region
from tests.support.servers import wait_until

BOARD = "dashboard:7"


@pytest.fixture
def fake() -> Iterator[FakeLive]:
    with FakeLive() as server:
        yield server


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A tab that fails the test when a script fails or the CSP was broken."""
    context = browser.new_context()
    page = context.new_page()
    trouble: list[str] = []
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("console", lambda message: trouble.append(message.text) if "Content Security Policy" in message.text else None)
    yield page
    context.close()
    assert not trouble


def tile(pk: int, text: str) -> str:
    return f'<p id="w-{pk}">{text}</p>'


def fresh(pk: int, text: str) -> str:
    """A pushed tile."""
    return f'<p id="w-{pk}" hx-swap-oob="outerMorph">{text}</p>'


def line(pk: int) -> str:
    """A pushed line of a list."""
    return f'<hx-partial hx-target="#list" hx-swap="beforeend"><li>{pk}</li></hx-partial>'


def board(offset: int, *tiles: str) -> str:
    return region(BOARD, offset, "".join(tiles) + '<ol id="list"></ol>')


def open_board(fake: FakeLive, page: Page, *, answered: bool = True) -> Talk:
    """A board at offset 41 with one tile, connected."""
    fake.pages["/"] = page_with(board(41, tile(1, "old")))
    page.goto(fake.url)
    talk = fake.socket()
    if answered:
        talk.answer()
        live(page)
    return talk


def live(page: Page) -> None:
    expect(page.locator("html")).to_have_attribute("data-live-state", "live")


def shows(page: Page, selector: str, text: str) -> None:
    expect(page.locator(selector)).to_have_text(text)


def test_the_first_frame_names_every_channel_at_its_smallest_position(fake: FakeLive, page: Page) -> None:
    fake.pages["/"] = page_with(region(BOARD, 44, "", tag="div") + region(BOARD, 41, "", tag="aside") + region("user:7", 12, ""))
    page.goto(fake.url)
    assert fake.socket().resume == {"do": "resume", "at": {BOARD: f"{EPOCH}:41", "user:7": f"{EPOCH}:12"}}


def test_a_frame_is_shown_once_and_what_comes_twice_is_dropped(fake: FakeLive, page: Page) -> None:
    talk = open_board(fake, page)
    talk.push(BOARD, 41, 42, line(42))
    talk.push(BOARD, 41, 42, line(42))
    talk.push(BOARD, 40, 42, line(42))
    talk.push(BOARD, 42, 43, line(43))
    shows(page, "#list", "4243")


def test_a_range_that_begins_before_us_and_ends_behind_us_is_applied(fake: FakeLive, page: Page) -> None:
    talk = open_board(fake, page)
    talk.push(BOARD, 39, 45, line(45))
    talk.push(BOARD, 44, 45, line(45))
    talk.push(BOARD, 45, 46, line(46))
    shows(page, "#list", "4546")


@pytest.mark.parametrize("replay_first", [False, True])
def test_a_gap_is_asked_for_and_nothing_is_lost_or_doubled(fake: FakeLive, page: Page, replay_first: bool) -> None:
    talk = open_board(fake, page)
    talk.push(BOARD, 42, 43, line(43))
    talk.push(BOARD, 43, 44, line(44))
    question = talk.hears("subscribe")
    assert question["at"] == {BOARD: f"{EPOCH}:41"}
    if not replay_first:
        talk.answer(number=question["id"], dashboard=44)
    talk.push(BOARD, 41, 44, line(42) + line(43) + line(44))
    if replay_first:
        talk.answer(number=question["id"], dashboard=44)
    talk.push(BOARD, 44, 45, line(45))
    shows(page, "#list", "42434445")


def test_frames_before_the_answer_to_resume_wait_for_it(fake: FakeLive, page: Page) -> None:
    talk = open_board(fake, page, answered=False)
    talk.push(BOARD, 41, 42, line(42))
    talk.answer(dashboard=42)
    talk.push(BOARD, 42, 43, line(43))
    shows(page, "#list", "4243")


def test_an_unrecoverable_region_is_fetched_while_frames_wait(fake: FakeLive, page: Page) -> None:
    gate = fake.gate("/region/")
    fake.pages["/region/"] = board(60, tile(1, "at 60"))
    talk = open_board(fake, page, answered=False)
    talk.answer(recovered=False, dashboard=58)
    request = fake.asks("/region/")
    assert request.headers["Live-Refetch"] == "1"
    talk.push(BOARD, 58, 60, fresh(1, "at 60, again") + line(60))
    talk.push(BOARD, 60, 61, line(61))
    gate.set()
    shows(page, "#list", "61")
    shows(page, "#w-1", "at 60")


def test_a_region_fetched_too_early_is_completed_from_its_position(fake: FakeLive, page: Page) -> None:
    fake.pages["/region/"] = board(50, tile(1, "at 50"))
    talk = open_board(fake, page, answered=False)
    talk.answer(recovered=False, dashboard=58)
    question = talk.hears("subscribe")
    assert question["at"] == {BOARD: f"{EPOCH}:50"}
    talk.answer(number=question["id"], dashboard=58)
    talk.push(BOARD, 50, 58, line(58))
    shows(page, "#list", "58")


def test_another_epoch_fetches_the_region_and_goes_on_in_it(fake: FakeLive, page: Page) -> None:
    fake.pages["/region/"] = region(BOARD, 3, '<ol id="list"></ol>', epoch="beef")
    talk = open_board(fake, page)
    talk.push(BOARD, 3, 4, line(4), epoch="beef")
    talk.push(BOARD, 4, 5, line(5), epoch="beef")
    shows(page, "#list", "45")


def test_frames_of_an_epoch_that_is_over_do_not_fetch_the_region_for_ever(fake: FakeLive, page: Page) -> None:
    """The region came from a process that knew the new epoch, frames from one that did not yet: each of them was fetched for again."""
    fake.pages["/region/"] = region(BOARD, 41, '<p id="new"></p><ol id="list"></ol>', epoch="beef")
    talk = open_board(fake, page)
    answered = fake.gate("/region/")
    talk.say(signal="resync", channels=[BOARD])
    fake.asks("/region/")
    for end in (42, 43, 44):
        talk.push(BOARD, end - 1, end, line(end))
    talk.push(BOARD, 41, 42, line(42), epoch="beef")
    answered.set()
    shows(page, "#list", "42")
    talk.push(BOARD, 44, 45, line(45))
    fake.asks("/region/")
    with suppress(queue.Empty):
        while True:
            assert fake.asked.get(timeout=1).path != "/region/"


def test_what_has_no_region_to_fetch_goes_on_in_the_new_epoch(fake: FakeLive, page: Page) -> None:
    fake.pages["/"] = page_with(f'<ol id="list" data-channel="user:7" data-position="{EPOCH}:12"></ol>')
    page.goto(fake.url)
    talk = fake.socket()
    talk.answer()
    talk.push("user:7", 3, 4, line(4), epoch="beef")
    talk.push("user:7", 4, 5, line(5), epoch="beef")
    shows(page, "#list", "45")


def test_a_tile_that_is_not_on_the_page_fetches_the_region(fake: FakeLive, page: Page) -> None:
    fake.pages["/region/"] = board(43, tile(1, "one"), tile(2, "two"))
    talk = open_board(fake, page)
    talk.push(BOARD, 41, 42, fresh(2, "two"))
    talk.push(BOARD, 42, 43, line(43))
    talk.push(BOARD, 43, 44, line(44))
    shows(page, "#w-2", "two")
    shows(page, "#list", "44")


def test_an_optional_target_that_is_not_on_the_page_is_no_matter(fake: FakeLive, page: Page) -> None:
    talk = open_board(fake, page)
    upsert = '<hx-upsert hx-target="#nowhere"><li id="m-5">five</li></hx-upsert>'
    partial = '<hx-partial hx-target="#nowhere" hx-swap="beforeend"><li>six</li></hx-partial>'
    talk.push(BOARD, 41, 42, upsert + partial + '<i id="gone" hx-swap-oob="delete"></i>')
    talk.push(BOARD, 42, 43, line(43))
    shows(page, "#list", "43")
    assert "/region/" not in {request.path for request in fake.asked.queue}


def test_a_frame_without_range_never_fetches_and_never_moves(fake: FakeLive, page: Page) -> None:
    talk = open_board(fake, page)
    talk.say(channel=BOARD, html=fresh(9, "typing") + line(1))
    talk.push(BOARD, 41, 42, line(42))
    shows(page, "#list", "142")
    assert "/region/" not in {request.path for request in fake.asked.queue}


def test_a_resync_signal_fetches_every_region_of_the_channel(fake: FakeLive, page: Page) -> None:
    fake.pages["/"] = page_with(
        board(41, tile(1, "old")) + region(BOARD, 41, "old", tag="aside", refetch="/aside/").replace('id="dashboard-7"', 'id="aside"')
    )
    fake.pages["/region/"] = board(50, tile(1, "new"))
    fake.pages["/aside/"] = region(BOARD, 48, "new", tag="aside", refetch="/aside/").replace('id="dashboard-7"', 'id="aside"')
    page.goto(fake.url)
    talk = fake.socket()
    talk.answer()
    talk.say(signal="resync", channels=[BOARD])
    shows(page, "#aside", "new")
    shows(page, "#w-1", "new")
    talk.push(BOARD, 48, 49, line(49))  # the smallest of the positions counts
    shows(page, "#list", "49")


def test_a_refetch_that_fails_is_tried_again(fake: FakeLive, page: Page) -> None:
    tries: list[int] = []

    def flaky(_: object) -> str:
        tries.append(1)
        return "<p>no region in here</p>" if len(tries) < 3 else board(50, tile(1, "at last"))

    fake.pages["/region/"] = flaky
    open_board(fake, page).say(signal="resync", channels=[BOARD])
    shows(page, "#w-1", "at last")


def test_a_swap_that_fails_does_not_move_the_channel(fake: FakeLive, page: Page) -> None:
    fake.pages["/region/"] = board(42, tile(1, "right again"))
    talk = open_board(fake, page)
    talk.push(BOARD, 41, 42, '<p id="w-1" hx-swap-oob="nonsense">new</p>')
    shows(page, "#w-1", "right again")


def test_focus_and_typed_text_outlive_a_refetch(fake: FakeLive, page: Page) -> None:
    form = '<input id="say" value="">'
    fake.pages["/"] = page_with(board(41, form, tile(1, "old")))
    fake.pages["/region/"] = board(50, tile(2, "before"), form, tile(1, "new"))
    page.goto(fake.url)
    talk = fake.socket()
    talk.answer()
    page.locator("#say").type("half a sent")
    talk.say(signal="resync", channels=[BOARD])
    shows(page, "#w-1", "new")
    page.keyboard.type("ence")
    expect(page.locator("#say")).to_have_value("half a sentence")
    expect(page.locator("#say")).to_be_focused()


def test_a_dropped_socket_comes_back_with_the_position_and_shows_each_missed_event_once(fake: FakeLive, page: Page) -> None:
    talk = open_board(fake, page)
    talk.push(BOARD, 41, 42, line(42))
    shows(page, "#list", "42")
    talk.drop(1011)
    again = fake.socket()
    assert again.resume["at"] == {BOARD: f"{EPOCH}:42"}
    again.answer(dashboard=45)
    again.push(BOARD, 42, 45, line(43) + line(44) + line(45))
    again.push(BOARD, 44, 45, line(45))
    shows(page, "#list", "42434445")


def test_the_bar_tells_of_a_long_break_and_of_what_came_after_it(fake: FakeLive, page: Page) -> None:
    talk = open_board(fake, page)
    fake.refuse.set()
    talk.drop()
    bar = page.locator("#connection-bar")
    expect(bar).to_contain_text("Reconnecting (try")
    fake.refuse.clear()
    bar.get_by_role("button", name="Retry now").click()
    again = fake.socket()
    again.answer(dashboard=53)
    again.push(BOARD, 41, 53, fresh(1, "new"))
    expect(bar).to_have_text("Back online, 12 updates applied")
    expect(bar).to_be_empty()


@pytest.mark.parametrize(
    ("code", "words", "button"),
    [
        (4409, "Paused in this tab.", "Resume"),
        (4429, "Too many connections are open.", "Retry now"),
        (4403, "Live updates have stopped for this page.", "Reload"),
        (4400, "Live updates have stopped for this page.", "Reload"),
        (4401, "You are signed out.", "Sign in again"),
    ],
)
def test_some_close_codes_wait_for_the_user(fake: FakeLive, page: Page, code: int, words: str, button: str) -> None:
    fake.pages["/accounts/login/"] = "<h1>Sign in</h1>"
    open_board(fake, page).drop(code)
    bar = page.locator("#connection-bar")
    expect(bar).to_contain_text(words)
    bar.get_by_role("button", name=button).click()
    if code in (4409, 4429):
        fake.socket()
    elif code == 4401:
        page.wait_for_url("**/accounts/login/?next=%2F")
    else:
        assert fake.asks("/")
        assert fake.socket()


def test_the_server_may_say_when_to_come_back(fake: FakeLive, page: Page) -> None:
    talk = open_board(fake, page)
    page.evaluate("window.began = performance.now()")
    talk.say(signal="closing", retry_ms=700)
    talk.drop(1012)
    fake.socket()
    assert 600 < page.evaluate("performance.now() - window.began") < 5000


def test_paused_updates_wait_and_are_counted_and_come_in_order(fake: FakeLive, page: Page) -> None:
    fake.pages["/"] = page_with(
        board(41) + region("user:7", 5, '<b id="bell">0</b>') + '<button data-live-pause aria-pressed="false">Pause updates</button>'
    )
    page.goto(fake.url)
    talk = fake.socket()
    talk.answer()
    live(page)
    page.get_by_role("button", name="Pause updates").click()
    talk.push(BOARD, 41, 42, line(42))
    talk.push(BOARD, 42, 43, line(43))
    talk.push("user:7", 5, 6, '<b id="bell" hx-swap-oob="outerMorph">1</b>')
    shows(page, "#bell", "1")
    expect(page.locator("#connection-bar")).to_contain_text("Paused, 2 waiting.")
    expect(page.locator("#list")).to_be_empty()
    expect(page.get_by_role("button", name="Pause updates")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Resume").click()
    shows(page, "#list", "4243")
    expect(page.locator("#connection-bar")).to_be_empty()


def test_more_than_can_wait_is_fetched_on_resume(fake: FakeLive, page: Page) -> None:
    fake.pages["/"] = page_with(board(41, tile(1, "old")) + "<button data-live-pause>Pause</button>")
    fake.pages["/region/"] = board(50, tile(1, "fetched"))
    page.goto(fake.url)
    talk = fake.socket()
    talk.answer()
    live(page)
    page.get_by_role("button", name="Pause").click()
    for offset in range(41, 50):
        talk.push(BOARD, offset, offset + 1, fresh(1, "x" * 40_000))
    expect(page.locator("#connection-bar")).to_contain_text("Paused, 9 waiting.")
    page.get_by_role("button", name="Resume").click()
    shows(page, "#w-1", "fetched")
    talk.push(BOARD, 50, 51, line(51))
    shows(page, "#list", "51")


def test_what_htmx_replaces_was_rendered_before_the_frames_that_came_meanwhile(fake: FakeLive, page: Page) -> None:
    filtered = '<button id="filter" hx-get="/filtered/" hx-target="#dashboard-7" hx-swap="outerMorph">Filter</button>'
    fake.pages["/"] = page_with(board(41, tile(1, "old")) + filtered)
    fake.pages["/filtered/"] = board(42, tile(1, "at 42"))
    gate = fake.gate("/filtered/")
    page.goto(fake.url)
    talk = fake.socket()
    talk.answer()
    live(page)
    page.locator("#filter").click()
    fake.asks("/filtered/")
    talk.push(BOARD, 41, 42, fresh(1, "at 42"))
    talk.push(BOARD, 42, 43, fresh(1, "at 43"))
    expect(page.locator("#w-1")).to_have_text("old")
    gate.set()
    shows(page, "#w-1", "at 43")


def test_a_region_that_appears_is_subscribed_and_one_that_goes_is_left(fake: FakeLive, page: Page) -> None:
    fake.pages["/"] = page_with(board(41) + '<div id="place"></div><button id="go" hx-get="/room/" hx-target="#place">Room</button>')
    fake.pages["/room/"] = region("room:3", 8, '<ul id="said"></ul>')
    page.goto(fake.url)
    talk = fake.socket()
    talk.answer()
    live(page)
    page.locator("#go").click()
    question = talk.hears("subscribe")
    assert question["at"] == {"room:3": f"{EPOCH}:8"}
    talk.say(reply=question["id"], ok=True, at={"room:3": {"position": f"{EPOCH}:8", "recovered": True}})
    talk.push("room:3", 8, 9, '<hx-upsert hx-target="#said"><li id="m-9">hello</li></hx-upsert>')
    shows(page, "#said", "hello")
    fake.pages["/room/"] = "nothing"
    page.locator("#go").click()
    assert talk.hears("unsubscribe")["channels"] == ["room:3"]


def test_a_refused_channel_is_marked_and_not_asked_for_again(fake: FakeLive, page: Page) -> None:
    fake.pages["/"] = page_with(board(41) + region("room:9", 1, ""))
    page.goto(fake.url)
    talk = fake.socket()
    talk.say(reply=0, ok=True, at={BOARD: {"position": f"{EPOCH}:41", "recovered": True}}, refused={"room:9": "not_found"})
    expect(page.locator("#room-9")).to_have_attribute("data-refused", "not_found")
    talk.push(BOARD, 41, 42, line(42))
    shows(page, "#list", "42")
    talk.drop()
    assert list(fake.socket().resume["at"]) == [BOARD]


def test_a_page_restored_by_the_back_button_resumes_where_it_stood(fake: FakeLive, page: Page) -> None:
    talk = open_board(fake, page)
    talk.push(BOARD, 41, 42, line(42))
    shows(page, "#list", "42")
    # What a browser does that keeps the page: headless Chromium keeps none while DevTools watch.
    page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', {persisted: true}))")
    expect(page.locator("html")).to_have_attribute("data-live-state", "asleep")
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    again = fake.socket()
    assert again.resume["at"] == {BOARD: f"{EPOCH}:42"}


def test_a_hidden_tab_drops_its_socket_after_half_a_minute_and_comes_back(fake: FakeLive, page: Page) -> None:
    page.clock.install()
    talk = open_board(fake, page)
    hide = (
        "Object.defineProperty(document, 'hidden', {value: %s, configurable: true}); document.dispatchEvent(new Event('visibilitychange'))"
    )
    page.evaluate(hide % "true")
    page.clock.run_for(16_000)
    talk.push(BOARD, 41, 42, line(42))  # the server is alive, whatever the test's clock says
    shows(page, "#list", "42")
    page.clock.run_for(13_000)
    live(page)
    page.clock.run_for(2_000)
    expect(page.locator("html")).to_have_attribute("data-live-state", "asleep")
    page.evaluate(hide % "false")
    assert fake.socket().resume["at"] == {BOARD: f"{EPOCH}:42"}


def test_silence_ends_the_socket_and_a_ping_keeps_it(fake: FakeLive, page: Page) -> None:
    page.clock.install()
    talk = open_board(fake, page)
    page.clock.run_for(15_500)
    talk.hears("ping")
    talk.say = lambda **_: None  # type: ignore[method-assign] # from here on it answers nothing
    page.clock.run_for(45_000)
    assert fake.socket().resume["at"] == {BOARD: f"{EPOCH}:41"}


def test_only_what_changed_flashes_and_not_at_all_where_motion_is_reduced(fake: FakeLive, page: Page) -> None:
    fake.pages["/"] = page_with(board(41, tile(1, "one"), tile(2, "two"), tile(3, "three")))
    watch = """new MutationObserver((records) => records.forEach(({target}) => target.className === "just" && flashed.push(target.id)))
    .observe(document.body, {subtree: true, attributeFilter: ["class"]})"""
    page.add_init_script("window.flashed = []")
    page.goto(fake.url)
    page.evaluate(watch)
    talk = fake.socket()
    talk.answer()
    talk.push(BOARD, 41, 42, fresh(1, "one") + fresh(2, "2"))
    shows(page, "#w-2", "2")
    page.wait_for_function("() => flashed.length && !document.querySelector('.just')")
    page.emulate_media(reduced_motion="reduce")
    talk.push(BOARD, 42, 43, fresh(3, "3"))
    shows(page, "#w-3", "3")
    assert page.evaluate("flashed") == ["w-2"]


def test_what_may_not_be_seen_any_more_goes_dark_and_the_bar_says_so(fake: FakeLive, page: Page) -> None:
    fake.statuses["/region/"] = 404
    open_board(fake, page).say(signal="resync", channels=[BOARD])
    expect(page.locator("#connection-bar")).to_contain_text("Part of this page is no longer open to you.")
    expect(page.locator("#dashboard-7")).to_be_empty()


class Careless:
    """A server that numbers a log honestly, but loses frames, sends them twice, drops sockets and calls for resyncs."""

    def __init__(self, fake: FakeLive, seed: int) -> None:
        self.fake, self.random, self.head = fake, random.Random(seed), 0
        fake.pages["/"] = page_with(self.region())
        fake.pages["/region/"] = lambda _: self.region()

    def region(self) -> str:
        head = self.head
        items = "".join(f'<li id="e-{event}">{event} </li>' for event in range(1, head + 1))
        return region(BOARD, head, f'<ol id="list">{items}</ol>')

    def frame(self, talk: Talk, start: int, end: int) -> None:
        items = "".join(f'<li id="e-{event}">{event} </li>' for event in range(start + 1, end + 1))
        talk.push(BOARD, start, end, f'<hx-upsert hx-target="#list">{items}</hx-upsert>')

    def meet(self) -> None:
        """Take the browser's new socket and answer its resume."""
        self.talk = self.fake.socket()
        self.answer(0, self.talk.resume)

    def answer(self, number: int, command: dict[str, Any]) -> None:
        position = int(command["at"][BOARD].partition(":")[2])
        recovered = self.head - position <= 12
        self.talk.say(reply=number, ok=True, at={BOARD: {"position": f"{EPOCH}:{self.head}", "recovered": recovered}})
        self.cursor = position if recovered else self.head
        self.send()

    def send(self) -> None:
        if self.cursor < self.head:
            self.frame(self.talk, self.cursor, self.head)
        self.cursor = self.head

    def step(self) -> None:
        self.head += self.random.randint(0, 3)
        action = self.random.random()
        if action < 0.2:
            self.cursor = self.head  # lost on the way
        elif action < 0.3:
            self.frame(self.talk, max(0, self.head - self.random.randint(1, 9)), self.head - self.random.randint(0, 1))
        elif action < 0.35:
            self.cursor = self.head
            self.talk.say(signal="resync", channels=[BOARD])
        elif action < 0.4:
            self.talk.drop()
            self.meet()
        else:
            self.send()
        self.listen()

    def listen(self) -> None:
        while not self.talk.heard.empty():
            command = self.talk.heard.get()
            if command["do"] == "subscribe":
                self.answer(command["id"], command)


@pytest.mark.parametrize("seed", range(3))
def test_whatever_a_careless_server_does_every_event_is_shown_once_and_in_order(fake: FakeLive, page: Page, seed: int) -> None:
    server = Careless(fake, seed)
    page.goto(fake.url)
    server.meet()
    for _ in range(60):
        server.step()
    server.head += 1
    server.cursor = server.head - 1
    server.send()
    whole = [str(event) for event in range(1, server.head + 1)]

    def complete() -> bool:
        server.listen()
        return page.locator("#list").inner_text().split() == whole

    wait_until(complete, described=f"events up to {server.head}, each once")
