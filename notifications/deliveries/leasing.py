"""Who works on what: deliveries are leased, and whoever dies with a lease loses it when it runs out."""

import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from core.tallies import SharedCounter
from notifications.deliveries.reasons import Reason
from notifications.inbox import released
from notifications.models import Delivery

LEASE = timedelta(minutes=2)
MOST_ATTEMPTS = 9  # with the pauses below: given up after some two hours
FIRST_PAUSE, LONGEST_PAUSE = 30.0, 3600.0

OUTCOMES = SharedCounter(
    "signalbox_ways_out_total",
    "Deliveries by what came of them: sent, not_needed and postponed with the reason, failed (tried again), dead.",
    labels=("transport", "outcome", "reason"),
)
_OUTCOMES = {"done": "sent", "skipped": "not_needed", "dead": "dead"}


def claim_due(transport: str, *, now: datetime, limit: int) -> list[Delivery]:
    """Lease what is due this way and released, oldest first; nobody else is given these until the lease runs out.

    `due_at` then is the lease's end: a worker that dies leaves rows that are due again at that time.
    """
    with transaction.atomic():
        due = Delivery.objects.filter(released("item__notification"), transport=transport, state__in=["due", "leased"], due_at__lte=now)
        keys = list(due.select_for_update(of=("self",), skip_locked=True).order_by("due_at", "pk").values_list("pk", flat=True)[:limit])
        mine = Delivery.objects.filter(pk__in=keys)
        mine.update(state="leased", leased_until=now + LEASE, due_at=now + LEASE)
        return list(mine.select_related("item__notification", "item__user").order_by("pk"))


def begin(delivery: Delivery) -> bool:
    """Count an attempt, before it is made: one that kills the worker each time is given up too. False: the lease is gone."""
    return _update(delivery, attempts=delivery.attempts + 1)


def finish(delivery: Delivery, state: str, reason: str, *, now: datetime) -> bool:
    """Say how it ended: done, skipped or dead. False: the lease is gone, somebody else has it or it was owed anew."""
    # Withdrawn while it was on its way, it has been sent all the same: the record says what happened.
    held = ("leased", "skipped") if state == "done" else ("leased",)
    ended = _update(delivery, held, state=state, reason=reason[:200], finished_at=now, leased_until=None)
    if ended:
        _count(delivery, _OUTCOMES[state], reason if state == "skipped" else "")
    return ended


def postpone(delivery: Delivery, until: datetime, reason: str) -> bool:
    """Give the lease back: due again at that time."""
    return _give_back(delivery, until, reason, outcome="postponed")


def give_back(delivery: Delivery, *, now: datetime) -> bool:
    """Nothing was done with it: due again now, for whoever comes next."""
    return _update(delivery, state="due", due_at=now, leased_until=None)


def fail(
    delivery: Delivery, why: str, *, now: datetime, permanent: bool = False, after: float | None = None,
    jitter: Callable[[], float] = random.random,
) -> bool:  # fmt: skip
    """It was not accepted: again later, not before `after` seconds, or never again."""
    if permanent or delivery.attempts >= MOST_ATTEMPTS:
        return finish(delivery, "dead", why, now=now)
    until = now + timedelta(seconds=max(pause(delivery.attempts, jitter()), after or 0.0))
    return _give_back(delivery, until, why, outcome="failed")


def _give_back(delivery: Delivery, until: datetime, reason: str, *, outcome: str) -> bool:
    given = _update(delivery, state="due", due_at=until, reason=reason[:200], leased_until=None)
    if given:
        _count(delivery, outcome, reason if outcome == "postponed" else "")
    return given


def _count(delivery: Delivery, outcome: str, reason: str) -> None:
    # The code alone: the words of others are no label.
    known = Reason.of(reason)
    OUTCOMES.inc(transport=delivery.transport, outcome=outcome, reason=known.code if known.is_known else "address" if reason else "")


def pause(attempts: int, chance: float) -> float:
    """Seconds until the next attempt: twice as long each time, and by up to a half longer: what failed together returns apart."""
    return min(FIRST_PAUSE * float(2 ** max(attempts - 1, 0)), LONGEST_PAUSE) * (1 + chance / 2)


def try_again(deliveries: Any, *, now: datetime) -> int:
    """Take what was given up, or not needed, up again from the beginning."""
    ended = deliveries.filter(state__in=["dead", "skipped"])
    return int(ended.update(state="due", due_at=now, attempts=0, reason="", finished_at=None, leased_until=None))


def _update(delivery: Delivery, held: Sequence[str] = ("leased",), **values: Any) -> bool:
    # Whose lease it is, its end says: no two claims of one row have the same.
    mine = Delivery.objects.filter(pk=delivery.pk, state__in=held, leased_until=delivery.leased_until)
    if mine.update(**values) != 1:
        return False
    for name, value in values.items():
        setattr(delivery, name, value)
    return True
