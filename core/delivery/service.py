"""What this installation does, over all its web processes: each leaves its figures in its row, and here they are put together.

A process counts for itself (core/delivery/figures.py), so rates are reckoned where the counters are, between two reports. How many
events were published is the same question for everybody, whoever published them: how far the outbox's ids have got.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError
from django.db.models import Max
from django.db.models.functions import Coalesce, Now

from core.delivery import figures
from core.metrics import Gauge
from core.models import Event, Process


@dataclass(frozen=True, slots=True)
class Service:
    """All living web processes together, rates per second. `lag`: milliseconds from publish to fan-out, mean; None: nothing went out."""

    processes: int
    connections: int
    publishes: float
    deliveries: float
    lag: float | None


@dataclass(frozen=True, slots=True)
class _Reading:
    """The counters of this process at a moment of its monotonic clock."""

    at: float
    published: int
    deliveries: float
    lags: int
    lag_seconds: float


class Meter:
    """One process's figures between two looks."""

    def __init__(self) -> None:
        self._before: _Reading | None = None
        self._lock = threading.Lock()

    def look(self, now: float) -> dict[str, Any]:
        """What this process leaves for the others. Blocking: one query."""
        newest = Event.objects.aggregate(newest=Max("pk"))["newest"] or 0
        reading = _Reading(now, newest, figures.deliveries.value(), figures.lag.count(), figures.lag.value())
        with self._lock:
            before, self._before = self._before, reading
        return {"connections": int(figures.connections.value())} | (_rates(before, reading) if before else {})


def _rates(before: _Reading, now: _Reading) -> dict[str, float]:
    seconds, lags = max(now.at - before.at, 0.001), now.lags - before.lags
    rates = {
        # The newest id may go back: compaction deletes what lost.
        "publishes": max(0, now.published - before.published) / seconds,
        "deliveries": max(0.0, now.deliveries - before.deliveries) / seconds,
        "lags": float(max(0, lags)),
    }
    return rates | ({"lag": (now.lag_seconds - before.lag_seconds) / lags * 1000} if lags > 0 else {})


_meter = Meter()


def measured() -> dict[str, Any]:
    """This process's figures since it was last asked; only its report asks. Blocking: one query."""
    return _meter.look(time.monotonic())


def outbox_age() -> float | None:
    """Seconds that the oldest committed event has waited for its offset; None while the database does not answer. Blocking: one query."""
    # Not along the index of all times: Postgres would walk through it to find that nothing waits.
    waiting = Event.objects.filter(offset__isnull=True).order_by(Coalesce("created_at", Now())).annotate(now=Now())
    try:
        oldest = waiting.values_list("created_at", "now").first()
    except DatabaseError:
        return None
    return max(0.0, (oldest[1] - oldest[0]).total_seconds()) if oldest else 0.0


Gauge("signalbox_outbox_age_seconds", "How long the oldest committed event has waited for its offset.", read=outbox_age)


def together() -> Service:
    """The figures of all web processes whose leases hold. Blocking: one query."""
    return put_together([row or {} for row in Process.web().values_list("figures", flat=True)])


def put_together(alive: Sequence[Mapping[str, Any]]) -> Service:
    """The figures that these processes left, as one."""
    lags = sum(row.get("lags", 0.0) for row in alive)
    weighed = sum(row.get("lag", 0.0) * row.get("lags", 0.0) for row in alive)
    return Service(
        processes=len(alive),
        connections=sum(row.get("connections", 0) for row in alive),
        # Each of them measured the same; the freshest reading is the highest when it grows, and the lowest never matters for long.
        publishes=max((row.get("publishes", 0.0) for row in alive), default=0.0),
        deliveries=sum(row.get("deliveries", 0.0) for row in alive),
        lag=weighed / lags if lags else None,
    )
