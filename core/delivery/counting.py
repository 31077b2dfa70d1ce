"""Counts (a badge) are never computed by a publisher, whose snapshot may be old: the hub counts for its own people, after the news."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from django.db import DatabaseError

from core.delivery.channel import ChannelName, Event, Kind, registry
from core.delivery.executor import on_executor
from core.delivery.forms import Entry
from core.delivery.topic import Topic

if TYPE_CHECKING:
    from core.delivery.hub import Hub

PAUSE = 0.05  # seconds in which dirty people are gathered
RETRY = 0.5  # seconds after the database failed
TURN = 0.002  # seconds of sending before others get the loop, and the core, for as long
Dirty = tuple[Kind, Event, str]


class Counting:
    """Who of one hub's people must be counted anew: one query at a time for all of them, begun after the marks."""

    def __init__(self, hub: "Hub") -> None:
        self._hub = hub
        self._events: list[Dirty] = []
        self._users: set[str] = set()
        self._working = False

    def mark(self, topic: Topic, entries: Iterable[Entry]) -> None:
        """Note the events that may have changed somebody's counts."""
        for entry in entries:
            type = topic.kind.type(entry.event.type)
            if type is not None and type.dirties:
                self._events.append((topic.kind, entry.event, topic.name.key))
        if self._events:
            self._soon()

    def mark_user(self, user: str) -> None:
        """This person has just come: tell her page what counts now."""
        self._users.add(user)
        self._soon()

    def _soon(self) -> None:
        if not self._working:
            self._working = True
            self._hub.spawn(self._work())

    async def _work(self) -> None:
        try:
            while self._events or self._users:
                await asyncio.sleep(PAUSE)
                events, users = self._events, self._users
                self._events, self._users = [], set()
                try:
                    counts = await on_executor(_counted, events, users, self._hub.users())
                except DatabaseError:
                    self._events, self._users = events + self._events, users | self._users
                    await asyncio.sleep(RETRY)
                    continue
                await self._send(counts)
        finally:
            self._working = False

    async def _send(self, counts: Mapping[str, str]) -> None:
        """Send each her own. With pauses: what counts is no news, and leaves half of a core to those who have some."""
        begun = time.monotonic()
        for user, html in counts.items():
            if time.monotonic() - begun > TURN:
                await asyncio.sleep(TURN)
                begun = time.monotonic()
            name = ChannelName("user", user)
            for connection in list(self._hub.of_user(user)):
                if str(name) in connection.subscriptions:
                    self._hub.fanout.send_counts(connection, name, html)


def _counted(events: Sequence[Dirty], users: set[str], local: set[str]) -> Mapping[str, str]:
    """The counts fragments of everybody here whom these events or marks touch."""
    dirty = set(users)
    for kind, event, key in events:
        dirty.update(kind.dirtied(event, key, [key] if kind.name == "user" else local))
    counter = registry.kinds.get("user")
    return counter.counts(dirty & local) if counter is not None and dirty & local else {}
