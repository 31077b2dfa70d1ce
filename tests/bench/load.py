"""Holds many WebSockets and says what arrived, in a process of its own: `python -m tests.bench.load`.

Reads a command per line as JSON and answers each with a line of JSON; `crowd.py` is the other end. A message carries marks
`@@<publish time as %020.6f>#<number as %08d>@`; what is counted is marks, so that a frame may hold several.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import picows
import uvloop

SILENCE = 8.0  # seconds after which nothing more is waited for
SAMPLE = 7  # every so many marks the latency is kept
MARK = 32  # characters of a mark


class Tally:
    """What all sockets received since the last question."""

    def __init__(self) -> None:
        self.received = self.wrong = 0
        self.last = time.time()
        self.latencies: list[float] = []


class Listener(picows.WSListener):
    """One socket. `hello` is sent when it opens; `live_at` is when the answer to it had come."""

    def __init__(self, crowd: "Crowd", member: "Member") -> None:
        self.crowd, self.member = crowd, member

    def on_ws_connected(self, transport: Any) -> None:
        hello = self.member.hello()
        if hello:
            transport.send(picows.WSMsgType.TEXT, hello)
        else:
            self.member.is_live()

    def on_ws_frame(self, transport: Any, frame: Any) -> None:
        if frame.msg_type != picows.WSMsgType.TEXT:
            return
        payload = frame.get_payload_as_bytes()
        at = payload.find(b"@@")
        if at < 0:
            self.member.on_other(transport, payload)
        else:
            self.member.newest = payload
            self.member.on_marks(payload, at)

    def on_ws_disconnected(self, transport: Any) -> None:
        if self.member.transport is transport:
            self.member.on_gone()


class Stream(asyncio.Protocol):
    """One EventSource: it is live when the head of the answer has come, and counts the marks of what follows."""

    def __init__(self, member: "Member") -> None:
        self.member, self.left = member, b""

    def connection_made(self, transport: Any) -> None:
        url = urlsplit(self.member.crowd.url)
        head = f"GET {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\nAccept: text/event-stream\r\n\r\n"
        transport.write(head.encode())

    def data_received(self, data: bytes) -> None:
        if not self.member.live_at:
            assert data.startswith(b"HTTP/1.1 200"), data[:200]
            self.member.is_live()
        data = self.left + data
        at = data.find(b"@@")
        whole = data.rfind(b"@") + 1 if at >= 0 and len(data) - data.rfind(b"@@") >= MARK else data.rfind(b"@@")
        self.left = data[whole:] if whole >= 0 else b""
        if 0 <= at < whole:
            self.member.on_marks(data[:whole], at)


class Member:
    """One client of the crowd: its cookie, its channels' positions, and the next number that it must see."""

    def __init__(self, crowd: "Crowd", cookie: str, at: dict[str, str | None], speaks: str) -> None:
        self.crowd, self.cookie, self.at, self.speaks = crowd, cookie, at, speaks
        self.transport: Any = None
        self.newest = b""  # the last push, for its position
        self.next = -1
        self.live_at = 0.0
        self.dropped_at = 0.0
        self.cut = False

    def hello(self) -> bytes:
        return json.dumps({"do": "resume", "at": self.at}).encode() if self.speaks == "signalbox" else b""

    def is_live(self) -> None:
        self.live_at = time.time()

    def on_other(self, transport: Any, payload: bytes) -> None:
        if self.speaks == "socketio":
            self._on_engine(transport, payload)
        elif payload.startswith(b'{"reply":0,'):
            reply = json.loads(payload)
            self.at = {channel: stands["position"] for channel, stands in reply["at"].items()}
            self.crowd.refused += len(reply.get("refused", ()))
            self.crowd.lost += sum(not stands["recovered"] for stands in reply["at"].values()) if self.cut else 0
            self.is_live()

    def on_marks(self, payload: bytes, at: int) -> None:
        """What was received has a mark at this place, and perhaps more behind it."""
        tally = self.crowd.tally
        tally.last = time.time()
        while at >= 0:
            tally.received += 1
            if tally.received % SAMPLE == 0:
                tally.latencies.append(tally.last - float(payload[at + 2 : at + 22]))
            number = int(payload[at + 23 : at + 31])
            if number != self.next and self.next >= 0:
                tally.wrong += 1
            self.next = number + 1
            at = payload.find(b"@@", at + MARK)

    def _on_engine(self, transport: Any, payload: bytes) -> None:
        """Engine.IO: 0 opens, 2 pings; Socket.IO: 40 connects."""
        if payload[:1] == b"0":
            transport.send(picows.WSMsgType.TEXT, b"40")
        elif payload == b"2":
            transport.send(picows.WSMsgType.TEXT, b"3")
        elif payload[:2] == b"40":
            self.is_live()

    def remember_position(self) -> None:
        if self.newest and self.speaks == "signalbox":
            push = json.loads(self.newest)
            self.at[push["channel"]] = f"{push['epoch']}:{push['to']}"
            self.newest = b""

    def on_gone(self) -> None:
        self.transport = None
        self.crowd.gone += 1

    async def open(self) -> None:
        headers = {"Cookie": self.cookie, "Origin": self.crowd.origin} if self.cookie else {"Origin": self.crowd.origin}
        self.live_at = 0.0
        if self.speaks == "sse":
            url = urlsplit(self.crowd.url)
            self.transport, _ = await asyncio.get_running_loop().create_connection(lambda: Stream(self), url.hostname, url.port)
            return
        self.transport, _ = await picows.ws_connect(
            lambda: self.crowd.listener(self.crowd, self), self.crowd.url, extra_headers=headers, websocket_handshake_timeout=30
        )

    def drop(self) -> None:
        self.remember_position()
        transport, self.transport, self.live_at = self.transport, None, 0.0
        self.dropped_at, self.cut = time.time(), True
        if transport is not None:
            transport.disconnect(False)


class Crowd:
    """All clients of this process."""

    listener: type[Listener] = Listener

    def __init__(self) -> None:
        self.members: list[Member] = []
        self.tally = Tally()
        self.url = self.origin = ""
        self.refused = self.lost = self.gone = self.failed = 0

    async def open(self, url: str, cookies: list[str], at: list[dict[str, str | None]], speaks: str, at_once: int) -> dict[str, Any]:
        """Connect a member for each cookie, so many at once, and wait until each is live."""
        self.url, self.origin = url, url.replace("ws://", "http://").split("/", 3)[0] + "//" + url.split("/")[2]
        members = [Member(self, cookie, channels, speaks) for cookie, channels in zip(cookies, at, strict=True)]
        self.members += members
        return await self._bring(members, at_once)

    async def _bring(self, members: list[Member], at_once: int) -> dict[str, Any]:
        gate, start = asyncio.Semaphore(at_once), time.time()

        async def bring(member: Member) -> None:
            async with gate:
                for _ in range(5):
                    try:
                        await member.open()
                        break
                    except (OSError, picows.WSError):
                        self.failed += 1
                        await asyncio.sleep(0.2)
                while at_once < len(members) and not member.live_at and member.transport is not None:
                    await asyncio.sleep(0.005)

        await asyncio.gather(*[bring(member) for member in members])
        await _until(lambda: all(member.live_at for member in members), 60)
        lags = [member.live_at - start for member in members if member.live_at]
        return {"live": len(lags), "seconds": max(lags, default=0.0), "refused": self.refused, "failed": self.failed}

    async def again(self) -> dict[str, Any]:
        """Drop every connection at once, and come back at once with the positions."""
        self.lost, self.failed = 0, 0
        for member in self.members:
            member.drop()
        return {**await self._bring(self.members, len(self.members)), "unrecovered": self.lost}

    async def jitter(self, every: float, off: float, seconds: float) -> dict[str, Any]:
        """Let every member lose its connection about every so many seconds, stay away a while, and come back with its positions."""
        import random

        waits: list[float] = []

        async def live(member: Member, end: float) -> None:
            await asyncio.sleep(random.uniform(0, every))
            while time.time() < end:
                member.drop()
                await asyncio.sleep(off)
                start = time.time()
                await member.open()
                await _until(lambda: member.live_at > 0, 30)
                waits.append(time.time() - start)
                await asyncio.sleep(every * random.uniform(0.8, 1.2))

        end = time.time() + seconds
        await asyncio.gather(*[live(member, end) for member in self.members])
        return {"cuts": len(waits), "wait_p99": _at(waits, 0.99), "unrecovered": self.lost}

    async def expect(self, marks: int) -> dict[str, Any]:
        """Wait for so many marks in all, or for silence."""
        tally, begun = self.tally, time.time()
        while tally.received < marks and time.time() - max(tally.last, begun) < SILENCE:
            await asyncio.sleep(0.02)
        found = [1000 * one for one in tally.latencies]
        answer = {"received": tally.received, "wrong": tally.wrong, "gone": self.gone, "last": tally.last}
        return answer | {"p50": _at(found, 0.5), "p99": _at(found, 0.99), "max": _at(found, 1.0)}

    async def expect_some(self, members: int) -> dict[str, Any]:
        """Wait until so many members have seen a mark since `begin(-1)`, a minute at most."""

        def reached() -> int:
            return sum(member.next >= 0 for member in self.members)

        await _until(lambda: reached() >= members, 60)
        return {"reached": reached(), "last": self.tally.last}

    def begin(self, first: int) -> dict[str, Any]:
        """Count anew; every member expects this number next (-1: any)."""
        self.tally = Tally()
        for member in self.members:
            member.next = first
        return {}

    def close(self) -> dict[str, Any]:
        for member in self.members:
            if member.transport is not None and self.members[0].speaks != "sse":
                member.transport.disconnect(False)
        self.members = []
        return {}


def _at(values: list[float], share: float) -> float:
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))] if ranked else 0.0


async def _until(what: Callable[[], bool], seconds: float) -> None:
    end = time.time() + seconds
    while not what() and time.time() < end:
        await asyncio.sleep(0.01)


async def main() -> None:
    crowd, loop = Crowd(), asyncio.get_running_loop()
    print(json.dumps({"ready": True}), flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command, given = json.loads(line)
        answer = getattr(crowd, command)(**given)
        print(json.dumps(answer if isinstance(answer, dict) else await answer), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
