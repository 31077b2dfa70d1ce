"""A hub's part in presence: counts its own people's tabs per channel, and writes what changed once a second."""

import asyncio
import logging
import random
import time
from collections import Counter
from typing import TYPE_CHECKING

from django.db import DatabaseError

from core.delivery import presence
from core.delivery.executor import on_executor

if TYPE_CHECKING:
    from core.delivery.topic import Subscription

logger = logging.getLogger(__name__)

EVERY = 1.0  # seconds between two writes
REFRESH = 5.0  # seconds between two renewals of the process's lease
AT_ONCE = 1000  # places in one transaction


class Attendance:
    """Who is on which channel through this process."""

    def __init__(self, process: str) -> None:
        self._process = process
        self._tabs: Counter[presence.Place] = Counter()
        self._changed: set[presence.Place] = set()
        self._refresh_at = 0.0

    def came(self, subscription: "Subscription") -> None:
        self._count(subscription, 1)

    def went(self, subscription: "Subscription") -> None:
        self._count(subscription, -1)

    def _count(self, subscription: "Subscription", step: int) -> None:
        reader, topic = subscription.connection.reader, subscription.topic
        who = reader.name or reader.guest
        if topic.kind.has_presence:
            place = (topic.text, who)
            self._tabs[place] += step
            if not self._tabs[place]:
                del self._tabs[place]
            self._changed.add(place)

    async def keep(self) -> None:
        """Write and renew for ever; a database that is away is tried again."""
        while True:
            await asyncio.sleep(EVERY * random.uniform(0.8, 1.2))
            try:
                await self._once(time.monotonic())
            except DatabaseError as error:
                logger.debug("presence waits for the database: %s", error)

    async def _once(self, now: float) -> None:
        if now >= self._refresh_at:
            if not await on_executor(presence.refresh, self._process):
                self._changed |= set(self._tabs)
            await on_executor(presence.sweep)
            self._refresh_at = now + REFRESH
        await self._write()

    async def _write(self) -> None:
        changed, self._changed = sorted(self._changed), set()
        for start in range(0, len(changed), AT_ONCE):
            portion = changed[start : start + AT_ONCE]
            try:
                await on_executor(presence.write, self._process, {place: self._tabs.get(place, 0) for place in portion})
            except DatabaseError:
                self._changed.update(changed[start:])
                raise
