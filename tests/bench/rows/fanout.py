"""CPU of the server's process per delivery: one room of 1 000 signed-in sockets, frames of 380 bytes, against nchan and plain Channels."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

from tests.bench.crowd import Child, crowd, deliver
from tests.bench.figures import Line, against
from tests.bench.lab import Lab
from tests.bench.peers.channels_plain import PLAIN
from tests.bench.peers.eventstream import EVENTSTREAM
from tests.bench.peers.nchan import NCHAN
from tests.bench.peers.node import SOCKET_IO, WS
from tests.bench.peers.peer import Missing, Peer
from tests.bench.processes import cpu_seconds
from tests.support.servers import Web

SOCKETS, RATE = 1000, 40.0
OURS, PEERS = 298, 380  # characters of text that make frames of 380 bytes


@dataclass(slots=True)
class Measured:
    """A server with its sockets and its publisher, ready for another round."""

    name: str
    pid: int
    clients: Child
    publisher: Child
    publishing: dict[str, object]
    sockets: int
    size: int
    web: Web | None = None  # where it is ours

    def round(self, messages: int, rate: float) -> tuple[float, dict[str, float]]:
        """Microseconds of CPU per delivery, and what the clients saw."""
        before = cpu_seconds(self.pid)
        found = deliver(self.clients, self.publisher, sockets=self.sockets, messages=messages, rate=rate, size=self.size, **self.publishing)
        return 1e6 * (cpu_seconds(self.pid) - before) / max(1, found["received"]), found


def ours(lab: Lab, stack: ExitStack, server: str, sockets: int = SOCKETS, channel: str = "bench:1") -> Measured:
    """Our web process with its signed-in sockets."""
    web = stack.enter_context(lab.web(server))
    clients = stack.enter_context(lab.crowd(web, sockets, [channel]))
    publisher = stack.enter_context(lab.publisher())
    return Measured(server, web.pid, clients, publisher, {"channel": channel}, sockets, OURS, web)


def peer(lab: Lab, stack: ExitStack, one: Peer, sockets: int = SOCKETS) -> Measured:
    """A peer with as many sockets. Raises Missing."""
    running = stack.enter_context(one.start(lab.folder))
    clients = stack.enter_context(crowd(running.url, [""] * sockets, {}, speaks=running.speaks))
    publisher = stack.enter_context(Child("tests.bench.publisher", running.environment) if running.environment else lab.poster())
    return Measured(one.name, running.pid, clients, publisher, running.publishing, sockets, PEERS)


def in_pairs(one: Measured, other: Measured, *, rounds: int, messages: int, rate: float = RATE) -> tuple[float, float]:
    """The median cost of each, measured by turns after a round to warm up."""
    costs: tuple[list[float], list[float]] = [], []
    for side in (one, other):
        side.round(messages // 2, rate)
    for _ in range(rounds):
        for side, found in zip((one, other), costs, strict=True):
            found.append(side.round(messages, rate)[0])
    return median(costs[0]), median(costs[1])


def alone(one: Measured, *, rounds: int, messages: int, rate: float) -> float:
    one.round(messages // 2, rate)
    return median(one.round(messages, rate)[0] for _ in range(rounds))


def run(lab: Lab) -> Iterator[Line]:
    """The servers of ours against nchan, by turns; and the other peers by themselves."""
    plain = _cost(lab, PLAIN, messages=8, rate=2.0)
    for server, goal in (("uvicorn", 1.3), ("daphne", 6.0)):
        with ExitStack() as stack:
            mine = ours(lab, stack, server)
            nchan = peer(lab, stack, NCHAN)
            cost, nchans = in_pairs(mine, nchan, rounds=3, messages=160)
            yield against("fanout", server, cost, nchans, goal, ours_us=cost, nchan_us=nchans)
        if server == "uvicorn":
            yield against("fanout", "uvicorn against plain Channels", cost, plain, 1 / 20, ours_us=cost, channels_us=plain)
    yield from _others(lab)


def _others(lab: Lab) -> Iterator[Line]:
    for one, messages, rate in ((WS, 120, RATE), (SOCKET_IO, 120, RATE), (EVENTSTREAM, 8, 2.0)):
        try:
            yield Line("fanout", one.name, {"us": _cost(lab, one, messages=messages, rate=rate)})
        except Missing as missing:
            yield Line("fanout", f"{one.name} is missing", {"install": str(missing)})


def _cost(lab: Lab, one: Peer, *, messages: int, rate: float) -> float:
    with ExitStack() as stack:
        return alone(peer(lab, stack, one), rounds=2, messages=messages, rate=rate)


__all__: Sequence[str] = ("Measured", "in_pairs", "ours", "peer", "run")
