"""Signed-in connects with three channels, up to date, on one process of uvicorn: CPU, database queries, and memory while they are idle."""

from collections.abc import Iterator
from contextlib import ExitStack

from tests.bench.figures import Line, at_most
from tests.bench.lab import Lab
from tests.bench.processes import cpu_seconds, resident_bytes

SOCKETS, MORE = 1000, 4000


def run(lab: Lab) -> Iterator[Line]:
    room = f"room:{lab.made()['room']}"
    with ExitStack() as stack:
        web = stack.enter_context(lab.web("uvicorn"))
        # Everything that is made once (imports, plans, pools) is made by the first thousand.
        stack.enter_context(lab.crowd(web, SOCKETS, [room]))
        cpu, memory = cpu_seconds(web.pid), resident_bytes(web.pid)
        stack.enter_context(lab.crowd(web, MORE, [room], at_once=200))
        cost = 1000 * (cpu_seconds(web.pid) - cpu) / MORE
        each = (resident_bytes(web.pid) - memory) / MORE / 1000
    yield at_most("connects", "CPU of a signed-in connect, three channels", cost, 1.5, cpu_ms=cost, goal_ms=1.5)
    yield at_most("connects", "memory of an idle connection", each, 32, kB=each, goal_kB=32)
