"""Connects and subscribes come in batches: what arrives within 10 ms shares one query each for sessions, users, permissions, heads
and missed events, on the delivery executor. See docs/delivery.md.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from django.conf import settings
from django.db import DatabaseError

from core.delivery import figures, history, identity, tickets
from core.delivery.channel import ChannelName, Keeps, Kind, Reader, UnknownKind, registry
from core.delivery.connection import Connection, Join
from core.delivery.executor import on_executor
from core.delivery.hub import Hub, hub
from core.delivery.identity import Credential
from core.delivery.position import Position
from core.delivery.recheck import readable
from core.delivery.topic import Topic

logger = logging.getLogger(__name__)

GATHER = 0.01  # seconds
BATCH = 500  # arrivals served together
NAMED = 8  # channels that a line of the log names
JOIN_WAIT = 0.2  # seconds for the layer; what it loses meanwhile the poll finds


@dataclass(slots=True)
class Arrival:
    """One connection that wants to be brought onto channels."""

    connection: Connection
    join: Join
    credential: Credential | None  # None: known since its resume
    allowed: list[ChannelName] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    done: asyncio.Event = field(default_factory=asyncio.Event)


class Arrivals:
    """Gathers arrivals and serves them in batches."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._waiting: list[Arrival] = []
        self._task: asyncio.Task[None] | None = None

    async def serve(self, connection: Connection, join: Join, credential: Credential | None = None) -> None:
        """Answer a resume or subscribe and bring the connection on; returns when it has its answer."""
        if credential is not None and join.share:
            credential = replace(credential, share=tickets.read(join.share))
        arrival = Arrival(connection, join, credential, refused=dict(join.refused))
        self._waiting.append(arrival)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._work())
        await arrival.done.wait()

    async def _work(self) -> None:
        await asyncio.sleep(GATHER)
        while self._waiting:
            batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
            try:
                await self._serve(batch)
            except DatabaseError as error:
                logger.warning("connects refused, database unreachable: %s", str(error).strip())
                self._turn_away(batch)
            except Exception:
                logger.exception("connects refused")
                self._turn_away(batch)
            for arrival in batch:
                arrival.done.set()

    def _turn_away(self, batch: Sequence[Arrival]) -> None:
        """Overloaded or without a database: they come back later, with their positions."""
        for arrival in batch:
            self._hub.close(arrival.connection, 1013, retry_ms=2000)

    async def _serve(self, batch: Sequence[Arrival]) -> None:
        await self._hub.recheck.ready.wait()
        known = self._hub.recheck.head
        await self._identify(batch)
        batch = [arrival for arrival in batch if not arrival.connection.closing]
        self._refuse_unknown(batch)
        for arrival in batch:
            arrival.allowed = [name for name in arrival.join.at if str(name) not in arrival.refused]
        topics = await self._open(batch, await on_executor(readable, _asked(batch)))
        await self._reach_back(batch, topics)
        if self._hub.recheck.head != known:
            # Somebody lost rights while we asked: check these again before their first byte.
            self._hub.recheck.hold([arrival.connection for arrival in batch])
        for arrival in batch:
            if not arrival.connection.closing:
                self._answer(arrival, topics)

    async def _identify(self, batch: Sequence[Arrival]) -> None:
        fresh = [arrival for arrival in batch if arrival.credential is not None]
        credentials = {arrival.credential for arrival in fresh if arrival.credential is not None}
        known: Mapping[Credential, Reader] = await on_executor(identity.readers, credentials) if credentials else {}
        for arrival in fresh:
            connection = arrival.connection
            if connection.closing or arrival.credential is None:
                continue
            connection.credential, connection.reader = arrival.credential, known[arrival.credential]
            if self._hub.recheck.refuses(connection.reader):
                self._hub.close(connection, 4401)
            elif not connection.reader.user and self._hub.is_crowded(connection.address):
                self._hub.close(connection, 4429, retry_ms=10_000)
            else:
                self._hub.admit(connection)

    def _refuse_unknown(self, batch: Sequence[Arrival]) -> None:
        """A stranger cannot tell refusal from absence: unknown kinds and internal channels are not found."""
        for arrival in batch:
            for name in arrival.join.at:
                try:
                    registry.of(name)
                except UnknownKind:
                    arrival.refused[str(name)] = "not_found"
                if name.kind == "system":
                    arrival.refused[str(name)] = "not_found"

    async def _open(self, batch: Sequence[Arrival], allowed: Collection[tuple[Reader, ChannelName]]) -> dict[ChannelName, Topic]:
        for arrival in batch:
            reader = arrival.connection.reader
            for name in arrival.allowed:
                if (reader, name) not in allowed:
                    arrival.refused[str(name)] = "not_found"
            arrival.allowed = [name for name in arrival.allowed if (reader, name) in allowed]
        topics = {name: self._hub.topic(name) for arrival in batch for name in arrival.allowed}
        # Join before reading: an event committed in between waits in the mailbox and is dropped as a duplicate.
        await self._join([topic for topic in topics.values() if not topic.joined])
        self._standings = await on_executor(history.standings, [str(name) for name in topics])
        for topic in topics.values():
            standing = self._standings[topic.text]
            await self._hub.open(topic, standing.epoch, standing.head)
        return topics

    async def _join(self, topics: Sequence[Topic]) -> None:
        if topics:
            await asyncio.wait({asyncio.get_running_loop().create_task(self._hub.join(topics))}, timeout=JOIN_WAIT)

    async def _reach_back(self, batch: Sequence[Arrival], topics: Mapping[ChannelName, Topic]) -> None:
        """Read, once per channel, what the memory of this process does not cover for somebody in this batch."""
        wanted: dict[str, int] = {}
        for arrival in batch:
            for name in arrival.allowed:
                topic, position = topics[name], arrival.join.at[name]
                if position is not None and self._recoverable(topic, position) and position.offset < topic.start:
                    wanted[topic.text] = min(position.offset, wanted.get(topic.text, position.offset))
        if not wanted:
            return
        for text, stretch in (await on_executor(history.stretches, wanted)).items():
            topic = self._hub.topics[text]
            if stretch.whole:
                await self._hub.reading.absorb(topic, stretch)

    def _recoverable(self, topic: Topic, position: Position) -> bool:
        standing = self._standings[topic.text]
        head = max(standing.head, topic.head)
        if not position.recoverable(epoch=topic.epoch, head=head, tail=standing.tail):
            return False
        return topic.kind.keeps is Keeps.STATE or head - position.offset <= settings.CATCH_UP

    def _answer(self, arrival: Arrival, topics: Mapping[ChannelName, Topic]) -> None:
        """Reply where each channel stands, subscribe, and send what was missed: nothing else runs in between."""
        connection, at = arrival.connection, {}
        for name in arrival.allowed:
            topic, position = topics[name], arrival.join.at[name]
            recovered = position is not None and self._recoverable(topic, position) and position.offset >= topic.start
            cursor = position.offset if recovered and position is not None else topic.head
            self._hub.subscribe(connection, topic, cursor)
            at[str(name)] = (str(Position(topic.epoch, topic.head if recovered else cursor)), recovered)
        if not connection.outlet.has_credit:
            self._hub.close(connection, 1013)
            return
        _note(arrival, at)
        connection.outlet.send_answer(arrival.join.number, at, arrival.refused)
        self._hub.fanout.bring_on(connection)


def _note(arrival: Arrival, at: Mapping[str, tuple[str, bool]]) -> None:
    """One line for a connection that is brought onto channels. Here and not in its own task, so its id is said."""
    said: dict[str, object] = {"connection": arrival.connection.id, "user": arrival.connection.reader.user, "channels": list(at)[:NAMED]}
    # Who gave no position asked for no history.
    asked = {str(name) for name, position in arrival.join.at.items() if position is not None}
    if resync := [name for name, (_, recovered) in at.items() if not recovered and name in asked]:
        figures.resyncs.inc(len(resync))
        said["resync"] = resync[:NAMED]
    if arrival.refused:
        said["refused"] = list(arrival.refused)[:NAMED]
    logger.info("subscribed", extra=said)


def _asked(batch: Sequence[Arrival]) -> dict[Kind, set[tuple[Reader, str]]]:
    asked: dict[Kind, set[tuple[Reader, str]]] = defaultdict(set)
    for arrival in batch:
        for name in arrival.allowed:
            asked[registry.of(name)].add((arrival.connection.reader, name.key))
    return asked


arrivals = Arrivals(hub)
