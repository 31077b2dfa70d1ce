"""1 000 clients cut every 15 seconds or so for 2 seconds, 2 events a second for a minute: everything arrives exactly once."""

from collections.abc import Iterator
from contextlib import ExitStack

from tests.bench.figures import Line, at_most
from tests.bench.lab import Lab

SOCKETS, SECONDS, RATE = 1000, 60.0, 2.0


def run(lab: Lab) -> Iterator[Line]:
    with ExitStack() as stack:
        web = stack.enter_context(lab.web("uvicorn"))
        publisher = stack.enter_context(lab.publisher())
        clients = stack.enter_context(lab.crowd(web, SOCKETS, ["bench:jitter"]))
        clients.call("begin", first=0)
        messages = int(SECONDS * RATE)
        publisher.start("publish", messages=messages, rate=RATE, channel="bench:jitter", size=298)
        cut = clients.call("jitter", every=15.0, off=2.0, seconds=SECONDS)
        publisher.answer()
        found = clients.call("expect", marks=SOCKETS * messages)
    share = found["received"] / (SOCKETS * messages)
    wrong = found["wrong"] + abs(SOCKETS * messages - found["received"]) + cut["unrecovered"]
    values = {"cuts": cut["cuts"], "delivered_percent": 100 * share, "out_of_order_or_missing": wrong}
    yield Line("jitter", "delivered exactly once", values, goal=1.0, ratio=1.0 + wrong)
    # From the end of the two seconds away until the client has what it missed.
    yield at_most("jitter", "replay p99", cut["wait_p99"], 3, seconds=cut["wait_p99"], goal_seconds=3, anycable=6.1, socketio=4.6)
