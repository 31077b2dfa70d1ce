"""What each web process tells about itself every few seconds, in its row of `Process`; the page of the living system reads it.

Written in one UPDATE; read by whoever looks, so that no process has to answer for another.
"""

import asyncio
import logging
import os
import random
import socket
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError

from core.delivery import figures, service
from core.delivery.broker import broker
from core.delivery.executor import on_executor
from core.metrics import Metric
from core.models import Process

if TYPE_CHECKING:
    from core.delivery.hub import Hub

logger = logging.getLogger(__name__)

EVERY = 5.0  # seconds between two reports
MOST = 100  # people and channels in one, the busiest

COUNTED: dict[str, Metric] = {
    "rescued": figures.relay_rescues,
    "gaps": figures.gaps,
    "resyncs": figures.resyncs,
    "slow": figures.slow_closes,
}


class Report:
    """Remembers the figures of the last report: what is told of counters is by the second since then."""

    def __init__(self, hub: "Hub") -> None:
        self._hub = hub
        self._at = time.monotonic()
        self._before = self._counters()
        self._lags = figures.lag.counts()

    async def keep(self) -> None:
        """Report for ever; a database that is away hears the next one."""
        while True:
            await asyncio.sleep(EVERY * random.uniform(0.8, 1.2))
            try:
                await on_executor(_write, self._hub.id, self.take(time.monotonic()))
            except DatabaseError as error:
                logger.debug("a report was not written: %s", error)

    def take(self, now: float) -> dict[str, Any]:
        """The report of this moment: counts, rates by the second, lag in seconds (upper bounds), who and what there is most of."""
        seconds, self._at = max(now - self._at, 0.001), now
        before, self._before = self._before, self._counters()
        lags_before, self._lags = self._lags, figures.lag.counts()
        lags = [now - then for now, then in zip(self._lags, lags_before, strict=True)]
        hub = self._hub
        people: list[tuple[str, str, int]] = [(user, next(iter(tabs)).reader.name, len(tabs)) for user, tabs in hub.tabs() if tabs]
        channels = [(name, len(topic.subscriptions), topic.head) for name, topic in hub.topics.items() if topic.subscriptions]
        return {
            "where": f"{socket.gethostname()[:40]}-{os.getpid()}",
            "guests": len(hub.connections) - sum(tabs for _, _, tabs in people),
            "channels_open": len(channels),
            "rates": {name: round((value - before[name]) / seconds, 2) for name, value in self._before.items()},
            "lag_p50": _quantile(lags, 0.5),
            "lag_p99": _quantile(lags, 0.99),
            "breaker_open": broker.breaker.is_open,
            "people": sorted(people, key=lambda row: -row[2])[:MOST],
            "channels": sorted(channels, key=lambda row: -row[1])[:MOST],
        }

    def _counters(self) -> dict[str, float]:
        return {name: metric.value() for name, metric in COUNTED.items()}


def _write(process: str, report: dict[str, Any]) -> None:
    Process.objects.filter(pk=process).update(figures=report | service.measured())


def _quantile(counts: Sequence[int], part: float) -> float | None:
    """The upper bound of the bucket in which this part of the observations ends; None where there are none."""
    wanted, running = part * sum(counts), 0
    for bound, count in zip((*figures.lag.buckets, figures.lag.buckets[-1]), counts, strict=True):
        running += count
        if running and running >= wanted:
            return bound
    return None
