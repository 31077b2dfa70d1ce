"""From the commit of a value to the change of its widget in Chromium, with 200 other viewers and one update a second (issue 7)."""

from collections.abc import Iterator
from contextlib import ExitStack

from tests.bench import chrome
from tests.bench.crowd import Child
from tests.bench.figures import Line, at_most, percentile
from tests.bench.lab import Lab
from tests.bench.rows.board import viewers

VALUES, VIEWERS = 30, 200


def run(lab: Lab) -> Iterator[Line]:
    with ExitStack() as stack:
        board = stack.enter_context(Child("tests.bench.boards", lab.site().env()))
        made = board.call("make", widgets=1, slug="calm")
        web = stack.enter_context(lab.web("uvicorn"))
        (_, session), *_ = lab.people(VIEWERS + 1)[VIEWERS:]
        # A fan-out goes by who came first: the page that is looked at comes in the middle.
        stack.enter_context(viewers(lab, web, VIEWERS // 2, made["channel"]))
        board.call("single", name=made["names"][0], values=3, rate=1.0)  # everything that is made once
        watched = stack.enter_context(chrome.page(web.url, session=session, path="/dashboards/calm/"))
        stack.enter_context(viewers(lab, web, VIEWERS // 2, made["channel"], skip=VIEWERS // 2))
        watched.note_changes_of(".w .value")
        sent = board.call("single", name=made["names"][0], values=VALUES, rate=1.0)
        watched.page.locator(f".w .value:text-is('{VALUES}')").wait_for()
        shown = dict(reversed(watched.changes()))
    took = [1000 * (shown[number] - at) for number, at in sent["committed"].items() if number in shown]
    p50, p99 = percentile(took, 0.5), percentile(took, 0.99)
    what = f"commit to DOM in Chromium, {VIEWERS} other viewers"
    yield at_most("widget", f"{what}, p50", p50, 15, p50_ms=p50, goal_ms=15, of=len(took))
    yield at_most("widget", f"{what}, p99", p99, 60, p99_ms=p99, goal_ms=60)
