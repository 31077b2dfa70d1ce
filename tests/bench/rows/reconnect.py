"""5 000 sockets dropped at once and back with their positions: until the last is live, and how often the database is asked."""

from collections.abc import Iterator
from contextlib import ExitStack

from tests.bench.crowd import deliver
from tests.bench.figures import Line, at_most
from tests.bench.lab import Lab
from tests.bench.rows import statements

SOCKETS = 5000


def run(lab: Lab) -> Iterator[Line]:
    with ExitStack() as stack:
        web = stack.enter_context(lab.web("uvicorn"))
        publisher = stack.enter_context(lab.publisher())
        clients = stack.enter_context(lab.crowd(web, SOCKETS, ["bench:back"], at_once=200))
        deliver(clients, publisher, sockets=SOCKETS, messages=10, rate=5, size=298, channel="bench:back")
        before = statements.count(lab)
        found = clients.call("again")
        asked = statements.count(lab) - before
    assert found["live"] == SOCKETS and not found["unrecovered"], found
    yield at_most("reconnect", "5 000 dropped and back, all live", found["seconds"], 10, seconds=found["seconds"], goal_seconds=10)
    # Thirteen statements a batch, and one of these batches per 10 ms at most; far fewer than one per client.
    yield at_most("reconnect", "database statements for each client", asked / SOCKETS, 1, statements=asked, per_client=asked / SOCKETS)
