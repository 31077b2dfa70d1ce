"""A page in Chromium under measure: what it costs, how long its tasks are, what it holds, and when a value shows on it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, CDPSession, Page

from tests.bench.processes import SERVER, on_core
from tests.support import browser as browsers

# From the first script on: every task over 50 ms with when it began, and when the first paint was.
_WATCH = """
window.bench = { tasks: [], shown: [] };
new PerformanceObserver((list) => {
  for (const { startTime, duration } of list.getEntries()) bench.tasks.push([startTime, duration]);
}).observe({ type: "longtask", buffered: true });
"""
# Each new text of an element, with the time of the clock that the server's processes have too.
_NOTE = """(selector) => new MutationObserver(() => {
  const text = document.querySelector(selector)?.textContent;
  if (text !== bench.shown.at(-1)?.[0]) bench.shown.push([text, (performance.timeOrigin + performance.now()) / 1000]);
}).observe(document.body, { subtree: true, childList: true, characterData: true })"""


@dataclass(slots=True)
class Watched:
    """One open page. `process`: Chromium's word on what its processes cost; `session`: the page's."""

    page: Page
    process: CDPSession
    session: CDPSession

    def cpu_seconds(self) -> float:
        """What all processes of this browser have cost so far."""
        return float(sum(one["cpuTime"] for one in self.process.send("SystemInfo.getProcessInfo")["processInfo"]))

    def long_tasks(self, *, since: float = 0.0) -> list[float]:
        """How long each task over 50 ms took that began after so many milliseconds of the page's life."""
        tasks: list[list[float]] = self.page.evaluate("bench.tasks")
        return [length for start, length in tasks if start > since]

    def now(self) -> float:
        return float(self.page.evaluate("performance.now()"))

    def first_paint(self) -> float:
        return float(self.page.evaluate('performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0'))

    def holds(self) -> dict[str, float]:
        """Bytes of its heap and its nodes, after the garbage is gone."""
        self.session.send("HeapProfiler.collectGarbage")
        found = {one["name"]: one["value"] for one in self.session.send("Performance.getMetrics")["metrics"]}
        return {"heap": found["JSHeapUsedSize"], "nodes": found["Nodes"], "listeners": found["JSEventListeners"]}

    def note_changes_of(self, selector: str) -> None:
        self.page.evaluate(_NOTE, selector)

    def changes(self) -> list[tuple[str, float]]:
        return [(text, at) for text, at in self.page.evaluate("bench.shown")]

    def wait_until_live(self) -> None:
        self.page.locator("html[data-live-state=live]").wait_for(state="attached")


@contextmanager
def page(url: str, *, session: str, path: str) -> Iterator[Watched]:
    """A page of a signed-in person, live, in a browser of its own: on the server's core, which it has nearly to itself."""
    with on_core(SERVER), browsers.chromium() as browser:
        yield _opened(browser, url, session=session, path=path)


def _opened(browser: Browser, url: str, *, session: str, path: str) -> Watched:
    context = browsers.new_context(browser)
    context.add_cookies([{"name": f"sessionid_{urlsplit(url).port}", "value": session, "url": url}])
    context.add_init_script(_WATCH)
    page = context.new_page()
    own: Any = context.new_cdp_session(page)
    own.send("Performance.enable")
    watched = Watched(page, browser.new_browser_cdp_session(), own)
    page.goto(url + path)
    watched.wait_until_live()
    return watched
