"""A board of 100 widgets with 10 updates a second each, before 200 viewers, by one process of uvicorn; and the same board in Chromium.

The board is sampled as a collector would: all widgets in one call, ten times a second. 20 s in Chromium, with FULL=1 ten minutes, and
four before them: a chart takes so long to hold what it ever holds.
"""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack

from tests.bench import chrome
from tests.bench.crowd import Child
from tests.bench.figures import Line, at_least, at_most
from tests.bench.lab import Lab
from tests.bench.processes import cpu_seconds
from tests.support.servers import Web

WIDGETS, RATE, VIEWERS = 100, 10.0, 200
FULL = bool(os.environ.get("FULL"))
SECONDS, WARM = (600, 240) if FULL else (20, 10)
PIECE = 50  # rounds between two looks at what the page holds
STATS = 60  # of the widgets show the tick itself


def run(lab: Lab) -> Iterator[Line]:
    with ExitStack() as stack:
        board = stack.enter_context(Child("tests.bench.boards", lab.site().env()))
        made = board.call("make", widgets=WIDGETS, slug="busy")
        alone = board.call("tick", names=made["names"], ticks=100, rate=RATE, first=1)
        web = stack.enter_context(lab.web("uvicorn"))
        with viewers(lab, web, VIEWERS, made["channel"]) as watching:
            yield from _watched(board, watching, web, made["names"], alone)
        yield from _in_chromium(lab, board, web, made["names"])


def viewers(lab: Lab, web: Web, count: int, channel: str, *, skip: int = 0) -> Child:
    """So many signed-in viewers of one board, all live; `skip`: so many of the people are left out, for they are viewers already."""
    people = lab.people(skip + count)[skip:]
    child = Child("tests.bench.viewers")
    at = [{channel: None, f"user:{pk}": None, "audience:all": None} for pk, _ in people]
    cookies = [f"sessionid_{web.port}={session}" for _, session in people]
    opened = child.call("open", url=web.socket_url, cookies=cookies, at=at, speaks="signalbox", at_once=100)
    assert opened["live"] == count and not opened["refused"], opened
    return child


def _watched(board: Child, watching: Child, web: Web, names: list[str], alone: dict[str, float]) -> Iterator[Line]:
    board.call("tick", names=names, ticks=50, rate=RATE, first=1000)  # everything that is made once
    ticks = int(15 * RATE)
    watching.call("begin", first=0, last=2000 + ticks - 1, stats=STATS)
    before = cpu_seconds(web.pid)
    sent = board.call("tick", names=names, ticks=ticks, rate=RATE, first=2000)
    core = (cpu_seconds(web.pid) - before) / sent["seconds"]
    seen = watching.call("await_last")
    behind = seen["last"] - sent["committed"][str(2000 + ticks - 1)]
    values = f"{WIDGETS} widgets x {RATE:.0f}/s, {VIEWERS} viewers"
    yield at_least("board", f"{values}: rounds sent", sent["per_second"], 0.98 * RATE, per_s=sent["per_second"])
    slowed = {"p50_ms": sent["p50"], "p50_alone_ms": alone["p50"], "p99_ms": sent["p99"], "p99_alone_ms": alone["p99"]}
    yield at_most("board", f"{values}: a round, against one that nobody watches", sent["p50"], 1.25 * alone["p50"], **slowed)
    yield at_most("board", f"{values}: of a core", core, 0.7, core=core, frames=seen["frames"], MB=seen["bytes"] / 1e6)
    yield at_least("board", f"{values}: viewers that end on the latest", seen["done"], VIEWERS, viewers=seen["done"])
    yield at_most("board", f"{values}: the last of them after", behind, 1.0, s=behind)


def _in_chromium(lab: Lab, board: Child, web: Web, names: list[str]) -> Iterator[Line]:
    (_, session), *_ = lab.people(1)
    with chrome.page(web.url, session=session, path="/dashboards/busy/") as watched:
        board.call("tick", names=names, ticks=int(WARM * RATE), rate=RATE, first=10_000)
        before, start = watched.cpu_seconds(), time.perf_counter()
        held = []
        for first in range(20_000, 20_000 + int(SECONDS * RATE), PIECE):
            board.call("tick", names=names, ticks=PIECE, rate=RATE, first=first)
            held.append(watched.holds())
        seconds = time.perf_counter() - start
        core = (watched.cpu_seconds() - before) / seconds
        tasks = watched.long_tasks(since=watched.first_paint())
        shown = watched.page.locator(".w[data-kind=stat] .value").first.inner_text()
    yield at_most("board", "in Chromium: of a core", core, 0.4, core=core, seconds=seconds, shows=shown)
    yield at_most(
        "board", "in Chromium: tasks over 50 ms after first paint", len(tasks), 0.5, tasks=len(tasks), longest_ms=max(tasks, default=0)
    )
    for what in ("heap", "nodes"):
        # A chart takes points up to three a pixel and then thins them out: what it holds goes up and down, and its peaks are compared.
        sooner, later = (max(one[what] for one in half) for half in (held[: len(held) // 2], held[len(held) // 2 :]))
        # In twenty seconds charts still fill: only the long run says whether it stays flat.
        limit = 1.1 if FULL else 2.0
        yield at_most("board", f"in Chromium: {what}, later peak by earlier", later / sooner, limit, earlier=sooner, later=later)
