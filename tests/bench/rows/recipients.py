"""To very many at once: 10 000 notified; a million broadcast to, with 1 000 screens open and another publisher; 100 000 on SQLite.

Rows are written by a Celery worker as in production. Nobody's CPU is measured here, so Postgres, the worker and the
other publisher run where there is room.
Last of all rows: the site has a million people afterwards.
"""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from tests.bench.crowd import Child, deliver
from tests.bench.figures import Line, at_most
from tests.bench.lab import Lab
from tests.bench.processes import as_urgent_as_we_are, on_any_core, resident_bytes
from tests.support.servers import wait_until

FEW, MANY, ON_SQLITE = 10_000, 1_000_000, 100_000
SCREENS = 1000
# Another publisher, whose audience is small: on these two cores the sockets of a large one would be what its publishes wait for.
BESIDE, RATE, CALM = 100, 40.0, 600
ASK = 2.0  # seconds between two questions whether all rows stand: at four a second they were half of the publishes above 3.5 ms
PATIENCE = 300.0


def run(lab: Lab) -> Iterator[Line]:
    lab.made()
    with on_any_core(lab.postgres.pid), _sender(lab, "postgres") as sender:
        sender.call("notify", recipients=100)  # everything that is made once
        found = sender.call("notify", recipients=FEW)
        assert found["recipients"] == FEW and not found["unnumbered"], found
        yield at_most("recipients", "notify 10 000, postgres", found["seconds"], 2, seconds=found["seconds"], goal_seconds=2)
        yield from _a_million(lab, sender)
    yield from _on_sqlite(lab)


def _a_million(lab: Lab, sender: Child) -> Iterator[Line]:
    sender.call("people", total=MANY)
    with ExitStack() as stack:
        web = stack.enter_context(lab.web("uvicorn"))
        worker = stack.enter_context(_worker(lab, "postgres"))
        screens = stack.enter_context(lab.crowd(web, SCREENS, []))
        audience = stack.enter_context(lab.crowd(web, BESIDE, ["bench:beside"]))
        publisher = stack.enter_context(lab.publisher())
        stack.enter_context(on_any_core(publisher.pid))
        beside: dict[str, Any] = {"sockets": BESIDE, "rate": RATE, "channel": "bench:beside"}
        deliver(audience, publisher, messages=40, **beside)
        _broadcast(sender, "user:person0", screens, reaches=1)  # the worker has everything that it makes once
        calm = deliver(audience, publisher, messages=CALM, **beside)["publishing"]
        with _memory(worker) as memory:
            audience.call("begin", first=-1)
            publisher.start("publish", messages=CALM, **{name: beside[name] for name in ("rate", "channel")})
            sent = _broadcast(sender, "all", screens, reaches=SCREENS)
            busy = publisher.answer()
        _everybody_has_it(sender, sent)
    shown, written = sent["shown"], sent["written"]
    yield at_most("recipients", "1 000 000, on 1 000 screens", shown, 1, seconds=shown, send_s=sent["seconds"], goal_seconds=1)
    yield at_most("recipients", "1 000 000, all inbox rows, postgres", written, 30, seconds=written, goal_seconds=30)
    flat = memory[-1] / memory[len(memory) // 10]
    yield at_most("recipients", "1 000 000, memory of the worker", flat, 1.1, MB=memory[-1] / 1e6, grew=flat)
    values = {"calm_p50_ms": calm["p50"], "calm_p99_ms": calm["p99"], "p50_ms": busy["p50"], "p99_ms": busy["p99"]}
    yield at_most("recipients", "1 000 000, another publisher meanwhile", busy["p99"], 2 * calm["p99"], **values)


def _on_sqlite(lab: Lab) -> Iterator[Line]:
    with _sender(lab, "sqlite") as sender, _worker(lab, "sqlite"):
        made = sender.call("people", total=ON_SQLITE)
        _broadcast(sender, f"user:{made['one']}")
        sent = _broadcast(sender, "all")
        _everybody_has_it(sender, sent)
    assert sent["total"] >= ON_SQLITE, sent
    yield at_most("recipients", "100 000, all inbox rows, sqlite", sent["written"], 10, seconds=sent["written"], goal_seconds=10)


def _broadcast(sender: Child, audience: str, screens: Child | None = None, *, reaches: int = 0) -> dict[str, Any]:
    """Send, and say after how many seconds it was on all these screens and all rows stood."""
    if screens is not None:
        screens.call("begin", first=-1)
        screens.start("expect_some", members=reaches)
    sent = sender.call("send", audience=audience)
    seen: Mapping[str, Any] = screens.answer() if screens is not None else {"reached": 0, "last": 0.0}
    assert seen["reached"] == reaches, seen

    def done() -> dict[str, Any] | None:
        time.sleep(ASK)
        stands = sender.call("standing", broadcast=sent["broadcast"])
        return stands if stands["state"] == "done" else None

    stands = wait_until(done, described="all rows", patience=PATIENCE)
    assert stands["written"] == sent["total"], (sent, stands)
    return {**sent, "shown": seen["last"] - sent["at"], "written": stands["finished_at"] - sent["at"]}


def _everybody_has_it(sender: Child, sent: Mapping[str, Any]) -> None:
    """Everybody has it once. Counted when nothing is measured: in so many rows it takes Postgres all cores for a second."""
    had = sender.call("rows", broadcast=sent["broadcast"])
    assert had["rows"] == had["people"] == sent["total"], (had, sent)


@contextmanager
def _sender(lab: Lab, database: str) -> Iterator[Child]:
    with Child("tests.bench.sender", lab.site(database).env()) as child:
        yield child


@contextmanager
def _worker(lab: Lab, database: str) -> Iterator[int]:
    """A Celery worker beside the database."""
    with lab.site(database).worker() as worker:
        as_urgent_as_we_are(worker.pid)
        yield worker.pid


@contextmanager
def _memory(pid: int) -> Iterator[list[int]]:
    """What a process and its children hold while the block runs, looked at five times a second."""
    found, over = [resident_bytes(pid)], threading.Event()

    def look() -> None:
        while not over.wait(0.2):
            found.append(resident_bytes(pid))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield found
    finally:
        over.set()
        watcher.join()
