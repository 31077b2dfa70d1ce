"""Durable publishes with their numbering: one publisher, eight on one channel, many at once; on both databases, and with Redis dead."""

from collections.abc import Iterator

from tests.bench.figures import Line, at_least, at_most
from tests.bench.lab import Lab
from tests.bench.processes import SERVER

MESSAGES = 1500


def run(lab: Lab) -> Iterator[Line]:
    yield from _one(lab, "postgres", "one publisher", least=600, p99=10)
    yield from _eight(lab, "eight publishers, one channel")
    yield from _many(lab)
    lab.valkey.kill()
    try:
        yield from _one(lab, "postgres", "one publisher, Redis dead", least=0, p99=10)
        yield from _eight(lab, "eight publishers, one channel, Redis dead")
    finally:
        lab.valkey.start()
    yield from _one(lab, "sqlite", "one publisher", least=1000, p99=0)


def _one(lab: Lab, database: str, what: str, *, least: float, p99: float) -> Iterator[Line]:
    with lab.publisher(database, core=SERVER) as publisher:
        given = {"rate": 0, "channel": "bench:alone", "size": 300}
        publisher.call("publish", messages=200, **given)
        found = publisher.call("publish", messages=MESSAGES, **given)
    where = f"{database}, {what}"
    if least:
        yield at_least("publishes", where, found["per_second"], least, per_second=found["per_second"], goal_per_second=least)
    if p99:
        yield at_most("publishes", f"{where}, p99", found["p99"], p99, p50_ms=found["p50"], p99_ms=found["p99"], goal_ms=p99)


def _eight(lab: Lab, what: str) -> Iterator[Line]:
    with lab.publisher(core=SERVER) as publisher:
        given = {"threads": 8, "channel": "bench:shared"}
        publisher.call("publish_together", messages=400, **given)
        found = publisher.call("publish_together", messages=2 * MESSAGES, **given)
    if "dead" not in what:
        yield at_least("publishes", f"postgres, {what}", found["per_second"], 1000, per_second=found["per_second"], goal_per_second=1000)
    yield at_most("publishes", f"postgres, {what}, p99", found["p99"], 25, p99_ms=found["p99"], goal_ms=25)


def _many(lab: Lab) -> Iterator[Line]:
    with lab.publisher(core=SERVER) as publisher:
        channels = [f"bench:many{number}" for number in range(20)]
        publisher.call("publish_many", channels=channels, messages=2000, at_once=2000)
        found = publisher.call("publish_many", channels=channels, messages=60_000, at_once=10_000)
    assert not found["unnumbered"], found
    yield at_least(
        "publishes", "postgres, publish_many", found["per_second"], 30_000, per_second=found["per_second"], goal_per_second=30_000
    )
