"""One real Signalbox and one Chromium for all tests here; pages of alice and bob that fail on any error in the console."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.support import browser as browsers
from tests.support import servers


@dataclass(frozen=True)
class Demo:
    """A running Signalbox with the demo in it."""

    site: servers.Site
    web: servers.Web
    passwords: dict[str, str]
    token: str

    @property
    def url(self) -> str:
        return self.web.url


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, valkey: servers.Valkey) -> Iterator[Demo]:
    """Daphne on SQLite with Valkey. Shared: a test leaves no trace that another could trip over."""
    site = servers.make_site(tmp_path_factory.mktemp("demo"), redis=valkey.url, ROOMS_OPEN="1")
    site.manage("demo")
    with site.web() as web:
        yield running(site, web)


def running(site: servers.Site, web: servers.Web) -> Demo:
    kept = json.loads((site.folder / "demo.json").read_text())
    return Demo(site, web, kept["passwords"], kept["token"])


@pytest.fixture(scope="session")
def developer(demo: Demo) -> Iterator[servers.Web]:
    """A second process of the same Signalbox with DEBUG on, which has the style guide."""
    with demo.site.web(DEBUG="1") as web:
        yield web


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with browsers.chromium() as started:
        yield started


@pytest.fixture
def states(browser: Browser, demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The stored sign-in of one person, made once."""

    def stored(name: str) -> Path:
        path = tmp_path_factory.getbasetemp() / f"signed-in-{name}.json"
        if not path.exists():
            context = browsers.new_context(browser)
            browsers.sign_in(context.new_page(), demo.url, name=name, password=demo.passwords[name])
            context.storage_state(path=path)
            context.close()
        return path

    return stored


@pytest.fixture
def new_page(browser: Browser, demo: Demo, states: Callable[[str], Path]) -> Iterator[Callable[..., Page]]:
    """Opens pages: `new_page("alice")`, `new_page(None, width=390, theme="dark")`. At the end any error or refusal in them fails the test.

    `allowed(text)` says which errors of the console a test expects, such as the connection it cut.
    """
    opened: list[tuple[BrowserContext, browsers.Watched]] = []

    def make(person: str | None = "alice", *, allowed: Callable[[str], bool] = lambda text: False, **options: Any) -> Page:
        if person:
            options["storage_state"] = states(person)
        context = browsers.new_context(browser, base_url=demo.url, reduced_motion="reduce", **options)
        opened.append((context, browsers.Watched(context, allowed=allowed)))
        return context.new_page()

    yield make
    try:
        for context, watched in opened:
            watched.check(*context.pages)
    finally:
        for context, _ in opened:
            context.close()


@pytest.fixture
def as_alice(new_page: Callable[..., Page]) -> Page:
    return new_page("alice")


@pytest.fixture
def as_bob(new_page: Callable[..., Page]) -> Page:
    return new_page("bob")


@pytest.fixture
def as_guest(new_page: Callable[..., Page]) -> Page:
    return new_page(None)
