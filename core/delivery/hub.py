"""The hub: one per web process, one mailbox on the channel layer, and all of this process's connections and channels.

What arrives is decoded once, rendered once per language, encoded once; the same bytes go to every connection that stands at the same
cursor. Its parts: fan-out (fanout.py), reads and the position poll (reading.py), counts (counting.py), authority (recheck.py),
presence (attendance.py). See docs/delivery.md. Runs on the server's event loop only.
"""

import asyncio
import contextlib
import logging
import random
import secrets
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Mapping
from typing import Any

from channels.layers import get_channel_layer
from django.conf import settings
from django.db import DatabaseError

from core.delivery import figures, history, presence
from core.delivery.attendance import Attendance
from core.delivery.broker import HUB_GROUP, broker
from core.delivery.channel import ChannelName, Event, registry
from core.delivery.connection import Connection
from core.delivery.counting import Counting
from core.delivery.executor import on_executor
from core.delivery.fanout import FanOut
from core.delivery.position import Range
from core.delivery.reading import Reading
from core.delivery.recheck import Recheck
from core.delivery.relay import EVERY, Relay
from core.delivery.report import Report
from core.delivery.topic import Subscription, Topic, topic_of

logger = logging.getLogger(__name__)

LINGER = 10.0  # seconds that a channel without subscribers stays joined
REJOIN = 3600.0  # seconds: the in-memory layer forgets members after a day
RETRY = 0.5  # seconds after the database failed
AGAIN = 1.0  # seconds before a task that failed begins again


class Hub:
    """This process's registry of live connections and of the channels that they watch."""

    def __init__(self) -> None:
        self.id = secrets.token_hex(8)
        self._drained: asyncio.AbstractEventLoop | None = None  # where we have drained: last requests must not start us again
        self._reset()

    def _reset(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self.topics: dict[str, Topic] = {}
        self.connections: set[Connection] = set()
        self.draining = False
        self._of_user: dict[str, set[Connection]] = defaultdict(set)
        self._mailbox: str | None = None
        self._rejoin_at = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._relay = Relay()
        self.fanout = FanOut(self)
        self.reading = Reading(self)
        self.counting = Counting(self)
        self.recheck = Recheck(self)
        self.attendance = Attendance(self.id)
        self.report = Report(self)

    # --- life ---

    async def start(self) -> None:
        """Begin to listen, poll and relay on the running loop. Calling it again does nothing."""
        loop = asyncio.get_running_loop()
        if loop in {self.loop, self._drained}:
            return
        self._reset()
        self.loop = broker.hub_loop = loop
        for work in (
            self._listen,
            lambda: self._forever(self._poll, self.reading.pause),
            lambda: self._forever(self._relay_once, lambda: EVERY * random.uniform(0.8, 1.2)),
            self.fanout.watch,
            self.recheck.keep,
            self.attendance.keep,
            self.report.keep,
        ):
            self.spawn(self._lasting(work))

    async def stop(self) -> None:
        """End all of the hub's tasks; connections are left as they are."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.loop = broker.hub_loop = None

    async def drain(self, seconds: float) -> None:
        """Close every connection with 1012, spread over `seconds`, each with a hint when to come back; then stop."""
        self.draining, self._drained = True, self.loop
        leaving = list(self.connections)
        random.shuffle(leaving)
        pause = seconds / max(len(leaving), 1)
        self.recheck.ready.set()  # who waits to be served is sent away
        for waiter in [waiter for topic in self.topics.values() for waiter in topic.waiters]:
            waiter.set()
        for connection in leaving:
            self._send_away(connection)
            await asyncio.sleep(min(pause, 0.05))
        await self.stop()
        with contextlib.suppress(DatabaseError):  # our lease runs out by itself
            await on_executor(presence.leave, self.id)

    def _send_away(self, connection: Connection) -> None:
        self.close(connection, 1012, retry_ms=random.randint(200, 3000))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run work as a task of the hub: it ends with it, and its failure is logged."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("a task of the hub failed", exc_info=task.exception())

    async def _lasting(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run what must not end while we live: should it fail in a way that it does not know, it begins again."""
        while True:
            try:
                await work()
            except Exception:
                logger.exception("a lasting task of the hub failed, and begins again")
            await asyncio.sleep(AGAIN)

    async def _forever(self, work: Callable[[], Awaitable[None]], pause: Callable[[], float]) -> None:
        """Repeat work with pauses; a database that is away is waited for, and said once."""
        failing = False
        while True:
            await asyncio.sleep(RETRY if failing else pause())
            try:
                await work()
            except DatabaseError as error:
                if not failing:
                    logger.warning("database unreachable, trying again: %s", str(error).strip())
                failing = True
            else:
                failing = False

    async def _poll(self) -> None:
        await self.reading.poll()
        await self._tidy()

    async def _relay_once(self) -> None:
        for batch in await on_executor(self._relay.sweep):
            await self.fanout.on_batch(batch.channel, batch.span, batch.events)

    # --- the mailbox ---

    @property
    def without_layer(self) -> bool:
        """Whether the channel layer is known to be away."""
        return broker.breaker.is_open or self._mailbox is None

    async def _listen(self) -> None:
        """Receive from the layer for ever. The receive is never cancelled while we live: that would throw the mailbox away."""
        failing = False
        while True:
            layer = get_channel_layer()
            try:
                self._mailbox = await layer.new_channel("hub")
                await layer.group_add(HUB_GROUP, self._mailbox)
                self._rejoin_all()
                failing = False
                while True:
                    await self._on_message(await layer.receive(self._mailbox))
            except Exception as error:  # noqa: BLE001 (whatever a layer's client raises)
                if not failing:
                    logger.warning("channel layer unreachable, the position poll takes over: %s", error or type(error).__name__)
                failing, self._mailbox = True, None
                with contextlib.suppress(Exception):  # flushing makes a broken layer like new; if it fails, the next round tries again
                    await layer.flush()
                await asyncio.sleep(1 + random.random())

    async def _on_message(self, message: Mapping[str, Any]) -> None:
        try:
            kind = message["type"]
            if kind == "live.batch":
                events = [Event(*parts) for parts in message["events"]]
                await self.fanout.on_batch(message["channel"], Range(message["epoch"], message["from"], message["to"]), events)
            elif kind == "live.heads":
                for channel, head in message["heads"]:
                    self.reading.notice(channel, head)
            elif kind == "live.ephemeral":
                await self.fanout.ephemeral(message["channel"], message["events"])
            elif kind == "live.hello":
                broker.answer_roll_call(message["to"], self.id)
            else:
                figures.layer_strange.inc()
        except (KeyError, TypeError, ValueError):
            figures.layer_strange.inc()
        except Exception:  # ours, and none of the layer's: the mailbox stays
            logger.exception("a message of the channel layer could not be used")

    def _rejoin_all(self) -> None:
        self._rejoin_at = time.monotonic() + REJOIN
        for topic in self.topics.values():
            topic.joined = False
        self.spawn(self.join(list(self.topics.values())))

    async def join(self, topics: Iterable[Topic]) -> None:
        """Join the groups of these channels. A layer that is away changes nothing: the poll serves them meanwhile."""
        layer = get_channel_layer()
        for topic in topics:
            if self._mailbox is None or not broker.breaker.allows():
                return
            if topic.joined:
                continue
            try:
                await layer.group_add(topic.name.group, self._mailbox)
                topic.joined = True
            except Exception as error:  # noqa: BLE001 (as above)
                broker.breaker.failed(error)
                return

    async def _tidy(self) -> None:
        """Join what is not joined, leave what nobody watches any more."""
        if time.monotonic() > self._rejoin_at and self._mailbox is not None:
            self._rejoin_all()
        else:
            await self.join([topic for topic in self.topics.values() if not topic.joined])
        late = time.monotonic() - LINGER
        for topic in [one for one in self.topics.values() if one.empty_since is not None and one.empty_since < late and not one.waiters]:
            await self._leave(topic)

    async def _leave(self, topic: Topic) -> None:
        del self.topics[topic.text]
        if self._mailbox is not None and topic.joined:
            with contextlib.suppress(Exception):  # as above; the layer forgets us when we go
                await get_channel_layer().group_discard(topic.name.group, self._mailbox)
        successor = self.topics.get(topic.text)
        if successor is not None:
            successor.joined = False  # came while we left: what it joined, we may have left

    # --- channels ---

    def topic(self, name: ChannelName) -> Topic:
        """The topic of a channel, made when nobody watched it here yet; it stays a while for the caller. Raises UnknownKind."""
        text = str(name)
        if text not in self.topics:
            self.topics[text] = topic_of(name, registry.of(name))
        topic = self.topics[text]
        if not topic.subscriptions and not topic.held:
            topic.empty_since = time.monotonic()
        return topic

    async def open(self, topic: Topic, epoch: str, head: int) -> None:
        """Start a topic at the head that was read after joining; what came meanwhile follows."""
        if topic.opened:
            if topic.epoch != epoch:
                self.reading.restart(topic, history.Stretch(topic.text, epoch, head, head, head, (), kept=False))
            return
        topic.open(epoch, head)
        early, topic.early = topic.early, []
        for span, events in early:
            await self.fanout.on_batch(topic.text, span, events)

    def subscribe(self, connection: Connection, topic: Topic, cursor: int) -> Subscription:
        """Put a connection on a topic at a cursor. Subscribing to a held channel is a resume: it moves the cursor."""
        subscription = connection.subscriptions.get(topic.text)
        if subscription is None:
            subscription = Subscription(connection, topic, cursor)
            connection.subscriptions[topic.text] = topic.subscriptions[connection] = subscription
            self.attendance.came(subscription)
        subscription.cursor = cursor
        topic.empty_since = None
        if topic.name.kind == "user" and connection.reader.user:
            self.counting.mark_user(connection.reader.user)
        return subscription

    def unsubscribe(self, connection: Connection, channel: str) -> None:
        subscription = connection.subscriptions.pop(channel, None)
        if subscription is not None:
            topic = subscription.topic
            topic.subscriptions.pop(connection, None)
            self.attendance.went(subscription)
            if not topic.subscriptions:
                topic.empty_since = time.monotonic()

    # --- connections ---

    def admit(self, connection: Connection) -> None:
        """Register a connection whose reader is known. Over the person's limit her oldest tab gives way with 4409.

        Who comes while the process drains is sent away: a stream may come over a connection that was open for requests.
        """
        if self.draining:
            self._send_away(connection)
            return
        connection.admitted = True
        self.connections.add(connection)
        figures.connections.set(len(self.connections))
        user = connection.reader.user
        if user:
            tabs = self._of_user[user]
            tabs.add(connection)
            limit = settings.MAX_CONNECTIONS_PER_USER
            if limit and len(tabs) > limit:
                self.close(min(tabs, key=lambda tab: tab.opened_at), 4409)

    def users(self) -> set[str]:
        """Everybody who is connected to this process."""
        return set(self._of_user)

    def of_user(self, user: str) -> Collection[Connection]:
        """The connections of one person in this process."""
        return self._of_user.get(user, ())

    def tabs(self) -> Collection[tuple[str, Collection[Connection]]]:
        """Everybody who is connected to this process, with his connections."""
        return self._of_user.items()

    def is_crowded(self, address: str) -> bool:
        """Whether an address has as many anonymous connections as it may."""
        limit = settings.MAX_CONNECTIONS_PER_ADDRESS
        if not limit or not address:
            return False
        return sum(one.address == address and not one.reader.user for one in self.connections) >= limit

    def dismiss(self, connection: Connection) -> None:
        """Forget a connection that is gone."""
        connection.leave()
        for channel in list(connection.subscriptions):
            self.unsubscribe(connection, channel)
        self.connections.discard(connection)
        self.fanout.forget(connection)
        figures.connections.set(len(self.connections))
        tabs = self._of_user.get(connection.reader.user)
        if tabs is not None:
            tabs.discard(connection)
            if not tabs:
                del self._of_user[connection.reader.user]

    def close(self, connection: Connection, code: int, *, retry_ms: int | None = None) -> None:
        """Close a connection; one that cannot even take the close frame is dropped."""
        if connection.closing:
            return
        connection.leave()
        logger.info("closing", extra={"connection": connection.id, "code": code})
        connection.outlet.close(code, retry_ms=retry_ms)
        self.dismiss(connection)


hub = Hub()
