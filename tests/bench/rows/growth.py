"""What a delivery costs as channels and processes grow; sockets grow in big_rooms. Curves, and a bound on how far they rise."""

from collections.abc import Iterator
from contextlib import ExitStack

from tests.bench.figures import Line, against
from tests.bench.lab import Lab
from tests.bench.processes import cpu_seconds
from tests.bench.rows.fanout import ours

SOCKETS, MESSAGES, RATE = 1000, 60, 40.0
CHANNELS = (1, 100, 1000, 9000)  # open channels beside the room, each with a socket of its own
PROCESSES = (1, 2, 4)


def run(lab: Lab) -> Iterator[Line]:
    """CPU per delivery in one room of 1 000, whatever else a process holds; and of all processes together."""
    costs = _beside(lab)
    yield against("growth", "9 001 channels against 2, CPU per delivery", costs["us_at_9000"], costs["us_at_1"], 1.5, **costs)
    costs = {f"us_at_{count}": _shared(lab, count) for count in PROCESSES}
    yield against("growth", "4 processes against one, CPU per delivery", costs["us_at_4"], costs["us_at_1"], 1.5, **costs)


def _beside(lab: Lab) -> dict[str, float]:
    """One process and its thousand, beside more and more channels."""
    costs, there = {}, 0
    with ExitStack() as stack:
        mine = ours(lab, stack, "uvicorn", SOCKETS, channel="bench:beside-many")
        assert mine.web is not None
        for count in CHANNELS:
            others = [f"benchown:{pk}" for pk, _ in lab.people(SOCKETS + count)[SOCKETS + there :]]
            stack.enter_context(lab.crowd(mine.web, count - there, [], each=others, skip=SOCKETS + there))
            there = count
            mine.round(MESSAGES // 2, RATE)
            costs[f"us_at_{count}"] = mine.round(MESSAGES, RATE)[0]
    return costs


def _shared(lab: Lab, count: int) -> float:
    """The same thousand sockets on so many processes, which share a core here: what more processes cost, not what they bring."""
    channel, each = f"bench:shared{count}", SOCKETS // count
    with ExitStack() as stack:
        webs = [stack.enter_context(lab.web("uvicorn")) for _ in range(count)]
        crowds = [stack.enter_context(lab.crowd(web, each, [channel], skip=each * number)) for number, web in enumerate(webs)]
        publisher = stack.enter_context(lab.publisher())
        before = 0.0
        for messages in (MESSAGES // 2, MESSAGES):  # the first to warm up
            before = sum(cpu_seconds(web.pid) for web in webs)
            for one in crowds:
                one.call("begin", first=-1)
            publisher.start("publish", messages=messages, rate=RATE, channel=channel)
            for one in crowds:
                one.start("expect", marks=each * messages)
            received = sum(one.answer()["received"] for one in crowds)
            publisher.answer()
        return 1e6 * (sum(cpu_seconds(web.pid) for web in webs) - before) / max(1, received)
