"""A live client inside the test's own process: speaks ASGI with the application, keeps what it would show, as live.js does."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from core.asgi import application

PATIENCE = 10.0


@dataclass
class LiveClient:
    """Applies frames by the rules of positions; `shown` is the HTML of every frame applied, per channel."""

    positions: dict[str, str] = field(default_factory=dict)
    cookies: str = ""
    bearer: str = ""
    origin: str = "http://127.0.0.1:8000"
    frames: list[dict[str, Any]] = field(default_factory=list)
    shown: dict[str, list[str]] = field(default_factory=dict)
    closed: int | None = None
    slow: bool = False  # takes no message: the server's send suspends

    def __post_init__(self) -> None:
        self._to_server: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._resynced: set[str] = set()  # channels whose region is being fetched
        self._news = asyncio.Event()
        self._reads = asyncio.Event()
        self._reads.set()

    def headers(self) -> list[tuple[bytes, bytes]]:
        headers = [(b"host", b"127.0.0.1:8000")]
        if self.origin:
            headers.append((b"origin", self.origin.encode()))
        if self.cookies:
            headers.append((b"cookie", self.cookies.encode()))
        if self.bearer:
            headers.append((b"authorization", f"Bearer {self.bearer}".encode()))
        return headers

    async def open(self) -> None:
        scope = {
            "type": "websocket",
            "path": "/live/ws",
            "query_string": b"",
            "headers": self.headers(),
            "client": ("127.0.0.1", 1),
            "subprotocols": [],
        }
        self._to_server.put_nowait({"type": "websocket.connect"})
        self._task = asyncio.create_task(application(scope, self._to_server.get, self._take))

    async def _take(self, message: Any) -> None:
        await self._reads.wait()
        if message["type"] == "websocket.send":
            frame = json.loads(message["text"])
            if isinstance(frame, dict):
                self._on_frame(frame)
        elif message["type"] == "websocket.close":
            self.closed = message.get("code", 1000)
        self._news.set()

    def stop_reading(self) -> None:
        self._reads.clear()

    def read_again(self) -> None:
        self._reads.set()

    def _on_frame(self, frame: dict[str, Any]) -> None:
        self.frames.append(frame)
        if frame.get("signal") == "resync":
            self._resynced.update(frame["channels"])
        if "from" in frame:
            self._apply(frame)

    def _apply(self, frame: dict[str, Any]) -> None:
        epoch, offset = self.positions[frame["channel"]].split(":")
        if frame["channel"] in self._resynced:  # its region has been fetched by now
            self._resynced.remove(frame["channel"])
            epoch, offset = frame["epoch"], frame["from"]
        assert frame["epoch"] == epoch, f"a frame of another epoch: {frame}"
        if frame["to"] <= int(offset):
            return
        assert frame["from"] <= int(offset), f"a gap at {offset}: {frame}"
        self.positions[frame["channel"]] = f"{epoch}:{frame['to']}"
        self.shown.setdefault(frame["channel"], []).append(frame["html"])

    def say(self, frame: Any) -> None:
        text = frame if isinstance(frame, str) else json.dumps(frame)
        self._to_server.put_nowait({"type": "websocket.receive", "text": text})

    async def until(self, what: Callable[["LiveClient"], Any], *, described: str = "") -> Any:
        """Wait for what this client received to satisfy `what`. Raises AssertionError with all frames when it does not."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not (answer := what(self)):
                    self._news.clear()
                    await self._news.wait()
                return answer
        except TimeoutError:
            raise AssertionError(
                f"{described or 'what the test waits for'} did not come; frames: {self.frames}; closed {self.closed}"
            ) from None

    async def resume(self, **more: Any) -> dict[str, Any]:
        """Send `resume` with our positions and return the reply; a channel that was not recovered starts at the reply's position."""
        self.say({"do": "resume", "at": self.positions, **more})
        reply = await self.until(lambda me: next((f for f in me.frames if f.get("reply") == 0), None), described="the reply to resume")
        for channel, at in reply.get("at", {}).items():
            if not at["recovered"]:
                self.positions[channel] = at["position"]
        return reply

    async def reply_to(self, number: int) -> dict[str, Any]:
        return await self.until(lambda me: next((f for f in me.frames if f.get("reply") == number), None), described=f"reply {number}")

    def texts(self, channel: str) -> str:
        return "".join(self.shown.get(channel, []))

    async def texts_until(self, channel: str, end: str) -> str:
        await self.until(lambda me: end in me.texts(channel), described=f"{end!r} on {channel}")
        return self.texts(channel)

    async def close(self) -> None:
        self._reads.set()
        self._to_server.put_nowait({"type": "websocket.disconnect", "code": 1001})
        await asyncio.wait({self._task}, timeout=PATIENCE)


@asynccontextmanager
async def live_client(**given: Any) -> AsyncIterator[LiveClient]:
    client = LiveClient(**given)
    await client.open()
    try:
        yield client
    finally:
        await client.close()
