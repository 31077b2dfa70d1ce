"""Who may still read: what a hub does when `system:authority` names somebody, and with everybody once a minute."""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
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
MAX_AGE = 12 * 3600.0  # seconds, less up to a quarter

Asked = Mapping[Kind, tuple[Collection[Reader], Collection[str]]]


def readable(asked: Asked) -> set[tuple[Reader, ChannelName]]:
    """What these readers may read, one question to each kind, and tokens only within their scopes. Blocking."""
    found = {
        (reader, ChannelName(kind.name, key)) for kind, (readers, keys) in asked.items() for reader, key in kind.readable(readers, keys)
    }
    return {(reader, name) for reader, name in found if tokens.allows(reader.scopes, f"read:{name}")}


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
            connection.held = True
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
        credentials = {connection.credential for connection in portion}
        names = {name for connection in portion for name in connection.channels()}
        known, allowed = await on_executor(_ask, credentials, names)
        for connection in portion:
            reader = known[connection.credential]
            if connection.closing:
                continue
            if connection.reader.user and not reader.user:
                self._hub.close(connection, 4401)
                continue
            self._narrow(connection, reader, allowed)
            if connection not in self._held:  # named again meanwhile: the next round lets go
                connection.held = False
                self._hub.fanout.bring_on(connection)

    def _narrow(self, connection: Connection, reader: Reader, allowed: Collection[tuple[Reader, ChannelName]]) -> None:
        lost = [str(name) for name in connection.channels() if (reader, name) not in allowed]
        for channel in lost:
            self._hub.unsubscribe(connection, channel)
        if lost and connection.outlet.has_credit:
            connection.outlet.send_text(connection.form.resync(lost))


def _ask(
    credentials: Collection[Credential], names: Collection[ChannelName]
) -> tuple[dict[Credential, Reader], set[tuple[Reader, ChannelName]]]:
    readers = identity.readers(credentials)
    asked = {
        kind: (set(readers.values()), {name.key for name in names if name.kind == kind.name})
        for kind in {registry.of(name) for name in names}
    }
    return readers, readable(asked)
