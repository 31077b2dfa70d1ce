"""Reading from the table what did not arrive: coalesced catch-up reads, and the position poll that notices every loss."""

import asyncio
import logging
import random
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from django.db import DatabaseError

from core.delivery import epochs, figures, history
from core.delivery.authority import CHANNEL as AUTHORITY
from core.delivery.executor import on_executor
from core.delivery.position import Range
from core.delivery.topic import Subscription, Topic

if TYPE_CHECKING:
    from core.delivery.hub import Hub

logger = logging.getLogger(__name__)

POLL = 1.5  # seconds, +-20 %
POLL_WITHOUT_LAYER = 0.5
SLICE = 5000  # channels in one poll query
RETRY = 0.5  # seconds after the database failed


class Reading:
    """One hub's reads."""

    def __init__(self, hub: "Hub") -> None:
        self._hub = hub
        self._missing: dict[str, int] = {}  # channel -> the offset after which the table must be read
        self._working = False
        self._behind: set[str] = set()  # channels whose table stood below us at the last poll

    def soon(self, topic: Topic, after: int) -> None:
        """Read a channel from the table after an offset: one coalesced read for everybody here who misses the same."""
        self._missing[topic.text] = min(after, self._missing.get(topic.text, after))
        if not self._working:
            self._working = True
            self._hub.spawn(self._work())

    def notice(self, channel: str, head: int) -> None:
        """Somebody says that a channel has come this far."""
        topic = self._hub.topics.get(channel)
        if topic is not None and topic.opened and head > topic.head:
            self.soon(topic, topic.head)

    async def _work(self) -> None:
        try:
            while self._missing:
                asked, self._missing = self._missing, {}
                try:
                    found = await on_executor(history.stretches, asked)
                except DatabaseError:
                    self._missing = asked | self._missing
                    await asyncio.sleep(RETRY)
                    continue
                for name, stretch in found.items():
                    topic = self._hub.topics.get(name)
                    if topic is not None and topic.opened:
                        await self.absorb(topic, stretch)
        finally:
            self._working = False

    async def absorb(self, topic: Topic, stretch: history.Stretch) -> None:
        """Work a read into a topic's memory and bring everybody on; who cannot be brought on is told to resync."""
        # A read that was cut off below our memory would leave a hole in it.
        if stretch.epoch != topic.epoch or not stretch.kept or stretch.end < topic.start:
            self.restart(topic, stretch)
            await self._hub.fanout.paced(topic)
            return
        topic.look_back(stretch.start, stretch.events)
        if stretch.end > topic.head:
            entries = topic.take(Range(stretch.epoch, topic.head, stretch.end), stretch.events)
            await self._hub.fanout.take_effect(topic, entries)
        else:
            await self._hub.fanout.paced(topic)
        if not stretch.whole:
            self.soon(topic, topic.head)

    def restart(self, topic: Topic, stretch: history.Stretch) -> None:
        """Part of the history is gone: who stands before it must resync; in another epoch that is everybody."""
        another = stretch.epoch != topic.epoch
        far = [one for one in topic.subscriptions.values() if another or one.cursor <= stretch.start]
        if another or stretch.head > topic.head:
            topic.open(stretch.epoch, stretch.head)
        if topic.text == AUTHORITY:
            self._hub.recheck.hold(self._hub.connections)  # a gap in authority: everybody is checked
        for subscription in far:
            self.resync(subscription)
        for waiter in topic.waiters:
            waiter.set()

    def resync(self, subscription: Subscription) -> None:
        """Tell a subscriber to start again from a snapshot; she stands at the head from here on."""
        topic, connection = subscription.topic, subscription.connection
        subscription.cursor = topic.head
        figures.resyncs.inc()
        logger.info("resync", extra={"connection": connection.id, "channel": topic.text})
        if connection.outlet.has_credit and not connection.closing:
            connection.outlet.send_resync(connection.form.resync([topic.text]), topic.text, topic.epoch, topic.head)
        else:
            self._hub.close(connection, 1013)

    # --- the position poll ---

    def pause(self) -> float:
        """Seconds until the next poll."""
        return (POLL_WITHOUT_LAYER if self._hub.without_layer else POLL) * random.uniform(0.8, 1.2)

    async def poll(self) -> None:
        """Compare the heads of all local channels with the table: repairs every loss, and is the transport while the layer is away."""
        names = [name for name, topic in self._hub.topics.items() if topic.opened]
        for start in range(0, len(names), SLICE):
            with _counted():
                held = {name: self._hub.topics[name].head for name in names[start : start + SLICE] if name in self._hub.topics}
            life, elsewhere = await on_executor(_moved, held)
            with _counted():
                self._compare(held, life, elsewhere)
            await self._suspect(held, life, elsewhere)
        figures.polls.inc()

    def _compare(self, held: Iterable[str], life: str, elsewhere: Mapping[str, int]) -> None:
        for name in held:
            topic = self._hub.topics.get(name)
            if topic is not None and topic.opened and (elsewhere.get(name, 0) > topic.head or life != topic.epoch):
                figures.gaps.inc()
                self.soon(topic, topic.head)

    async def _suspect(self, held: Mapping[str, int], life: str, elsewhere: Mapping[str, int]) -> None:
        """A table that stands below what we held before we asked it was taken back: seen twice, that is a new life of the database."""
        behind = {name for name, offset in elsewhere.items() if offset < held[name]}
        sure, self._behind = behind & self._behind, (self._behind - held.keys()) | behind
        if sure:
            await on_executor(epochs.rotate, reason=f"{min(sure)} went back", instead_of=life)
            self._behind.clear()


def _moved(held: Mapping[str, int]) -> tuple[str, dict[str, int]]:
    with _counted():
        return history.moved(held)


@contextmanager
def _counted() -> Iterator[None]:
    """What this block costs this thread is the position poll's."""
    began = time.thread_time()
    try:
        yield
    finally:
        figures.poll_cpu.inc(time.thread_time() - began)
