"""Who may still read: what a hub does when `system:authority` names somebody, and with everybody once a minute."""

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError

from core import tokens
from core.delivery import identity
from core.delivery.channel import ChannelName, Kind, Reader, registry
from core.delivery.connection import Connection
from core.delivery.executor import on_executor
from core.delivery.identity import Credential

if TYPE_CHECKING:
    from core.delivery.hub import Hub

REFUSED_FOR = 60.0  # seconds that a revoked session's hash is refused
SLICE = 500  # connections in one question
RETRY = 0.2  # seconds after the database failed

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
        self._revoked: dict[str, float] = {}  # session hash -> until when it is refused

    def refuses(self, reader: Reader) -> bool:
        """Whether this reader's session was revoked a moment ago."""
        until = self._revoked.get(reader.session)
        return bool(reader.session) and until is not None and until > time.monotonic()

    def on_revoked(self, data: Mapping[str, Any]) -> None:
        """Take one event of `system:authority`."""
        if "session" in data:
            self._close_session(str(data["session"]))
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
                self._hub.bring_on(connection)

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
