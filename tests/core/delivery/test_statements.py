"""The hand-written SQL of publishing and numbering, on Postgres."""

from collections.abc import Callable

import pytest

pytestmark = pytest.mark.postgres


def test_a_publish_is_one_round_trip_and_in_a_transaction_four_many_are_copied_as_they_are_and_no_transaction_is_left_open(
    printed: Callable[[str], list[str]],
) -> None:
    assert printed(_SCRIPT) == [
        "1 round trip, IDLE",
        "4 round trips in a transaction, IDLE",
        "numbered: 3",
        "a numbering that fails: 3, IDLE, autocommit",
        "afterwards: 5",
        "inside a transaction: 6, INTRANS",
        "rolled back: 5",
        "copied: as they were, in their order",
        "rolled back: 255",
    ]


_SCRIPT = """
from django.db import connection, transaction
from psycopg import Connection

from core.delivery import failpoints, sequencer, wire
from core.delivery.publishing import NewEvent, publish, publish_many
from core.models import Event

def numbered():
    return Event.objects.filter(offset__isnull=False).count()

def status():
    return connection.connection.info.transaction_status.name

publish("testlog:a", "line", {"text": "makes the channel's row"})

trips, wait, generators = [0], Connection.wait, []
def count(self, gen, *args, **kwargs):
    def counted():
        # Whoever waits for the socket asks its generator for what to wait for.
        try:
            value = next(gen)
        except StopIteration as end:
            return end.value
        trips[0] += 1
        while True:
            sent = yield value
            try:
                value = gen.send(sent)
            except StopIteration as end:
                return end.value
    return wait(self, counted(), *args, **kwargs)

Connection.wait = count
publish("testlog:a", "line", {"text": "counted"})
print(f"{trips[0]} round trip, {status()}")
trips[0] = 0
with transaction.atomic():
    publish("testlog:a", "line", {"text": "counted"})
Connection.wait = wait
print(f"{trips[0]} round trips in a transaction, {status()}")
print("numbered:", numbered())

hit = failpoints.hit
failpoints.hit = lambda point: 1 / 0 if point == "in_sequencer" else None
try:
    with transaction.atomic():
        publish("testlog:a", "line", {"text": "stays unnumbered for now"})
except ZeroDivisionError:
    pass
failpoints.hit = hit
print(f"a numbering that fails: {numbered()}, {status()}, {'autocommit' if connection.get_autocommit() else 'none'}")
publish("testlog:a", "line", {"text": "takes the other one along"})
print("afterwards:", numbered())

try:
    with transaction.atomic():
        publish("testlog:a", "line", {"text": "never was"})
        sequencer.sequence(["testlog:a"])
        print(f"inside a transaction: {numbered()}, {status()}")
        raise KeyError
except KeyError:
    pass
print("rolled back:", numbered())

texts = [f"{n}\\t\\n\\r\\\\N \\\\. {chr(0x1F642)} \\u00e9 " for n in range(250)]
with transaction.atomic():
    ids = publish_many([NewEvent("testlog:a", "line", {"text": text}, key="\\t" if n % 2 else "") for n, text in enumerate(texts)])
rows = list(Event.objects.filter(id__in=ids).order_by("offset").values_list("id", "data", "key", "major", "minor"))
same = [id for id, *_ in rows] == ids == sorted(ids) and [wire.load(data)["text"] for _, data, *_ in rows] == texts
same = same and [(key, major, minor) for *_, key, major, minor in rows] == [("\\t" if n % 2 else "", None, 0) for n in range(250)]
print("copied:", "as they were, in their order" if same else rows[:3])

try:
    with transaction.atomic():
        publish_many([NewEvent("testlog:a", "line", {"text": "never was"}) for _ in range(250)])
        raise KeyError
except KeyError:
    pass
print("rolled back:", Event.objects.count())
"""


def test_what_postgres_learnt_in_a_busy_moment_makes_it_read_the_whole_table_no_more_than_before(
    printed: Callable[[str], list[str]],
) -> None:
    assert printed(_PLANS) == [f"{name}: along an index" for name in _ASKED]


_ASKED = ("relay", "outbox age", "lock", "catch-up", "standing", "standing below")
_PLANS = """
from django.db import connection, transaction

from core.delivery import service, statements

with connection.cursor() as cursor:
    # A tenth waits as the statistics are taken, as in a burst; a moment later nothing does.
    cursor.execute(
        "INSERT INTO signalbox_event (channel, type, slot, key, minor, data, \\"offset\\") "
        "SELECT 'teststate:' || n % 50, 'value', 'value', 'k' || n, 0, repeat('x', 200), CASE WHEN n < 36000 THEN n END "
        "FROM generate_series(1, 40000) AS n"
    )
    cursor.execute("ANALYZE signalbox_event")
    cursor.execute("UPDATE signalbox_event SET \\"offset\\" = id WHERE \\"offset\\" IS NULL")

plans = []
def explain(execute, sql, params, many, context):
    if "signalbox_event" in sql:
        with connection.connection.cursor() as cursor:
            for one in (part for part in cursor.mogrify(sql, params).split("; ") if "signalbox_event" in part):
                cursor.execute("EXPLAIN " + one)
                plans.append("\\n".join(line for line, in cursor.fetchall()))
    return execute(sql, params, many, context)

channels, keys = [f"teststate:{n}" for n in range(40)], {f"k{n}" for n in range(1, 400)}
asked = {
    "relay": lambda: statements.waiting_anywhere(limit=2000, using="default"),
    "outbox age": service.outbox_age,
    "lock": lambda: statements.lock(channels, skip_locked=True, patience_ms=50, limit=501, using="default"),
    "catch-up": lambda: list(statements.between([(name, 10, 200) for name in channels], using="default")),
    "standing": lambda: statements.standing("teststate:1", keys, (), using="default"),
    "standing below": lambda: statements.standing("teststate:1", keys, keys, using="default"),
}
for name, ask in asked.items():
    plans.clear()
    with transaction.atomic(), connection.execute_wrapper(explain):
        ask()
    whole = [plan for plan in plans if "Seq Scan on signalbox_event" in plan or "signalbox_event_pkey" in plan or "event_created" in plan]
    print(f"{name}:", "along an index" if plans and not whole else whole or "no plan")
"""
