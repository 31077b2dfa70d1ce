"""What 100 000 and 1 000 000 connections would take, from unit costs that were measured: `python -m tests.bench.scaling` prints the table.

docs/scaling.md explains it. Pure arithmetic: change a unit cost and look again.
"""

from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True, slots=True)
class Costs:
    """Measured on one core (docs/figures.md)."""

    delivery_us: float = 8.0  # CPU per delivery, uvicorn
    batch_us: float = 650.0  # CPU per layer message that a process receives, whoever listens
    connect_ms: float = 1.2
    idle_kb: float = 25.0
    poll_ms_per_10k: float = 10.0  # CPU of the position poll per 10 000 channels, each 1.5 s
    publish_per_second: float = 1000.0  # one Postgres, numbering included
    layer_message_us: float = 20.0  # what Redis spends to hand one message to one process
    busy: float = 0.6  # how full a core may be


@dataclass(frozen=True, slots=True)
class Load:
    """What people do. Each has a channel of her own; the rest is rooms and boards."""

    connections: int
    own_events_per_hour: float = 6.0  # per person
    shared_events_per_second: float = 20.0  # on channels that every process serves
    share_of_people: float = 0.1  # who watches one of those
    most_per_process: int = 20_000


@dataclass(frozen=True, slots=True)
class Plan:
    processes: int
    memory_gb: float
    deliveries_per_second: float
    publishes_per_second: float
    redis_messages_per_second: float
    shards: int
    reconnect_seconds: float
    reconnect_batches: int
    poll_rows_per_second: float


def plan(load: Load, costs: Costs = Costs()) -> Plan:
    """How many processes this load takes, and what it asks of Redis and the database."""
    own = load.connections * load.own_events_per_hour / 3600
    deliveries = own + load.shared_events_per_second * load.share_of_people * load.connections
    processes = ceil(load.connections / load.most_per_process)
    while _core(load, costs, processes, own, deliveries) > costs.busy:
        processes += 1
    # A channel of one's own is one process's; a shared one goes to all of them.
    messages = own + load.shared_events_per_second * processes
    each = load.connections / processes
    return Plan(
        processes=processes,
        memory_gb=load.connections * costs.idle_kb / 1e6 + processes * 0.15,
        deliveries_per_second=deliveries,
        publishes_per_second=own + load.shared_events_per_second,
        redis_messages_per_second=messages,
        shards=max(1, ceil(messages * costs.layer_message_us / 1e6 / costs.busy)),
        reconnect_seconds=each * costs.connect_ms / 1000,
        reconnect_batches=processes * ceil(each / 500),
        poll_rows_per_second=load.connections / 1.5,
    )


def _core(load: Load, costs: Costs, processes: int, own: float, deliveries: float) -> float:
    """How busy each process's core is."""
    messages = own / processes + load.shared_events_per_second
    polls = load.connections / processes / 10_000 * costs.poll_ms_per_10k / 1000 / 1.5
    return deliveries / processes * costs.delivery_us / 1e6 + messages * costs.batch_us / 1e6 + polls


def main() -> None:
    plans = [plan(Load(connections)) for connections in (10_000, 100_000, 1_000_000)]
    print("| | 10 000 | 100 000 | 1 000 000 |\n|---|---|---|---|")
    for name in Plan.__dataclass_fields__:
        print(f"| {name.replace('_', ' ')} | " + " | ".join(f"{getattr(one, name):,.0f}".replace(",", " ") for one in plans) + " |")


if __name__ == "__main__":
    main()
