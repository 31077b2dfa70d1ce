"""Chromium for tests and pictures: started alike everywhere, watched for errors, with people signed in."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, sync_playwright

from tests.support import machine

_OFF = ("gpu", "quic", "background-networking", "component-update", "sync")
ARGUMENTS = ["--no-sandbox", "--no-first-run", *(f"--disable-{what}" for what in _OFF)]
# Collects what the policy refused, from the first script on.
LISTEN = """window.refusals = [];
document.addEventListener("securitypolicyviolation", (event) => refusals.push(event.violatedDirective + " " + event.blockedURI))"""


_shared: list[Playwright] = []
_users = 0


@contextmanager
def playwright() -> Iterator[Playwright]:
    """Playwright, one for all who want it at a time: its loop runs in this thread, where a second one cannot start, nor an async test."""
    global _users
    if not _users:
        _shared.append(sync_playwright().start())
    _users += 1
    try:
        yield _shared[0]
    finally:
        _users -= 1
        if not _users:
            _shared.pop().stop()


@contextmanager
def chromium(*arguments: str) -> Iterator[Browser]:
    program = machine.chromium()
    assert program, "apt install chromium"
    with playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=[*ARGUMENTS, *arguments])
        try:
            yield browser
        finally:
            browser.close()


# Once in thousands of pages Chromium takes a socket to its page's own address for one into somebody's network; live.js comes back.
LOOPBACK = "ERR_BLOCKED_BY_LOCAL_NETWORK_ACCESS_CHECKS"


class Watched:
    """What went wrong in the pages of one context: errors on the console, uncaught ones, and refusals of the policy."""

    def __init__(self, context: BrowserContext, *, allowed: Callable[[str], bool] = lambda text: False) -> None:
        self.faults: list[str] = []
        self.allowed = allowed
        context.add_init_script(LISTEN)
        context.on("console", self._console)
        context.on("weberror", lambda error: self.faults.append(f"{error.page.url if error.page else ''}: {error.error}"))

    def _console(self, message: ConsoleMessage) -> None:
        text = f"{message.location.get('url', '')}: {message.text}"
        if message.type == "error" and LOOPBACK not in text and not self.allowed(text):
            self.faults.append(text)

    def check(self, *pages: Page) -> None:
        """Fail when anything went wrong so far."""
        for page in pages:
            self.faults += [f"{page.url}: refused {what}" for what in page.evaluate("window.refusals ?? []")]
        assert not self.faults, "\n".join(self.faults)


def sign_in(page: Page, url: str, *, name: str, password: str) -> Page:
    page.goto(f"{url}/accounts/login/")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{url}/")
    return page


def new_context(browser: Browser, *, width: int = 1360, height: int = 860, theme: Any = "light", **more: Any) -> BrowserContext:
    return browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme, **more)
