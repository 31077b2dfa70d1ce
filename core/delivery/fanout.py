"""Fan-out: one batch to this process's N connections, as far as memory and each one's credit allow. See docs/delivery.md."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError

from core.delivery import failpoints, figures
from core.delivery.authority import CHANNEL as AUTHORITY
from core.delivery.channel import ChannelName, Event, Keeps, Kind
from core.delivery.connection import Connection
from core.delivery.executor import on_executor
from core.delivery.forms import Entry
from core.delivery.frame import Frame
from core.delivery.outlet import Outlet
from core.delivery.position import Range
from core.delivery.topic import PACE, Subscription, Topic
from core.delivery.writers import write_all

if TYPE_CHECKING:
    from core.delivery.hub import Hub

TURN = 0.005  # seconds of fan-out before others get the loop
TOGETHER = 512  # deliveries that are looked through, then written; and between two looks at the clock
PORTION = 256 * 1024  # bytes, of the same: fewer of frames that are large
ALONE = 8  # deliveries that one which must be looked at by itself takes the time of
SLOW = 30.0  # seconds without credit before a connection is closed with 1013
WATCH = 0.25  # seconds between two looks at connections without credit
RETRY = 0.5  # seconds after the database failed
SILENCE = 30  # events of a log without a word before a frame says how far it is: a tenth of what one may come back to

Frames = Sequence[tuple[int, str]]


class FanOut:
    """Takes batches in, and serves subscribers whatever they have not got."""

    def __init__(self, hub: "Hub") -> None:
        self._hub = hub
        self._full: set[Connection] = set()
        self._delivered = 0  # frames that the metrics do not know of yet

    # --- batches ---

    async def on_batch(self, channel: str, span: Range, events: Sequence[Event]) -> None:
        """Take newly numbered events of one channel and fan them out. Nobody listens here: costs nothing."""
        topic = self._hub.topics.get(channel)
        if topic is None:
            return
        if not topic.opened:
            topic.early.append((span, events))
            return
        if span.epoch != topic.epoch:
            self._hub.reading.soon(topic, topic.head)
        elif span.end <= topic.head:
            return
        elif span.start > topic.head or self._has_hole(topic, span, events):
            figures.gaps.inc()
            self._hub.reading.soon(topic, topic.head)
        else:
            entries = topic.take(span, events)
            if events:
                figures.lag.observe(max(0.0, time.time() - events[0].at))
            await self.take_effect(topic, entries)

    @staticmethod
    def _has_hole(topic: Topic, span: Range, events: Sequence[Event]) -> bool:
        return topic.kind.keeps is Keeps.LOG and sum(event.offset > topic.head for event in events) != span.end - topic.head

    async def take_effect(self, topic: Topic, entries: Sequence[Entry]) -> None:
        """What new events mean to this process: revocations, counts, waiting requests, and everybody who watches."""
        if topic.text == AUTHORITY:
            for entry in entries:
                self._hub.recheck.on_revoked(entry.event.data)
            return
        self._hub.counting.mark(topic, entries)
        for waiter in topic.waiters:
            waiter.set()
        await self.paced(topic)

    async def paced(self, topic: Topic) -> None:
        """Fan out now, or on a state channel when its last frame is old enough: the first at once, then five a second."""
        if topic.kind.keeps is Keeps.LOG:
            await self.serve_all(topic)
        elif not topic.flush_planned:
            wait = topic.flushed_at + PACE - time.monotonic()
            if wait <= 0:
                await self._flush(topic)
            else:
                topic.flush_planned = True
                asyncio.get_running_loop().call_later(wait, lambda: self._hub.spawn(self._flush(topic)))

    async def _flush(self, topic: Topic) -> None:
        topic.flush_planned = False
        topic.flushed_at = time.monotonic()
        await self.serve_all(topic)

    # --- serving ---

    async def serve_all(self, topic: Topic) -> None:
        """Bring every subscriber of a topic as far as its memory and her credit allow."""
        turn = time.monotonic()
        plans: dict[Any, Frames] = {}
        stands, share, upto, shared = -1, None, 0, b""  # the frame that most of them get, and who they are
        outlets: list[Outlet] = []  # of those who get it next, and their sockets
        files: list[int] = []
        portion, left = TOGETHER, 1
        for subscription in list(topic.subscriptions.values()):
            outlet = subscription.outlet
            # The line that nearly every delivery takes, and where the microseconds count. It asks what _serve asks.
            if (
                subscription.cursor == stands
                and outlet.share is share
                and outlet.is_clear
                and not outlet.is_barred
                and (file := outlet.writer.file()) >= 0
            ):
                subscription.cursor = upto
                outlets.append(outlet)
                files.append(file)
                left -= 1
            else:
                self._write(outlets, files, shared)
                stood = subscription.cursor
                frames = self._serve(topic, subscription, plans, live=True)
                if len(frames) == 1 and subscription.cursor == frames[0][0]:
                    upto, text = frames[0]
                    if text and isinstance(text, Frame):
                        stands, share, shared = stood, outlet.share, text.wire
                        portion = max(1, min(TOGETHER, PORTION // len(shared)))
                left -= ALONE
            if left <= 0:
                self._write(outlets, files, shared)
                failpoints.hit("mid_fanout")
                left = portion
                if time.monotonic() - turn > TURN:
                    await asyncio.sleep(0)
                    turn, stands = time.monotonic(), -1
        self._write(outlets, files, shared)
        self._count()

    def _write(self, outlets: list[Outlet], files: list[int], data: bytes) -> None:
        """Write the same bytes to all of these, and forget them. No turn of the loop may lie between the asking for a file and this."""
        for place, taken in write_all(files, data):
            outlets[place].write_behind(data[taken:])
        self._delivered += len(files)
        outlets.clear()
        files.clear()

    def bring_on(self, connection: Connection) -> None:
        """Send a connection whatever any of its channels has for it, and have its counts sent if it could not take them."""
        if connection.uncounted:
            connection.uncounted = False
            self._hub.counting.mark_user(connection.reader.user)
        for subscription in list(connection.subscriptions.values()):
            self._serve(subscription.topic, subscription, {})
        self._count()

    def _count(self) -> None:
        if self._delivered:
            figures.deliveries.inc(self._delivered)
            self._delivered = 0

    def _serve(self, topic: Topic, subscription: Subscription, plans: dict[Any, Frames], *, live: bool = False) -> Frames:
        """Send one subscriber what she has not got. What cannot be sent now is left for the read, the credit or the answer it waits for.

        `live`: it is news, and not what somebody asked for who came back. Returns the frames, if everybody who stands where she stood
        gets them.
        """
        connection = subscription.connection
        if subscription.cursor >= topic.head or connection.closing or connection.held:
            return []
        share = (subscription.cursor, topic.head, connection.form.share)
        frames = plans.get(share)
        if frames is None:
            frames = self._plan(topic, subscription, plans, share, live=live)
        for end, text in frames:
            if text:
                if not connection.outlet.offer(text, topic.text, topic.epoch, end):
                    self._hold(connection)
                    return []
                self._delivered += 1
            subscription.cursor = end
        return plans.get(share, [])

    def _plan(self, topic: Topic, subscription: Subscription, plans: dict[Any, Frames], share: Any, *, live: bool) -> Frames:
        """The frames for one subscriber, kept for those who stand where she stands; none when something is still missing."""
        connection = subscription.connection
        entries = topic.after(subscription.cursor, connection.form.language)
        if entries is None:
            self._hub.reading.soon(topic, subscription.cursor)
            return []
        personal = [entry.personal for entry in entries if entry.personal is not None]
        if any(connection.reader.user not in answers for answers in personal):
            self._personalise_soon(topic)
            return []
        silent = _says_nothing(topic, subscription, entries, live=live)
        frames = [] if silent else topic.frames(subscription, entries, upto=topic.head)
        if any(entry.broken for entry in entries):
            self._hub.reading.resync(subscription)
            return []
        if not personal:
            plans[share] = frames
        return frames

    # --- what has no range ---

    async def ephemeral(self, channel: str, events: Sequence[tuple[str, Any]]) -> None:
        """Pass on events that are not stored to whoever watches now."""
        topic = self._hub.topics.get(channel)
        if topic is None:
            return
        for type, data in events:
            entry = Entry(topic.kind, topic.name.key, Event(0, type, "", data, time.time()))
            for connection in list(topic.subscriptions):
                self.send_unranged(connection, topic.name, entry.fragment(connection.form.language))

    def send_unranged(self, connection: Connection, name: ChannelName, html: str) -> bool:
        """Send a frame without a range, if the connection can take it now; False when it cannot, and nothing was sent."""
        if connection.closing or connection.held or not connection.outlet.has_credit:
            return False
        if html and (text := connection.form.unranged(name, html)):
            connection.outlet.send_text(Frame(text))
        return True

    def send_counts(self, connection: Connection, name: ChannelName, html: str) -> None:
        """Send somebody's counts to one of her pages; one that cannot take them now gets them when it goes on."""
        if not self.send_unranged(connection, name, html):
            connection.uncounted = True
            if not connection.outlet.has_credit:
                self._hold(connection)

    # --- personal answers ---

    def _personalise_soon(self, topic: Topic) -> None:
        if not topic.personalising:
            topic.personalising = True
            self._hub.spawn(self._personalise(topic))

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
        await self.serve_all(topic)

    # --- credit ---

    def _hold(self, connection: Connection) -> None:
        """The client reads too slowly: nothing is queued for it, its cursors stand still until it has credit again."""
        if connection.full_since is None:
            connection.full_since = time.monotonic()
            self._full.add(connection)

    def forget(self, connection: Connection) -> None:
        self._full.discard(connection)

    async def watch(self) -> None:
        """Look after connections without credit, for ever."""
        while True:
            await asyncio.sleep(WATCH)
            self._watch(time.monotonic())

    def _watch(self, now: float) -> None:
        for connection in list(self._full):
            if connection.outlet.has_credit:
                self._go_on(connection)
            if connection.full_since is not None and now - connection.full_since > SLOW:
                figures.slow_closes.inc()
                self._hub.close(connection, 1013)

    def _go_on(self, connection: Connection) -> None:
        """Let a connection that has credit again go on. Who has still no room for its next frame has been slow all the while."""
        since, connection.full_since = connection.full_since, None
        self._full.discard(connection)
        before = [subscription.cursor for subscription in connection.subscriptions.values()]
        self.bring_on(connection)
        if connection.full_since is not None and before == [subscription.cursor for subscription in connection.subscriptions.values()]:
            connection.full_since = since


def _says_nothing(topic: Topic, subscription: Subscription, entries: Sequence[Entry], *, live: bool) -> bool:
    """Whether these are no frame and leave her cursor where it is: the next frame that says something to her covers them (rule 4).

    On a log not for long: she shall stand where memory reaches, and who comes back is told how far the channel is.
    """
    if topic.kind.keeps is Keeps.STATE:
        return not entries
    behind = topic.head - subscription.cursor
    return live and behind < SILENCE and subscription.connection.form.says_nothing(entries)


def _personalise(kind: Kind, key: str, entries: Sequence[Entry], users: set[str]) -> None:
    for entry in entries:
        assert entry.personal is not None
        asked = users - entry.personal.keys()
        if not asked:
            continue
        answers: Mapping[str, str] = {}
        try:
            answers = kind.personalise(entry.event, key, asked)
        except DatabaseError:
            raise
        except Exception:  # noqa: BLE001 (logged by fail)
            entry.fail()
        entry.personal |= {user: answers.get(user, "") for user in asked}
