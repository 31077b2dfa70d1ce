"""The lines of the systems before, word for word, in Chromium on Daphne and Redis: tabs in two processes, of a guest and of alice."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.rooms.test_browser import GREETING, LINE_A, LINE_C, ROOT, run, wait_for
from tests.support import browser as browsers
from tests.support import servers

pytestmark = [pytest.mark.browser, pytest.mark.valkey]
LINE_D = """const socket = new WebSocket("ws://127.0.0.1:8000/ws/chat/tutorial/"); socket.onmessage = (e) => console.log(e.data);"""
LATER = """window.lineSocket.send("Hello Django")"""


class Tabs:
    """Two tabs of a guest and two of alice, each pair in a process of its own; both processes are port 8000 to their browser."""

    def __init__(self, pages: list[Page], valkey: servers.Valkey) -> None:
        self.pages, self.valkey = pages, valkey

    def run(self, line: str, *, heard: int) -> list[list[Any]]:
        """Run a line in every tab; what each has logged once it has heard so much."""
        logs = []
        for page in self.pages:
            page.goto(f"{ROOT}/rooms/echo/")
            logs.append(run(page, line))
        return [wait_for(page, log, heard) for page, log in zip(self.pages, logs, strict=True)]


@pytest.fixture(scope="module")
def tabs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tabs]:
    with ExitStack() as stack:
        valkey = stack.enter_context(servers.start_valkey())
        site = servers.make_site(tmp_path_factory.mktemp("lines"), redis=valkey.url, ROOMS_OPEN="1")
        site.manage(
            "shell", "-c", "from django.contrib.auth import get_user_model as m; m().objects.create_user('alice', password='opensesame')"
        )
        pages: list[Page] = []
        for name in ("", "alice"):
            web = stack.enter_context(site.web(server="daphne", ALLOWED_ORIGINS=ROOT))
            chromium = stack.enter_context(browsers.chromium(f"--host-resolver-rules=MAP 127.0.0.1:8000 127.0.0.1:{web.port}"))
            context = browsers.new_context(chromium)
            stack.callback(context.close)
            pages += [context.new_page(), context.new_page()]
            if name:
                browsers.sign_in(pages[-1], ROOT, name=name, password="opensesame")
        yield Tabs(pages, valkey)


def test_the_lines_a_and_b_in_every_tab(tabs: Tabs) -> None:
    logs = tabs.run(LINE_A, heard=2)
    assert logs == [[[GREETING], ["You said: Hello Django"]]] * 4
    for page, logged in zip(tabs.pages, logs, strict=True):
        page.evaluate(LATER)
        assert wait_for(page, logged, 3)[2] == ['{"message": "Hello Django"}']


def test_the_line_c_in_every_tab(tabs: Tabs) -> None:
    greeting = {"type": "connection_established", "message": "You are now connected!"}
    assert tabs.run(LINE_C, heard=1) == [[["Data", greeting]]] * 4


def test_the_line_d_is_one_talk_in_all_tabs_and_with_redis_stopped_too(tabs: Tabs) -> None:
    logs = tabs.run(LINE_D, heard=1)

    def say(index: int, text: str) -> None:
        tabs.pages[index].evaluate("(text) => window.lineSocket.send(JSON.stringify({message: text}))", text)

    def all_hear(count: int) -> None:
        for page, log in zip(tabs.pages, logs, strict=True):
            wait_for(page, log, count)

    for number in range(4):
        say(number, f"tab {number}")
        all_hear(2 + number)
    tabs.valkey.kill()
    say(0, "without Redis")
    all_hear(6)
    echo = tabs.pages[3]
    echo.goto(f"{ROOT}/rooms/echo/")
    expect(echo.locator("#echo-state")).to_have_text("Connected")
    echo.get_by_role("button", name="Send as JSON").click()
    expect(echo.get_by_text("You said: Hello Django")).to_have_count(1)
    echo.get_by_role("button", name="Send as text").click()
    expect(echo.locator("#echo-log .in").last).to_contain_text('{"message": "Hello Django"}')
    tabs.valkey.start()
    heard = [[json.loads(entry[0]) for entry in log[1:6]] for log in logs]
    assert heard.count(heard[0]) == 4
    assert [said["message"] for said in heard[0]] == ["tab 0", "tab 1", "tab 2", "tab 3", "without Redis"]
    users = [said["user"] for said in heard[0]]
    assert all(users[index].startswith("guest-") for index in (0, 1, 4))
    assert users[0] == users[4]  # of one socket; a browser that has seen no room's page is a new guest on each
    assert users[2:4] == ["alice", "alice"]
