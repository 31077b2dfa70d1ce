"""10 000 user channels on one process, one notification each: until all have theirs, and what the position poll costs."""

import time
from collections.abc import Iterator
from contextlib import ExitStack

from tests.bench.figures import Line, at_most
from tests.bench.lab import Lab
from tests.bench.processes import cpu_seconds

SOCKETS, QUIET = 10_000, 12.0
POLL = 1.5  # seconds between two polls (core.delivery.reading)


def run(lab: Lab) -> Iterator[Line]:
    with ExitStack() as stack:
        web = stack.enter_context(lab.web("uvicorn"))
        publisher = stack.enter_context(lab.publisher())
        channels = [f"benchown:{pk}" for pk, _ in lab.people(SOCKETS)]
        clients = stack.enter_context(lab.crowd(web, SOCKETS, [], each=channels, at_once=200))
        clients.call("begin", first=-1)
        start = time.time()
        publisher.start("publish_many", channels=channels, messages=SOCKETS, at_once=SOCKETS)
        found = clients.call("expect", marks=SOCKETS)
        seconds = found["last"] - start
        publisher.answer()
        time.sleep(3)
        before = cpu_seconds(web.pid)
        time.sleep(QUIET)
        poll = 1000 * (cpu_seconds(web.pid) - before) / (QUIET / POLL)
    assert found["received"] == SOCKETS, found
    yield at_most("many_channels", "10 000 channels, one event each, all delivered", seconds, 2, seconds=seconds, goal_seconds=2)
    yield at_most("many_channels", "CPU per position poll, everything idle included", poll, 40, cpu_ms=poll, goal_ms=40)
