"""The hub: one per web process, one mailbox on the channel layer, and all of this process's connections.

What arrives is decoded once, rendered once per language, encoded once; the same bytes go to every connection that stands at the same
cursor. Losses of the layer are found by the position poll. See docs/delivery.md. Runs on the server's event loop only.
"""

import asyncio
import contextlib
import logging
import random
import secrets
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from typing import Any

from channels.layers import get_channel_layer
from django.conf import settings
from django.db import DatabaseError

from core.delivery import epochs, failpoints, figures, history, presence
from core.delivery.attendance import Attendance
from core.delivery.authority import CHANNEL as AUTHORITY
from core.delivery.broker import HUB_GROUP, broker
from core.delivery.channel import BadChannel, ChannelName, Event, Keeps, Kind, registry
from core.delivery.connection import Connection
from core.delivery.executor import on_executor
from core.delivery.forms import Entry
from core.delivery.position import Position, Range
from core.delivery.recheck import SLICE as CHECKED
from core.delivery.recheck import Recheck
from core.delivery.relay import EVERY, Relay
from core.delivery.sequencer import Batch
from core.delivery.topic import PACE, Subscription, Topic, topic_of

logger = logging.getLogger(__name__)

POLL = 1.5  # seconds, +-20 %
POLL_WITHOUT_LAYER = 0.5
SLICE = 2000  # channels in one poll query
LINGER = 10.0  # seconds that a channel without subscribers stays joined
REJOIN = 3600.0  # seconds: the in-memory layer forgets members after a day
SLOW = 30.0  # seconds without credit before a connection is closed with 1013
WATCH = 0.25  # seconds between two looks at connections without credit
TURN = 0.005  # seconds of fan-out before others get the loop
RETRY = 0.5  # seconds after the database failed
COUNT_PAUSE = 0.05  # seconds in which dirty people are gathered
RECHECK = 60.0  # seconds
MAX_AGE = 12 * 3600.0  # seconds, less up to a quarter


class Hub:
    """This process's registry of live connections and the channels that they watch."""

    def __init__(self) -> None:
        self.id = secrets.token_hex(8)
        self._reset()

    def _reset(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self.topics: dict[str, Topic] = {}
        self.connections: set[Connection] = set()
        self.draining = False
        self._of_user: dict[str, set[Connection]] = defaultdict(set)
        self._mailbox: str | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._full: set[Connection] = set()
        self._missing: dict[str, int] = {}  # channel -> the offset after which the table must be read
        self._reading = False
        self._dirty: list[tuple[Kind, Event, str]] = []
        self._dirty_users: set[str] = set()
        self._counting = False
        self._relay = Relay()
        self._rejoin_at = 0.0
        self._behind: set[str] = set()  # channels whose table stood below us at the last poll
        self.recheck = Recheck(self)
        self.attendance = Attendance(self.id)
        self.authority = asyncio.Event()  # set once we hold system:authority; before that nobody is served

    # --- life ---

    async def start(self) -> None:
        """Begin to listen, poll and relay on the running loop. Calling it again does nothing."""
        loop = asyncio.get_running_loop()
        if self.loop is loop:
            return
        self._reset()
        self.loop = broker.hub_loop = loop
        for work in (self._listen, self._poll_forever, self._relay_forever, self._watch_forever, self._recheck_forever):
            self.spawn(work())
        self.spawn(self._hold_authority())
        self.spawn(self.attendance.keep())

    async def stop(self) -> None:
        """End all of the hub's tasks; connections are left as they are."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.loop = broker.hub_loop = None

    async def drain(self, seconds: float) -> None:
        """Close every connection with 1012, spread over `seconds`, each with a hint when to come back; then stop."""
        self.draining = True
        leaving = list(self.connections)
        random.shuffle(leaving)
        pause = seconds / max(len(leaving), 1)
        for connection in leaving:
            self.close(connection, 1012, retry_ms=random.randint(200, 3000))
            await asyncio.sleep(min(pause, 0.05))
        await self.stop()
        with contextlib.suppress(DatabaseError):  # our lease runs out by itself
            await on_executor(presence.leave, self.id)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run work as a task of the hub: it ends with it, and its failure is logged."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("a task of the hub failed", exc_info=task.exception())

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

    # --- the mailbox ---

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

    async def _leave(self, topic: Topic) -> None:
        del self.topics[topic.text]
        if self._mailbox is not None and topic.joined:
            with contextlib.suppress(Exception):  # as above; the layer forgets us when we go
                await get_channel_layer().group_discard(topic.name.group, self._mailbox)

    async def _on_message(self, message: Mapping[str, Any]) -> None:
        try:
            kind = message["type"]
            if kind == "live.batch":
                events = [Event(*parts) for parts in message["events"]]
                await self.on_batch(message["channel"], Range(message["epoch"], message["from"], message["to"]), events)
            elif kind == "live.heads":
                for channel, head in message["heads"]:
                    self._notice_head(channel, head)
            elif kind == "live.ephemeral":
                await self._on_ephemeral(message["channel"], message["events"])
            else:
                figures.layer_strange.inc()
        except (KeyError, TypeError, ValueError):
            figures.layer_strange.inc()

    def _notice_head(self, channel: str, head: int) -> None:
        topic = self.topics.get(channel)
        if topic is not None and topic.opened and head > topic.head:
            self.read_soon(topic, topic.head)

    async def _on_ephemeral(self, channel: str, events: Sequence[tuple[str, Any]]) -> None:
        topic = self.topics.get(channel)
        if topic is None:
            return
        for type, data in events:
            entry = Entry(topic.kind, topic.name.key, Event(0, type, "", data, time.time()))
            for connection in list(topic.subscriptions):
                self._send_unranged(connection, topic.name, entry.fragment(connection.form.language))

    # --- batches ---

    async def on_batch(self, channel: str, span: Range, events: Sequence[Event]) -> None:
        """Take newly numbered events of one channel and fan them out. Nobody listens here: costs nothing."""
        topic = self.topics.get(channel)
        if topic is None:
            return
        if not topic.opened:
            topic.early.append((span, events))
            return
        if span.epoch != topic.epoch:
            self.read_soon(topic, topic.head)
        elif span.end <= topic.head:
            return
        elif span.start > topic.head or self._has_hole(topic, span, events):
            figures.gaps.inc()
            self.read_soon(topic, topic.head)
        else:
            await self._advance(topic, span, events)

    @staticmethod
    def _has_hole(topic: Topic, span: Range, events: Sequence[Event]) -> bool:
        return topic.kind.keeps is Keeps.LOG and sum(event.offset > topic.head for event in events) != span.end - topic.head

    async def _advance(self, topic: Topic, span: Range, events: Sequence[Event]) -> None:
        entries = topic.take(span, events)
        self._note_lag(events)
        await self._take_effect(topic, entries)

    async def _take_effect(self, topic: Topic, entries: Sequence[Entry]) -> None:
        """What new events mean to this process: revocations, counts, waiting requests, and everybody who watches."""
        if topic.text == AUTHORITY:
            for entry in entries:
                self.recheck.on_revoked(entry.event.data)
            return
        self._mark_dirty(topic, entries)
        for waiter in topic.waiters:
            waiter.set()
        await self._fan_out_paced(topic)

    @staticmethod
    def _note_lag(events: Sequence[Event]) -> None:
        if events:
            figures.lag.observe(max(0.0, time.time() - events[0].at))

    async def _fan_out_paced(self, topic: Topic) -> None:
        """Fan out now, or on a state channel when its last frame is old enough: the first at once, then five a second."""
        if topic.kind.keeps is Keeps.LOG:
            await self.fan_out(topic)
        elif not topic.flush_planned:
            wait = topic.flushed_at + PACE - time.monotonic()
            if wait <= 0:
                await self._flush(topic)
            else:
                topic.flush_planned = True
                asyncio.get_running_loop().call_later(wait, lambda: self.spawn(self._flush(topic)))

    async def _flush(self, topic: Topic) -> None:
        topic.flush_planned = False
        topic.flushed_at = time.monotonic()
        await self.fan_out(topic)

    async def fan_out(self, topic: Topic) -> None:
        """Bring every subscriber of a topic as far as its memory and her credit allow."""
        turn = time.monotonic()
        plans: dict[Any, list[tuple[int, str]] | None] = {}
        for subscription in list(topic.subscriptions.values()):
            self._serve(topic, subscription, plans)
            failpoints.hit("mid_fanout")
            if time.monotonic() - turn > TURN:
                await asyncio.sleep(0)
                turn = time.monotonic()

    def _serve(self, topic: Topic, subscription: Subscription, plans: dict[Any, list[tuple[int, str]] | None] | None = None) -> None:
        """Send one subscriber what she has not got. What cannot be sent now is left for the read, the credit or the answer it waits for."""
        connection, cursor = subscription.connection, subscription.cursor
        if cursor >= topic.head or connection.closing or connection.held:
            return
        share = (cursor, topic.head, connection.form.share)
        frames = plans.get(share) if plans is not None else None
        if frames is None:
            entries = topic.after(cursor, connection.form.language)
            if entries is None:
                self.read_soon(topic, cursor)
                return
            if not entries:
                return
            personal = [entry for entry in entries if entry.personal is not None]
            if any(connection.reader.user not in entry.personal for entry in personal if entry.personal is not None):
                self._personalise_soon(topic)
                return
            frames = topic.frames(subscription, entries, upto=topic.head)
            if plans is not None and not personal:
                plans[share] = frames
        for end, text in frames:
            if not connection.outlet.has_credit:
                self._hold(connection)
                return
            if text:
                connection.outlet.send_frame(text, topic.text, topic.epoch, end)
                figures.deliveries.inc()
            subscription.cursor = end

    def _send_unranged(self, connection: Connection, name: ChannelName, html: str) -> None:
        if html and not connection.closing and not connection.held and connection.outlet.has_credit:
            text = connection.form.unranged(name, html)
            if text:
                connection.outlet.send_text(text)

    # --- personal answers ---

    def _personalise_soon(self, topic: Topic) -> None:
        if not topic.personalising:
            topic.personalising = True
            self.spawn(self._personalise(topic))

    async def _personalise(self, topic: Topic) -> None:
        """Ask the kind once per event for all local people who have no answer yet, then go on."""
        try:
            cursor = min((subscription.cursor for subscription in topic.subscriptions.values()), default=topic.head)
            entries = [entry for entry in topic.after(max(cursor, topic.start), "") or () if entry.personal is not None]
            users = {connection.reader.user for connection in topic.subscriptions}
            await on_executor(_personalise, topic.kind, topic.name.key, entries, users)
        except DatabaseError:
            await asyncio.sleep(RETRY)
        finally:
            topic.personalising = False
        await self.fan_out(topic)

    # --- reading what was missed ---

    def read_soon(self, topic: Topic, after: int) -> None:
        """Read a channel from the table after an offset: one coalesced read for everybody here who misses the same."""
        self._missing[topic.text] = min(after, self._missing.get(topic.text, after))
        if not self._reading:
            self._reading = True
            self.spawn(self._read())

    async def _read(self) -> None:
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
                    topic = self.topics.get(name)
                    if topic is not None and topic.opened:
                        await self.absorb(topic, stretch)
        finally:
            self._reading = False

    async def absorb(self, topic: Topic, stretch: history.Stretch) -> None:
        """Work a read into a topic's memory and bring everybody on; who cannot be brought on is told to resync."""
        if stretch.epoch != topic.epoch or not stretch.kept:
            self._restart(topic, stretch)
            await self._fan_out_paced(topic)
            return
        topic.look_back(stretch.epoch, stretch.start, stretch.events)
        if stretch.end > topic.head:
            await self._take_effect(topic, topic.take(Range(stretch.epoch, topic.head, stretch.end), stretch.events))
        else:
            await self._fan_out_paced(topic)
        if not stretch.whole:
            self.read_soon(topic, topic.head)

    def _restart(self, topic: Topic, stretch: history.Stretch) -> None:
        """Part of the history is gone: who stands before it must resync; in another epoch that is everybody."""
        another = stretch.epoch != topic.epoch
        far = [one for one in topic.subscriptions.values() if another or one.cursor <= stretch.start]
        if another or stretch.head > topic.head:
            topic.open(stretch.epoch, stretch.head)
        if topic.text == AUTHORITY:
            self.recheck.hold(self.connections)  # a gap in authority: everybody is checked
        for subscription in far:
            self.resync(subscription)
        for waiter in topic.waiters:
            waiter.set()

    def resync(self, subscription: Subscription) -> None:
        """Tell a subscriber to start again from a snapshot; she stands at the head from here on."""
        topic, connection = subscription.topic, subscription.connection
        subscription.cursor = topic.head
        figures.resyncs.inc()
        if connection.outlet.has_credit and not connection.closing:
            connection.outlet.send_resync(connection.form.resync([topic.text]), topic.text, topic.epoch, topic.head)
        else:
            self.close(connection, 1013)

    # --- the position poll ---

    async def _poll_forever(self) -> None:
        await self._forever(self._poll, lambda: (POLL_WITHOUT_LAYER if self._without_layer else POLL) * random.uniform(0.8, 1.2))

    @property
    def _without_layer(self) -> bool:
        return broker.breaker.is_open or self._mailbox is None

    async def _poll(self) -> None:
        """Compare the heads of all local channels with the table: repairs every loss, and is the transport while the layer is away."""
        names = [name for name, topic in self.topics.items() if topic.opened]
        for start in range(0, len(names), SLICE):
            held = {name: self.topics[name].head for name in names[start : start + SLICE] if name in self.topics}
            positions = await on_executor(history.positions, list(held))
            for name, position in positions.items():
                topic = self.topics.get(name)
                if topic is not None and topic.opened and (position.offset > topic.head or position.epoch != topic.epoch):
                    figures.gaps.inc()
                    self.read_soon(topic, topic.head)
            await self._suspect(held, positions)
        await self._tidy()

    async def _suspect(self, held: Mapping[str, int], positions: Mapping[str, Position]) -> None:
        """A table that stands below what we held before we asked it was taken back: seen twice, that is a new life of the database."""
        behind = {name for name, position in positions.items() if position.offset < held[name]}
        sure, self._behind = behind & self._behind, (self._behind - positions.keys()) | behind
        if sure:
            epoch = positions[min(sure)].epoch
            await on_executor(epochs.rotate, reason=f"{min(sure)} went back", instead_of=epoch)
            self._behind.clear()

    async def _tidy(self) -> None:
        """Join what is not joined, leave what nobody watches any more."""
        if time.monotonic() > self._rejoin_at and self._mailbox is not None:
            self._rejoin_all()
        else:
            await self.join([topic for topic in self.topics.values() if not topic.joined])
        late = time.monotonic() - LINGER
        for topic in [t for t in self.topics.values() if t.empty_since is not None and t.empty_since < late and not t.waiters]:
            await self._leave(topic)

    # --- authority ---

    async def _hold_authority(self) -> None:
        """Hold system:authority for ever, from a position read after joining it."""
        topic = self.topic(ChannelName.parse(AUTHORITY))
        topic.empty_since = None
        while True:
            try:
                await self.join([topic])
                standing = (await on_executor(history.standings, [AUTHORITY]))[AUTHORITY]
                await self.open(topic, standing.epoch, standing.head)
            except DatabaseError:
                await asyncio.sleep(RETRY)
            else:
                self.authority.set()
                return

    @property
    def authority_head(self) -> int:
        """How far this process knows of revocations."""
        return self.topics[AUTHORITY].head

    async def _recheck_forever(self) -> None:
        """Check everybody once a minute: rights that somebody changed by raw SQL."""
        while True:
            await asyncio.sleep(RECHECK * random.uniform(0.8, 1.0))
            self._retire(time.monotonic())
            everybody = list(self.connections)
            for start in range(0, len(everybody), CHECKED):
                with contextlib.suppress(DatabaseError):  # the next minute comes
                    await self.recheck.check([one for one in everybody[start : start + CHECKED] if not one.closing])

    def _retire(self, now: float) -> None:
        """Close what has been open for its age, each at its own time: a new release reaches every page, and nothing leaks for ever."""
        for connection in list(self.connections):
            age = MAX_AGE * (0.75 + 0.25 * (hash(connection.id) % 1000) / 1000)
            if now - connection.opened_at > age:
                self.close(connection, 1012, retry_ms=random.randint(200, 3000))

    # --- the relay ---

    async def _relay_forever(self) -> None:
        await self._forever(self._relay_once, lambda: EVERY * random.uniform(0.8, 1.2))

    async def _relay_once(self) -> None:
        await self.on_batches(await on_executor(self._relay.sweep))

    async def on_batches(self, batches: Iterable[Batch]) -> None:
        for batch in batches:
            await self.on_batch(batch.channel, batch.span, batch.events)

    # --- counts ---

    def _mark_dirty(self, topic: Topic, entries: Iterable[Entry]) -> None:
        for entry in entries:
            type = topic.kind.type(entry.event.type)
            if type is not None and type.dirties:
                self._dirty.append((topic.kind, entry.event, topic.name.key))
        if self._dirty:
            self._count_soon()

    def mark_dirty(self, user: str) -> None:
        """This person's counts may have changed, or she has just come: count anew and tell her pages."""
        self._dirty_users.add(user)
        self._count_soon()

    def _count_soon(self) -> None:
        if not self._counting:
            self._counting = True
            self.spawn(self._count())

    async def _count(self) -> None:
        """Count all dirty local people in one query that begins after the marks."""
        try:
            while self._dirty or self._dirty_users:
                await asyncio.sleep(COUNT_PAUSE)
                events, users = self._dirty, self._dirty_users
                self._dirty, self._dirty_users = [], set()
                try:
                    counts = await on_executor(_counted, events, users, set(self._of_user))
                except DatabaseError:
                    self._dirty, self._dirty_users = events + self._dirty, users | self._dirty_users
                    await asyncio.sleep(RETRY)
                    continue
                self._send_counts(counts)
        finally:
            self._counting = False

    def _send_counts(self, counts: Mapping[str, str]) -> None:
        for user, html in counts.items():
            name = ChannelName("user", user)
            for connection in list(self._of_user.get(user, ())):
                if str(name) in connection.subscriptions:
                    self._send_unranged(connection, name, html)

    # --- connections ---

    def admit(self, connection: Connection) -> None:
        """Register a connection whose reader is known. Over the person's limit her oldest tab gives way with 4409."""
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

    def of_user(self, user: str) -> Collection[Connection]:
        """The connections of one person in this process."""
        return self._of_user.get(user, ())

    def is_crowded(self, address: str) -> bool:
        """Whether an address has as many anonymous connections as it may."""
        limit = settings.MAX_CONNECTIONS_PER_ADDRESS
        if not limit or not address:
            return False
        return sum(one.address == address and not one.reader.user for one in self.connections) >= limit

    def topic(self, name: ChannelName) -> Topic:
        """The topic of a channel, made when nobody watched it here yet. Raises UnknownKind."""
        text = str(name)
        if text not in self.topics:
            self.topics[text] = topic_of(name, registry.of(name))
            self.topics[text].empty_since = time.monotonic()
        return self.topics[text]

    async def open(self, topic: Topic, epoch: str, head: int) -> None:
        """Start a topic at the head that was read after joining; what came meanwhile follows."""
        if topic.opened:
            if topic.epoch != epoch:
                self._restart(topic, history.Stretch(topic.text, epoch, head, head, head, (), kept=False))
            return
        topic.open(epoch, head)
        early, topic.early = topic.early, []
        for span, events in early:
            await self.on_batch(topic.text, span, events)

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
            self.mark_dirty(connection.reader.user)
        return subscription

    def bring_on(self, connection: Connection) -> None:
        """Send a connection whatever any of its channels has for it."""
        for subscription in list(connection.subscriptions.values()):
            self._serve(subscription.topic, subscription)

    def unsubscribe(self, connection: Connection, channel: str) -> None:
        subscription = connection.subscriptions.pop(channel, None)
        if subscription is not None:
            topic = subscription.topic
            topic.subscriptions.pop(connection, None)
            self.attendance.went(subscription)
            if not topic.subscriptions:
                topic.empty_since = time.monotonic()

    def dismiss(self, connection: Connection) -> None:
        """Forget a connection that is gone."""
        connection.closing = True
        for channel in list(connection.subscriptions):
            self.unsubscribe(connection, channel)
        self.connections.discard(connection)
        self._full.discard(connection)
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
        connection.closing = True
        connection.outlet.close(code, retry_ms=retry_ms)
        self.dismiss(connection)

    # --- credit ---

    def _hold(self, connection: Connection) -> None:
        """The client reads too slowly: nothing is queued for it, its cursors stand still until it has credit again."""
        if connection.full_since is None:
            connection.full_since = time.monotonic()
            self._full.add(connection)

    async def _watch_forever(self) -> None:
        while True:
            await asyncio.sleep(WATCH)
            self._watch(time.monotonic())

    def _watch(self, now: float) -> None:
        for connection in list(self._full):
            if connection.outlet.has_credit:
                self._full.discard(connection)
                connection.full_since = None
                self.bring_on(connection)
            elif connection.full_since is not None and now - connection.full_since > SLOW:
                figures.slow_closes.inc()
                self.close(connection, 1013)


def _personalise(kind: Kind, key: str, entries: Sequence[Entry], users: set[str]) -> None:
    for entry in entries:
        assert entry.personal is not None
        asked = users - entry.personal.keys()
        if asked:
            answers = kind.personalise(entry.event, key, asked)
            entry.personal |= {user: answers.get(user, "") for user in asked}


def _counted(events: Sequence[tuple[Kind, Event, str]], users: set[str], local: set[str]) -> Mapping[str, str]:
    """The counts fragments of everybody here whom these events or marks touch."""
    dirty = set(users)
    for kind, event, key in events:
        dirty.update(kind.dirtied(event, key, [key] if kind.name == "user" else local))
    try:
        return registry.of(ChannelName("user", "0")).counts(dirty & local) if dirty & local else {}
    except BadChannel:
        return {}


hub = Hub()
