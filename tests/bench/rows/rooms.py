"""A room of 2 000 signed-in people on one process of uvicorn: a message on all screens, 50 messages a second for a minute, and opening one
with 100 000 messages. Messages are said by the room's own actions: stored, with names looked for, with the hint for the directory.
"""

from collections.abc import Iterator
from contextlib import ExitStack

from tests.bench.crowd import Child, deliver
from tests.bench.figures import Line, at_least, at_most
from tests.bench.lab import Lab

PEOPLE, OLD = 2000, 100_000
CALM, BUSY, SECONDS = 5.0, 50.0, 60


def run(lab: Lab) -> Iterator[Line]:
    room = f"room:{lab.made()['room']}"
    with ExitStack() as stack:
        web = stack.enter_context(lab.web("uvicorn"))
        clients = stack.enter_context(lab.crowd(web, PEOPLE, [room]))
        talker = stack.enter_context(Child("tests.bench.talker", lab.site().env()))
        deliver(clients, talker, sockets=PEOPLE, messages=20, rate=CALM)  # everything that is made once
        calm = deliver(clients, talker, sockets=PEOPLE, messages=50, rate=CALM)
        yield at_most("rooms", "a message on 2 000 screens, p99", calm["p99"], 150, p99_ms=calm["p99"], goal_ms=150, **_lost(calm))
        busy = deliver(clients, talker, sockets=PEOPLE, messages=int(BUSY * SECONDS), rate=BUSY)
        behind = sum(_lost(busy).values())
        said = busy["publishing"]["per_second"]
        yield at_least("rooms", "messages said a second for a minute", said, 0.95 * BUSY, per_s=said, goal_per_s=BUSY)
        yield at_most("rooms", "deliveries missing at the end of it", behind, 0.5, missing=behind, p99_ms=busy["p99"])
        talker.call("fill", messages=OLD, slug="old")
        page = talker.call("visit", times=30, slug="old")
        yield at_most(
            "rooms",
            "opening a room with 100 000 messages",
            page["median"],
            100,
            ms=page["median"],
            max_ms=page["max"],
            queries=page["queries"],
        )


def _lost(found: dict[str, float]) -> dict[str, float]:
    return {"lost": found["expected"] - found["received"], "wrong": found["wrong"], "gone": found["gone"]}
