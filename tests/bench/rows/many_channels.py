"""10 000 user channels on one process, one notification each: until all have theirs, and what the position poll costs."""

import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack

from tests.bench.figures import Line, at_most
from tests.bench.lab import Lab
from tests.bench.processes import cpu_seconds
from tests.support.servers import Web

SOCKETS, QUIET = 10_000, 12.0


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
        before, told = cpu_seconds(web.pid), _told(web)
        time.sleep(QUIET)
        after, tells = cpu_seconds(web.pid), _told(web)
    polls, cost = (tells[name] - told[name] for name in ("signalbox_polls_total", "signalbox_poll_cpu_seconds_total"))
    poll, idle = 1000 * cost / polls, 1000 * (after - before) / QUIET
    assert found["received"] == SOCKETS, found
    yield at_most("many_channels", "10 000 channels, one event each, all delivered", seconds, 2, seconds=seconds, goal_seconds=2)
    yield at_most("many_channels", "CPU of a position poll", poll, 40, cpu_ms=poll, goal_ms=40, of=polls)
    yield Line("many_channels", "all that the process does in a second while nothing happens (pings, polls)", {"cpu_ms": idle})


def _told(web: Web) -> dict[str, float]:
    with urllib.request.urlopen(web.url + "/metrics") as answer:
        lines = [line for line in answer.read().decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}
