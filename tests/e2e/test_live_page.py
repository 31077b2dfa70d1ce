"""What page.js does besides: times, freshness, toasts, the count in the title, copying. In Chromium, the server played by hand."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.fake_live import FakeLive, Talk, page_with, region

BELL = "user:7"
BADGE = '<b id="badge" data-count="{0}">{0}</b>'


@pytest.fixture
def fake() -> Iterator[FakeLive]:
    with FakeLive() as server:
        yield server


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(timezone_id="Asia/Tokyo", locale="en-GB")
    page = context.new_page()
    trouble: list[str] = []
    page.on("pageerror", lambda error: trouble.append(str(error)))
    yield page
    context.close()
    assert not trouble


def ago(**parts: float) -> str:
    return (datetime.now(UTC) - timedelta(**parts)).isoformat()


def opened(fake: FakeLive, page: Page, inner: str = "", *, body: str = "") -> Talk:
    fake.pages["/"] = page_with(region(BELL, 1, BADGE.format(0)) + inner, body=body)
    page.goto(fake.url)
    talk = fake.socket()
    talk.answer()
    return talk


def toast(pk: int, *, at: str = "", priority: str = "normal") -> str:
    parts = f'<strong>toast {pk}</strong><button data-dismiss aria-label="Dismiss">x</button>'
    inner = f'<div class="toast" id="t-{pk}" role="status" data-at="{at or ago()}" data-priority="{priority}">{parts}</div>'
    return f'<hx-partial hx-target="#toasts" hx-swap="beforeend">{inner}</hx-partial>'


def push(talk: Talk, offset: int, html: str) -> None:
    talk.push(BELL, offset - 1, offset, html)


def test_times_are_in_the_zone_of_the_browser_on_the_page_and_in_what_is_pushed(fake: FakeLive, page: Page) -> None:
    moment = '<time datetime="2026-11-21T07:10:05Z" data-style="{0}" id="{0}">x</time>'
    styles = ("time", "clock", "date", "datetime")
    talk = opened(fake, page, "".join(map(moment.format, styles)) + '<ol id="list"></ol>')
    assert [page.locator(f"#{style}").text_content() for style in styles] == ["16:10", "16:10:05", "21 Nov", "21 Nov, 16:10"]
    assert "21 November 2026" in (page.locator("#time").get_attribute("title") or "")
    push(talk, 2, f'<hx-partial hx-target="#list" hx-swap="beforeend"><li>{moment.format("time")}</li></hx-partial>')
    expect(page.locator("#list")).to_have_text("16:10")


def test_an_age_follows_the_time_that_passes(fake: FakeLive, page: Page) -> None:
    page.clock.install()
    start = page.evaluate("new Date().toISOString()")
    opened(fake, page, f'<time datetime="{start}" id="age">x</time>')
    age = page.locator("#age")
    expect(age).to_have_text("now")
    page.clock.run_for(12_000)
    expect(age).to_have_text("10 s")
    page.clock.run_for(60_000)
    expect(age).to_have_text("1 min")


def test_a_wrong_clock_of_this_machine_does_no_harm(fake: FakeLive, page: Page) -> None:
    hour_ahead = (datetime.now(UTC) + timedelta(hours=1)).timestamp()
    at = (datetime.now(UTC) + timedelta(minutes=55)).isoformat()
    opened(fake, page, f'<time datetime="{at}" id="age">x</time>', body=f' data-now="{hour_ahead}"')
    expect(page.locator("#age")).to_have_text("5 min")


def tile(at: str, state: str = "live", *, oob: str = "", interval: str = "2") -> str:
    head = "<header><h2>Load</h2><span class=age></span></header><span class=value>1</span>"
    return (
        f'<section class="w" id="w-1"{oob} data-interval="{interval}" data-grace="4" data-at="{at}" data-state="{state}">{head}</section>'
    )


@pytest.mark.parametrize(
    ("seconds", "said", "words"),
    [(1, "live", "now"), (-3, "live", "now"), (130, "live", "2 min"), (400 * 86400, "error", "Error 400 d"), (None, "nodata", "No data")],
)
def test_a_tile_says_how_old_it_is(fake: FakeLive, page: Page, seconds: int | None, said: str, words: str) -> None:
    opened(fake, page, tile("" if seconds is None else ago(seconds=seconds), said, interval="600"))
    expect(page.locator("#w-1")).to_have_attribute("data-state", said)
    expect(page.locator(".age")).to_have_text(words)


def test_a_tile_turns_late_then_stale_and_a_new_value_brings_it_back(fake: FakeLive, page: Page) -> None:
    page.clock.install()
    talk = opened(fake, page, tile(page.evaluate("new Date().toISOString()")))
    box = page.locator("#w-1")
    expect(box).to_have_attribute("data-state", "live")
    page.clock.run_for(8_000)
    expect(box).to_have_attribute("data-state", "late")
    expect(page.locator(".age .chip.late")).to_have_text("Late")
    page.clock.run_for(8_000)
    expect(box).to_have_attribute("data-state", "stale")
    expect(page.locator(".age")).to_contain_text("since ")
    push(talk, 2, tile(page.evaluate("new Date().toISOString()"), oob=' hx-swap-oob="outerMorph"'))
    expect(box).to_have_attribute("data-state", "live")
    expect(page.locator(".age")).to_have_text("now")


def test_the_title_counts_what_the_badge_counts(fake: FakeLive, page: Page) -> None:
    talk = opened(fake, page)
    talk.say(channel=BELL, html=BADGE.format(3).replace("<b", '<b hx-swap-oob="outerMorph"'))
    expect(page).to_have_title("(3) Board")
    talk.say(channel=BELL, html=BADGE.format(0).replace("<b", '<b hx-swap-oob="outerMorph"'))
    expect(page).to_have_title("Board")


def test_three_toasts_are_shown_and_the_rest_is_counted(fake: FakeLive, page: Page) -> None:
    talk = opened(fake, page)
    for pk in range(2, 7):
        push(talk, pk, toast(pk))
    expect(page.locator(".more-toasts")).to_have_text("+2 more")
    assert page.locator("#toasts strong").all_text_contents() == ["toast 2", "toast 3", "toast 4"]


def test_a_toast_goes_after_six_seconds_a_critical_one_stays_until_it_is_dismissed(fake: FakeLive, page: Page) -> None:
    page.clock.install()
    talk = opened(fake, page)
    at = page.evaluate("new Date().toISOString()")
    push(talk, 2, toast(2, at=at) + toast(3, at=at, priority="critical"))
    expect(page.locator("#t-2")).to_be_visible()
    page.clock.run_for(6_500)
    expect(page.locator("#t-2")).to_have_count(0)
    expect(page.locator("#t-3")).to_be_visible()
    page.locator("#t-3").get_by_label("Dismiss").click()
    expect(page.locator("#t-3")).to_have_count(0)


def test_a_toast_is_held_while_the_pointer_is_on_it(fake: FakeLive, page: Page) -> None:
    page.clock.install()
    talk = opened(fake, page)
    push(talk, 2, toast(2, at=page.evaluate("new Date().toISOString()")))
    page.locator("#t-2").hover()
    page.clock.run_for(20_000)
    expect(page.locator("#t-2")).to_be_visible()
    page.mouse.move(1, 1)
    page.clock.run_for(6_500)
    expect(page.locator("#t-2")).to_have_count(0)


def test_a_toast_is_held_while_the_focus_is_in_it(fake: FakeLive, page: Page) -> None:
    page.clock.install()
    talk = opened(fake, page)
    push(talk, 2, toast(2, at=page.evaluate("new Date().toISOString()")))
    page.locator("#t-2").get_by_label("Dismiss").focus()
    page.clock.run_for(20_000)
    expect(page.locator("#t-2")).to_be_visible()
    page.locator("#t-2").get_by_label("Dismiss").blur()
    page.clock.run_for(6_500)
    expect(page.locator("#t-2")).to_have_count(0)


def test_an_undo_is_offered_for_ten_seconds_and_counts_them_down(fake: FakeLive, page: Page) -> None:
    page.clock.install()
    talk = opened(fake, page)
    button = "<button>Undo<span data-left>10</span></button>"
    inner = f'<div class="toast" id="undo" data-stay="10" role="status"><strong>Archived</strong>{button}</div>'
    push(talk, 2, f'<hx-partial hx-target="#toasts" hx-swap="beforeend">{inner}</hx-partial>')
    expect(page.locator("#undo")).to_be_visible()
    page.clock.run_for(7_000)
    expect(page.locator("#undo [data-left]")).to_have_text(re.compile("^[23]$"))
    page.clock.run_for(2_000)
    expect(page.locator("#undo")).to_be_visible()
    page.clock.run_for(2_000)
    expect(page.locator("#undo")).to_have_count(0)


def test_an_old_toast_and_one_that_was_shown_already_are_not_shown(fake: FakeLive, page: Page) -> None:
    talk = opened(fake, page)
    again = toast(3)
    push(talk, 2, toast(2, at=ago(seconds=40)) + again)
    page.locator("#t-3").get_by_label("Dismiss").click()
    push(talk, 3, again + toast(4))
    expect(page.locator("#t-4")).to_be_visible()
    assert page.locator("#toasts .toast").count() == 1


def test_a_withdrawn_toast_goes(fake: FakeLive, page: Page) -> None:
    talk = opened(fake, page)
    push(talk, 2, toast(2))
    expect(page.locator("#t-2")).to_be_visible()
    push(talk, 3, '<hx-partial hx-target="#t-2" hx-swap="delete"></hx-partial>')
    expect(page.locator("#t-2")).to_have_count(0)


def test_after_a_reconnect_one_line_tells_of_what_came(fake: FakeLive, page: Page) -> None:
    talk = opened(fake, page)
    expect(page.locator("html")).to_have_attribute("data-live-state", "live")
    talk.drop()
    again = fake.socket()
    again.answer(user=5)
    again.push(BELL, 1, 4, toast(2) + toast(3) + toast(4, at=ago(minutes=2)))
    again.push(BELL, 4, 5, toast(5))
    expect(page.locator("#toasts .grouped span")).to_have_text("4 notifications while you were away")
    assert page.locator("#toasts .toast").count() == 1
    again.push(BELL, 5, 6, toast(6))
    expect(page.locator("#t-6")).to_be_visible()


def test_a_button_copies_and_says_so(fake: FakeLive, page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    opened(fake, page, '<code id="line">curl it</code><button data-copy="#line"><span>Copy</span></button>')
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button")).to_have_text("Copied")
    expect(page.locator("#live-polite")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "curl it"


def test_a_toast_waits_for_the_one_who_is_in_another_tab(fake: FakeLive, page: Page) -> None:
    page.clock.install()
    talk = opened(fake, page)
    hide = (
        "Object.defineProperty(document, 'hidden', {value: %s, configurable: true}); document.dispatchEvent(new Event('visibilitychange'))"
    )
    page.evaluate(hide % "true")
    push(talk, 2, toast(2, at=page.evaluate("new Date().toISOString()")))
    expect(page.locator("#t-2")).to_be_visible()
    page.clock.run_for(10_000)
    expect(page.locator("#t-2")).to_be_visible()
    page.evaluate(hide % "false")
    page.clock.run_for(6_500)
    expect(page.locator("#t-2")).to_have_count(0)


def test_the_chip_follows_the_connection_but_not_each_short_break(fake: FakeLive, page: Page) -> None:
    talk = opened(fake, page, '<span class="chip stale" data-live-chip>Connecting</span>')
    chip = page.locator("[data-live-chip]")
    expect(chip).to_have_text("Live")
    fake.refuse.set()
    talk.drop()
    expect(chip).to_have_text("Offline")
    fake.refuse.clear()
    page.locator("#connection-bar button").click()
    fake.socket().answer()
    expect(chip).to_have_text("Live")
