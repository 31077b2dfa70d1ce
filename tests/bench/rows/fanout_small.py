"""The fan-out for CI: 200 sockets, ours and plain Channels in one run, only their ratio, and red only at twice what was promised."""

from collections.abc import Iterator
from contextlib import ExitStack

from tests.bench.figures import Line, against
from tests.bench.lab import Lab
from tests.bench.peers.channels_plain import PLAIN
from tests.bench.rows.fanout import alone, ours, peer

SOCKETS, MESSAGES, RATE = 200, 60, 10.0
PROMISED = 1 / 20


def run(lab: Lab) -> Iterator[Line]:
    with ExitStack() as stack:
        theirs = alone(peer(lab, stack, PLAIN, SOCKETS), rounds=1, messages=MESSAGES, rate=RATE)
    with ExitStack() as stack:
        mine = alone(ours(lab, stack, "uvicorn", SOCKETS), rounds=1, messages=4 * MESSAGES, rate=4 * RATE)
    yield against("fanout_small", "uvicorn against plain Channels", mine, theirs, 2 * PROMISED, ours_us=mine, channels_us=theirs)
