"""Many sockets in one room: 9 000 at 2 events a second against nchan; what a delivery and a byte of memory cost as sockets grow."""

from collections.abc import Iterator
from contextlib import ExitStack

from tests.bench.figures import Line, against
from tests.bench.lab import Lab
from tests.bench.peers.nchan import NCHAN
from tests.bench.rows.fanout import ours, peer

SOCKETS, MESSAGES, RATE = 9000, 20, 2.0
SIZES = (100, 1000, 3000, 9000)


def run(lab: Lab) -> Iterator[Line]:
    costs = {}
    for size in SIZES:
        with ExitStack() as stack:
            mine = ours(lab, stack, "uvicorn", size, channel=f"bench:grow{size}")
            mine.round(5, RATE)
            messages = max(MESSAGES, 40_000 // size)
            costs[size], found = mine.round(messages, max(RATE, 18_000 / size if size < SOCKETS else RATE))
    yield against("big_rooms", "9 000 sockets against 1 000, CPU per delivery", costs[9000], costs[1000], 1.5, **_named(costs))
    with ExitStack() as stack:
        nchan = peer(lab, stack, NCHAN, SOCKETS)
        nchan.round(5, RATE)
        _, theirs = nchan.round(MESSAGES, RATE)
    lost = found["expected"] - found["received"]
    yield against(
        "big_rooms", "9 000 sockets, p99", found["p99"], theirs["p99"], 1.5, ours_ms=found["p99"], nchan_ms=theirs["p99"], lost=lost
    )


def _named(costs: dict[int, float]) -> dict[str, float]:
    return {f"us_at_{size}": cost for size, cost in costs.items()}
