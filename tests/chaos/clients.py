"""Clients of the checker by all three transports, in one thread with one loop. They apply positions as live.js does, log everything that
they show and every resync, and come back whenever they are dropped, with a shortened back-off.
"""

import asyncio
import json
import random
import re
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from core.delivery.position import Position
from tests.chaos.records import LogTrack, Mark, Replaced, Shown, StateTrack
from tests.chaos.view import Ask, Channel, Effect, View

PING, SILENCE, TICK = 15.0, 20.0, 5.0  # as live.js; `Pace.hurry` divides them
AGAIN = (0.05, 1.0)  # seconds: first and longest back-off
TITLE = re.compile(r"chaos-(\w+)-(\d+)-")  # how an event names itself inside a rendered notification


# What ends a talk: the connection went, or somebody decided to come back.
GONE = (OSError, ConnectionClosed, InvalidHandshake, httpx.HTTPError, TimeoutError, EOFError)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may be signed in. `pk` empty: a guest."""

    pk: str = ""
    session: str = ""
    token: str = ""

    def headers(self, url: str) -> dict[str, str]:
        """What her browser sends to this address: the session cookie's name has the port in it."""
        port = urlsplit(url).port
        return {"Cookie": f"sessionid_{port}={self.session}"} if self.session else {}

    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


@dataclass(slots=True)
class Setting:
    """What all clients of a run share: where the web processes are, how hurried the run is, which of them page without checks."""

    addresses: Callable[[], list[str]]
    hurry: float = 1.0
    checks: bool = True


@dataclass(slots=True)
class Connected:
    """One spell of being live: from the answer to the resume until the end."""

    since: float
    until: float | None = None


class Client:
    """What the three transports share: tracks, pages over HTTP, spells and back-off. Subclasses bring `talk`."""

    transport = ""

    def __init__(self, name: str, channels: Iterable[str], person: Person, setting: Setting) -> None:
        self.name, self.person, self.setting = name, person, setting
        self.tracks: dict[str, LogTrack | StateTrack] = {}
        self.badge: str | None = None
        self.ahead: dict[str, set[Mark]] = {}  # what a log's region showed beyond the position that it is valid at
        self.spells: list[Connected] = []
        self.codes: list[int] = []
        self.resyncs = 0
        self.tries = 0
        self._talking: asyncio.Task[None] | None = None
        self.frozen_url = ""  # where this client insists on connecting, instead of any web process
        for channel in channels:
            is_state = channel.startswith(("chaosstate:", "chaospaced:"))
            self.tracks[channel] = StateTrack(name, channel) if is_state else LogTrack(name, channel)
        self.view = View(self, checks=setting.checks)
        self.http = httpx.AsyncClient(timeout=5, trust_env=False)

    def logs(self) -> list[LogTrack]:
        return [track for track in self.tracks.values() if isinstance(track, LogTrack)]

    # --- the screen ---

    def show(self, channel: str, text: str, after: int) -> None:
        track, now = self.tracks[channel], time.monotonic()
        if channel.startswith("user:"):
            self._show_notifications(channel, text, now)
            return
        for line in text.splitlines():
            event = json.loads(line)
            # A frame that begins before us, as it may after a refetch: what stands there is replaced and not shown again.
            if event.get("o", after + 1) > after:
                self.show_event(track, event, now)

    def show_event(self, track: LogTrack | StateTrack, told: Mapping[str, Any], now: float) -> None:
        if isinstance(track, LogTrack):
            mark = Mark(told["p"], told["n"])
            if mark in self.ahead.get(track.channel, ()):
                self.ahead[track.channel].discard(mark)  # its region was read late and has it: replaced by its id, once
            else:
                track.entries.append(Shown(mark, told["o"], now))
        else:
            track.show(told["y"], told["k"], told["v"])

    def _show_notifications(self, channel: str, text: str, now: float) -> None:
        track = self.tracks[channel]
        assert isinstance(track, LogTrack)
        marks = dict.fromkeys(Mark(name, int(number)) for name, number in TITLE.findall(text))
        for mark in marks:
            self.show_event(track, {"p": mark.publisher, "n": mark.number, "o": 0}, now)
        if text and not marks:
            self.badge = text

    def replace(self, channel: str, region: Any, at: int) -> None:
        track, now = self.tracks[channel], time.monotonic()
        if isinstance(track, LogTrack):
            track.entries.append(Replaced(tuple(Mark(told["p"], told["n"]) for told in region), now))
            self.ahead[channel] = {Mark(told["p"], told["n"]) for told in region if told["o"] > at}
        else:
            track.replace(region)

    def refuse(self, channel: str) -> None:
        self.tracks[channel].finishes = False

    # --- pages ---

    def url(self) -> str:
        return self.frozen_url or random.choice(self.setting.addresses())

    async def page(self, channel: str) -> tuple[Position | None, Any]:
        """A channel's region by HTTP, at whichever process answers; (None, None) when it is not for us."""
        while True:
            url = random.choice(self.setting.addresses())
            with suppress(httpx.HTTPError):
                answer = await self.http.get(f"{url}/chaos/region/{channel}", headers=self.person.headers(url))
                if answer.status_code == 404:
                    return None, None
                if answer.status_code == 200:
                    said = answer.json()
                    return Position.parse(said["position"]), said["shown"]
            await asyncio.sleep(0.2)

    async def open_page(self) -> None:
        """First paint: every channel's region, from which on this client is live."""
        for channel in self.tracks:
            position, region = await self.page(channel)
            if position is None:
                # Not for us: ask for it all the same, from its beginning, as somebody curious would.
                self.refuse(channel)
                position, region = Position(next(iter(self.view.channels.values())).position.epoch, 0), []
            self.replace(channel, region, position.offset)
            self.view.channels[channel] = Channel(channel, position)

    # --- life ---

    async def run(self) -> None:
        """Live until cancelled."""
        await self.open_page()
        while True:
            self._talking = asyncio.create_task(self._talk_once())
            try:
                await asyncio.wait({self._talking})
            finally:
                self._talking.cancel()
            if not self._talking.cancelled():
                self._talking.result()  # what is not a failure of the connection is a mistake of ours
            self._ended()
            await asyncio.sleep(self._pause())

    async def _talk_once(self) -> None:
        with suppress(*GONE):
            await self.talk(self.url())

    def drop(self) -> None:
        """Lose the connection, now and without a word, as when a network goes."""
        if self._talking is not None:
            self._talking.cancel()

    async def talk(self, url: str) -> None:
        raise NotImplementedError

    def live(self) -> None:
        self.spells.append(Connected(time.monotonic()))

    def _ended(self) -> None:
        """Only a spell that lived a second counts as a success: a server may accept and then close."""
        lived = False
        if self.is_live:
            self.spells[-1].until = now = time.monotonic()
            lived = now - self.spells[-1].since > 1 / self.setting.hurry
        self.tries = 0 if lived else self.tries + 1

    def _pause(self) -> float:
        first, longest = AGAIN
        return random.random() * min(longest, first * 2**self.tries)

    def was_live(self, start: float, end: float) -> bool:
        """Whether one spell covers this time."""
        return any(spell.since <= start and (spell.until is None or spell.until >= end) for spell in self.spells)

    def away(self) -> float:
        """The longest time between two spells, in seconds."""
        return max((after.since - before.until for before, after in pairwise(self.spells) if before.until is not None), default=0.0)

    @property
    def is_live(self) -> bool:
        return bool(self.spells) and self.spells[-1].until is None

    @property
    def repairs(self) -> int:
        """How often this client got by asking, or by being told to look again, what it had missed."""
        return self.view.caught_up + self.view.gaps + max(self.view.refetches, self.resyncs)


class WsClient(Client):
    """A page with the live socket."""

    transport = "ws"
    drops_next = False  # failpoint client_unapplied: a frame is received, and the page is gone before it is applied

    async def talk(self, url: str) -> None:
        address = url.replace("http://", "ws://") + "/live/ws"
        async with connect(
            address, origin=url, additional_headers=self.person.headers(url), proxy=None, max_size=None,
            open_timeout=10 / self.setting.hurry, close_timeout=0.2, ping_interval=None,
        ) as socket:  # fmt: skip
            self._number = 0
            await self._send(socket, self.view.opened())
            beat = asyncio.create_task(self._heartbeat(socket))
            try:
                async for text in socket:
                    self._heard = time.monotonic()
                    await self._receive(socket, json.loads(text))
            finally:
                beat.cancel()
                self.codes.append(socket.close_code or 1006)

    async def _receive(self, socket: ClientConnection, said: Mapping[str, Any]) -> None:
        if self.drops_next and "to" in said:
            self.drops_next = False
            socket.transport.abort()
            raise EOFError
        effects = self.view.receive(said)
        if said.get("reply") == 0:
            self.live()
        await self.carry_out(socket, effects)

    async def carry_out(self, socket: ClientConnection, effects: Iterable[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Ask):
                self._number += 1
                names = [name for name in effect.channels if name in self.view.channels]
                await self._send(socket, {"id": self._number, "do": "subscribe", "at": self.view.standing(names)})
            else:
                task = asyncio.create_task(self._fetch(socket, effect.channel))
                _background.add(task)
                task.add_done_callback(_background.discard)

    async def _fetch(self, socket: ClientConnection, channel: str) -> None:
        position, region = await self.page(channel)
        self.resyncs += 1
        with suppress(ConnectionClosed):
            await self.carry_out(socket, self.view.fetched(channel, position, region))

    async def _send(self, socket: ClientConnection, frame: Mapping[str, Any]) -> None:
        await socket.send(json.dumps(frame))

    async def _heartbeat(self, socket: ClientConnection) -> None:
        """Ping, and give a socket up that has been silent for too long."""
        hurry = self.setting.hurry
        self._heard = pinged = time.monotonic()
        with suppress(ConnectionClosed):
            while True:
                await asyncio.sleep(TICK / hurry)
                now = time.monotonic()
                if now - self._heard >= SILENCE / hurry:
                    socket.transport.abort()
                    return
                if now - pinged >= PING / hurry:
                    pinged = now
                    await self._send(socket, {"do": "ping"})


_background: set[asyncio.Task[None]] = set()


class SseClient(Client):
    """A stream of server-sent events, as JSON or as a page takes it."""

    transport = "sse"

    def __init__(self, *given: Any, form: str = "json") -> None:
        super().__init__(*given)
        self.form = form

    async def talk(self, url: str) -> None:
        names = [name for name in self.tracks if self.tracks[name].finishes]
        last = " ".join(f"{name}={self.view.channels[name].position}" for name in names)
        query = urlencode([*(("channel", name) for name in names), ("as", self.form)])
        timeout = httpx.Timeout(5, read=3 * PING / self.setting.hurry)
        headers = {"Last-Event-ID": last, **self.person.headers(url)}
        async with self.http.stream("GET", f"{url}/live/sse?{query}", headers=headers, timeout=timeout) as answer:
            if answer.status_code != 200:
                await answer.aread()
                self.codes.append(answer.status_code)
                raise EOFError
            self.live()
            event: dict[str, str] = {}
            async for line in answer.aiter_lines():
                if line:
                    field_name, _, value = line.partition(": ")
                    event[field_name] = value
                elif "data" in event:
                    await self._take(event)
                    event = {}

    async def _take(self, event: Mapping[str, str]) -> None:
        said = json.loads(event["data"])
        if event.get("event") == "resync":
            for name in said["channels"]:
                await self._refetch(name)
            return
        if self.form == "html":
            self._take_frame(said)
        else:
            self._take_event(said)

    async def _refetch(self, name: str) -> None:
        self.resyncs += 1
        position, region = await self.page(name)
        if position is None:
            self.refuse(name)
            raise EOFError  # come back without it
        self.replace(name, region, position.offset)
        self.view.channels[name].position = position

    def _take_frame(self, frame: Mapping[str, Any]) -> None:
        for effect in self.view.receive(frame):
            # A stream cannot ask: it comes back with its positions, which is the same.
            channel = effect.channels[0] if isinstance(effect, Ask) else effect.channel
            self.view.channels[channel].holds.clear()
            self.view.channels[channel].empty()
            raise EOFError

    def _take_event(self, event: Mapping[str, Any]) -> None:
        channel, track = self.view.channels[event["channel"]], self.tracks[event["channel"]]
        position = Position.parse(event["position"])
        if position.epoch == channel.position.epoch and position.offset <= channel.position.offset and self.setting.checks:
            return
        self.show_event(track, told(event), time.monotonic())
        channel.position = position


class PollClient(Client):
    """Long-poll of its channels, each in turn of its own."""

    transport = "poll"

    async def talk(self, url: str) -> None:
        self.live()
        async with asyncio.TaskGroup() as group:
            for channel in self.tracks:
                group.create_task(self._follow(channel))

    async def _follow(self, channel: str) -> None:
        wait = 10 / self.setting.hurry
        while True:
            url = self.url()
            since = str(self.view.channels[channel].position)
            try:
                answer = await self.http.get(
                    f"{url}/api/v1/channels/{channel}/events", params={"since": since, "wait": f"{wait:.1f}"},
                    headers=self.person.bearer(), timeout=wait + 5,
                )  # fmt: skip
            except httpx.HTTPError:
                await asyncio.sleep(0.3)
                continue
            if answer.status_code == 200:
                await self._take(channel, answer.json())
            elif answer.status_code in {401, 403, 404}:
                self.refuse(channel)
                return
            await asyncio.sleep(0.5)  # not after every event: the next answer brings what came meanwhile

    async def _take(self, name: str, said: Mapping[str, Any]) -> None:
        channel, track = self.view.channels[name], self.tracks[name]
        if not said["recovered"]:
            self.resyncs += 1
            position, region = await self.page(name)
            if position is not None:
                self.replace(name, region, position.offset)
                channel.position = position
            return
        for event in said["events"]:
            self.show_event(track, told(event), time.monotonic())
        channel.position = Position.parse(said["position"])


def told(event: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON event in the words of a region."""
    data, offset = event["data"], int(event["position"].partition(":")[2])
    return {"o": offset, "y": event["type"], "k": event["key"], "p": data["p"], "n": data["n"], "v": data.get("v")}
