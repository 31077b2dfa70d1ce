"""Who may still read: what a hub does when `system:authority` names somebody, and with everybody once a minute."""

import asyncio
import contextlib
import logging
import random
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError

from core import tokens
from core.delivery import history, identity
from core.delivery.authority import CHANNEL
from core.delivery.channel import ChannelName, Kind, Reader, registry
from core.delivery.connection import Connection
from core.delivery.executor import on_executor
from core.delivery.identity import Credential

if TYPE_CHECKING:
    from core.delivery.hub import Hub

logger = logging.getLogger(__name__)

REFUSED_FOR = 60.0  # seconds that a revoked session's hash is refused
SLICE = 500  # connections in one question
RETRY = 0.2  # seconds after the database failed
RECHECK = 60.0  # seconds
NEEDLESS = 8  # answers for one that is wanted
TOGETHER = 64  # pairs of reader and key in one question where each reads something else
MAX_AGE = 12 * 3600.0  # seconds, less up to a quarter

Asked = Mapping[Kind, Collection[tuple[Reader, str]]]


def readable(asked: Asked) -> set[tuple[Reader, ChannelName]]:
    """Of these readers and keys, the pairs that may read; with a token only within its scopes. Blocking."""
    return {
        (reader, name)
        for kind, pairs in asked.items()
        for reader, key in _granted(kind, pairs)
        if tokens.allows(reader.scopes, f"read:{(name := ChannelName(kind.name, key))}")
    }


def _granted(kind: Kind, pairs: Collection[tuple[Reader, str]]) -> Iterator[tuple[Reader, str]]:
    """A kind answers for all readers with all keys: one question, unless that were many more than anybody wants to know."""
    readers, keys = {reader for reader, _ in pairs}, {key for _, key in pairs}
    size = len(pairs) if len(readers) * len(keys) <= NEEDLESS * len(pairs) else TOGETHER
    sorted_pairs = sorted(pairs, key=lambda pair: pair[1])
    for start in range(0, len(sorted_pairs), size):
        wanted = set(sorted_pairs[start : start + size])
        yield from wanted & kind.readable({reader for reader, _ in wanted}, {key for _, key in wanted})


class Recheck:
    """Holds the connections that a revocation touches, asks once for all of them, and lets go or closes."""

    def __init__(self, hub: "Hub") -> None:
        self._hub = hub
        self._held: set[Connection] = set()
        self._working = False
        self.ready = asyncio.Event()  # set once we hold the channel
        self._revoked: dict[str, float] = {}  # session hash -> until when it is refused

    # --- the channel that every hub holds ---

    async def keep(self) -> None:
        """Hold system:authority for ever, and check everybody once a minute: rights that somebody changed by raw SQL."""
        await self._take_hold()
        while True:
            await asyncio.sleep(RECHECK * random.uniform(0.8, 1.0))
            self._retire(time.monotonic())
            everybody = list(self._hub.connections)
            for start in range(0, len(everybody), SLICE):
                with contextlib.suppress(DatabaseError):  # the next minute comes
                    await self.check([one for one in everybody[start : start + SLICE] if not one.closing])

    async def _take_hold(self) -> None:
        """Hold the channel from a position read after joining it; before that nobody is served."""
        topic = self._hub.topic(ChannelName.parse(CHANNEL))
        topic.held, topic.empty_since = True, None
        while not self.ready.is_set():
            try:
                await self._hub.join([topic])
                standing = (await on_executor(history.standings, [CHANNEL]))[CHANNEL]
                await self._hub.open(topic, standing.epoch, standing.head)
                self.ready.set()
            except DatabaseError:
                await asyncio.sleep(RETRY)

    @property
    def head(self) -> int:
        """How far this process knows of revocations."""
        return self._hub.topics[CHANNEL].head

    def _retire(self, now: float) -> None:
        """Close what has been open for its age, each at its own time: a new release reaches every page, and nothing leaks for ever."""
        for connection in list(self._hub.connections):
            age = MAX_AGE * (0.75 + 0.25 * (hash(connection.id) % 1000) / 1000)
            if now - connection.opened_at > age:
                self._hub.close(connection, 1012, retry_ms=random.randint(200, 3000))

    # --- revocations ---

    def refuses(self, reader: Reader) -> bool:
        """Whether this reader's session was revoked a moment ago."""
        until = self._revoked.get(reader.session)
        return bool(reader.session) and until is not None and until > time.monotonic()

    def on_revoked(self, data: Mapping[str, Any]) -> None:
        """Take one event of `system:authority`."""
        if "session" in data:
            self._close_session(str(data["session"]))
        elif "disconnect" in data:
            for connection in list(self._hub.of_user(str(data["disconnect"]))):
                self._hub.close(connection, 1012, retry_ms=random.randint(200, 3000))
        elif "user" in data:
            self.hold(self._hub.of_user(str(data["user"])))
        elif "channel" in data:
            topic = self._hub.topics.get(str(data["channel"]))
            self.hold(topic.subscriptions if topic is not None else ())
        else:
            self.hold(self._hub.connections)

    def _close_session(self, session: str) -> None:
        now = time.monotonic()
        self._revoked = {known: until for known, until in self._revoked.items() if until > now}
        self._revoked[session] = now + REFUSED_FOR
        for connection in [one for one in self._hub.connections if one.reader.session == session]:
            self._hub.close(connection, 4401)

    def hold(self, connections: Iterable[Connection]) -> None:
        """Send these nothing more until they have been checked again."""
        for connection in connections:
            connection.hold(True)
            self._held.add(connection)
        if self._held and not self._working:
            self._working = True
            self._hub.spawn(self._work())

    async def _work(self) -> None:
        try:
            while self._held:
                portion = [self._held.pop() for _ in range(min(SLICE, len(self._held)))]
                try:
                    await self.check(portion)
                except DatabaseError:
                    self._held.update(portion)
                    await asyncio.sleep(RETRY)
                except Exception:
                    logger.exception("rights cannot be checked")
                    for connection in portion:  # nobody goes on unchecked, and nobody is held for ever
                        self._hub.close(connection, 1011)
        finally:
            self._working = False

    async def check(self, portion: Sequence[Connection]) -> None:
        """Ask once who these connections are and what they may read, and act on the answers."""
        known, allowed = await on_executor(_ask, [(connection.credential, list(connection.channels())) for connection in portion])
        for connection in portion:
            reader = known[connection.credential]
            if connection.closing:
                continue
            if connection.reader.user and not reader.user:
                self._hub.close(connection, 4401)
                continue
            self._narrow(connection, reader, allowed)
            if connection not in self._held:  # named again meanwhile: the next round lets go
                connection.hold(False)
                self._hub.fanout.bring_on(connection)

    def _narrow(self, connection: Connection, reader: Reader, allowed: Collection[tuple[Reader, ChannelName]]) -> None:
        lost = [str(name) for name in connection.channels() if (reader, name) not in allowed]
        for channel in lost:
            self._hub.unsubscribe(connection, channel)
        if lost and connection.outlet.has_credit:
            connection.outlet.send_text(connection.form.resync(lost))


def _ask(
    wanted: Collection[tuple[Credential, Collection[ChannelName]]],
) -> tuple[dict[Credential, Reader], set[tuple[Reader, ChannelName]]]:
    readers = identity.readers({credential for credential, _ in wanted})
    asked: dict[Kind, set[tuple[Reader, str]]] = defaultdict(set)
    for credential, names in wanted:
        for name in names:
            asked[registry.of(name)].add((readers[credential], name.key))
    return readers, readable(asked)
