"""Somebody who sends to very many, in a process of its own: `python -m tests.bench.sender`. Speaks as publisher.py does."""

import json
import sys
import time
from typing import Any

from tests.bench.publisher import mark, unnumbered  # sets Django up

_PEOPLE = """
INSERT INTO auth_user (username, password, is_superuser, is_staff, is_active, first_name, last_name, email, date_joined)
SELECT %s || n, '!', {false}, {false}, {true}, '', '', '', CURRENT_TIMESTAMP FROM ({numbers}) AS numbers
"""
_NUMBERS = {
    "postgresql": "SELECT n FROM generate_series(1, %s) AS n",
    "sqlite": "WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < %s) SELECT n FROM counted",
}

LOG_FILES = 48  # of 16 MB, as many as min_wal_size keeps and as a million inbox rows need with what their site wrote before


def people(*, total: int) -> dict[str, Any]:
    """Make people until there are so many."""
    from django.contrib.auth import get_user_model
    from django.db import connection

    model = get_user_model()
    known = model.objects.count()
    words = {"false": "false", "true": "true"} if connection.vendor == "postgresql" else {"false": "0", "true": "1"}
    with connection.cursor() as cursor:
        if known < total:
            cursor.execute(_PEOPLE.format(numbers=_NUMBERS[connection.vendor], **words), [f"crowd{known}-", total - known])
        if connection.vendor == "postgresql":
            cursor.execute("VACUUM ANALYZE")  # else autovacuum does it beside what is measured
            _have_written(cursor)
        else:
            cursor.execute("ANALYZE")
    return {"people": model.objects.count(), "one": model.objects.order_by("-pk").values_list("username", flat=True).first()}


def _have_written(cursor: Any) -> None:
    """Have Postgres own the files of a log that has been written for a while, which a checkpoint lets it use again.

    A new one fills each of them with zeros in the transaction that first comes across it: for 4.5 ms, 33 times in a million rows.
    """
    for _ in range(LOG_FILES):
        cursor.execute("SELECT pg_logical_emit_message(false, 'bench', 'written'), pg_switch_wal()")
    cursor.execute("CHECKPOINT")


def notify(*, recipients: int) -> dict[str, Any]:
    """Notify so many people by a queryset; seconds until it has committed and is numbered."""
    from django.contrib.auth import get_user_model
    from django.db import connection

    from notifications.actions import notify as tell

    chosen = get_user_model().objects.order_by("pk")
    last = chosen.values_list("pk", flat=True)[recipients - 1]
    connection.ensure_connection()
    start = time.perf_counter()
    sent = tell(chosen.filter(pk__lte=last), title="To very many", body="One payload, narrow rows.")
    seconds = time.perf_counter() - start
    return {"recipients": sent.recipients, "seconds": seconds, "unnumbered": unnumbered()}


def send(*, audience: str = "all") -> dict[str, Any]:
    """Broadcast to all of them, as a click on Send does. `at`: when it was called, by the clock of the wall."""
    from notifications.actions import broadcast

    at, start = time.time(), time.perf_counter()
    made = broadcast(audience, title=f"Maintenance {mark(0)}", body="At 22:00, for ten minutes.")
    return {"at": at, "seconds": time.perf_counter() - start, "broadcast": made.pk, "total": made.total}


_swept = time.monotonic()


def standing(*, broadcast: int) -> dict[str, Any]:
    """How far it is; every five seconds the job is sent as beat sends it: what woke a worker that was still starting is stale by then."""
    from core import jobs
    from notifications.models import Broadcast

    global _swept
    if time.monotonic() - _swept > 5:
        _swept = time.monotonic()
        jobs.wake("broadcasts_due")
    made = Broadcast.objects.get(pk=broadcast)
    return {"state": made.state, "written": made.written, "finished_at": made.finished_at.timestamp() if made.finished_at else 0.0}


def rows(*, broadcast: int) -> dict[str, Any]:
    """How many inbox rows there are of it, and of how many people."""
    from django.db.models import Count

    from notifications.models import Broadcast, InboxItem

    items = InboxItem.objects.filter(notification=Broadcast.objects.get(pk=broadcast).notification_id)
    return items.aggregate(rows=Count("pk"), people=Count("user", distinct=True))


COMMANDS = {"people": people, "notify": notify, "send": send, "standing": standing, "rows": rows}


def main() -> None:
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        command, given = json.loads(line)
        print(json.dumps(COMMANDS[command](**given)), flush=True)


if __name__ == "__main__":
    main()
