"""One path through a browser, on both databases and both servers: sign in, a value, a notification; and all of it again after a crash."""

from collections.abc import Callable, Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import Demo, running
from tests.support import browser as browsers
from tests.support import servers

pytestmark = pytest.mark.matrix


@pytest.fixture(scope="module")
def site_on(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Callable[[str], servers.Site]:
    """The Signalbox on this database, with the demo in it; made once for both servers."""
    made: dict[str, servers.Site] = {}

    def site(database: str) -> servers.Site:
        if database not in made:
            address = request.getfixturevalue("postgres").new_database() if database == "postgres" else ""
            made[database] = servers.make_site(tmp_path_factory.mktemp(database), database=address)
            made[database].manage("demo")
        return made[database]

    return site


@pytest.fixture
def here(site_on: Callable[[str], servers.Site], matrix: tuple[str, str]) -> Iterator[Demo]:
    database, server = matrix
    site = site_on(database)
    with site.web(server=server) as web:
        yield running(site, web)


def test_a_signed_in_person_sees_what_comes_and_what_comes_after_a_crash(here: Demo, browser: Browser, matrix: tuple[str, str]) -> None:
    context = browsers.new_context(browser, base_url=here.url, reduced_motion="reduce")
    page = context.new_page()
    board = {"title": "Path", "widgets": [{"slug": "queue", "kind": "stat", "title": "Queue"}]}
    with _api(here) as api:
        assert api.put("dashboards/path", json=board).status_code in {200, 201}
    browsers.sign_in(page, here.url, name="alice", password=here.passwords["alice"])
    page.goto("/dashboards/path/")
    _live(page)
    _say(here, "before", value=41.5)
    _shown(page, "before", value="41.5")
    here.web.kill()
    expect(page.locator("html[data-live-state=live]")).to_have_count(0, timeout=30_000)
    here.web.start()
    _say(here, "during", value=42.5)  # the page finds its way back by itself, and what it missed with it
    _live(page)
    _shown(page, value="42.5")
    _say(here, "after", value=43.5)
    _shown(page, "after", value="43.5")
    page.get_by_role("button", name="Notifications").click()
    for when in ("before", "during", "after"):
        expect(page.locator("#bell-panel")).to_contain_text(f"It was {when} the crash")
    context.close()


def _live(page: Page) -> None:
    expect(page.locator("html[data-live-state=live]")).to_have_count(1, timeout=60_000)


def _api(here: Demo) -> httpx.Client:
    return httpx.Client(base_url=f"{here.url}/api/v1/", headers={"Authorization": f"Bearer {here.token}"}, timeout=60)


def _say(here: Demo, title: str, *, value: float) -> None:
    """Push a value and notify, as one line of curl would."""
    with _api(here) as api:
        assert api.post("widgets/path/queue", json=value).status_code == 202
        assert api.post("notify/user:alice", content=f"It was {title} the crash").status_code == 202


def _shown(page: Page, toast: str = "", *, value: str) -> None:
    expect(page.locator("main .value").filter(has_text=value)).to_have_count(1, timeout=30_000)
    if toast:
        expect(page.locator("#toasts")).to_contain_text(f"It was {toast} the crash", timeout=30_000)


def test_ci_runs_all_four_of_them_and_skips_none() -> None:
    required = next(line for line in (servers.ROOT / ".ci/run").read_text().splitlines() if line.startswith("REQUIRE="))
    assert {"browser", "postgres"} <= set(required.partition("=")[2].split()[0].split(",")) and " test" in required
