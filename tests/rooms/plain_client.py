"""A plain chat socket inside the test's own process: speaks ASGI with the application and keeps the frames it hears."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from core.asgi import application

PATIENCE = 10.0
ORIGIN = "http://127.0.0.1:8000"
Headers = Iterable[tuple[bytes, bytes]]


class PlainClient:
    def __init__(self, path: str, *, query: str = "", cookies: str = "", origin: str | None = ORIGIN, headers: Headers = ()) -> None:
        self.path, self.query = path, query
        self.headers = [(b"host", b"127.0.0.1:8000"), *headers]
        if origin is not None:
            self.headers.append((b"origin", origin.encode()))
        if cookies:
            self.headers.append((b"cookie", cookies.encode()))
        self.heard: list[str] = []
        self.accepted = False
        self.closed: int | None = None
        self._to_server: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._news = asyncio.Event()
        self._reads = asyncio.Event()
        self._reads.set()

    def open(self) -> None:
        scope = {
            "type": "websocket",
            "path": self.path,
            "query_string": self.query.encode(),
            "headers": self.headers,
            "client": ("127.0.0.1", 1),
            "subprotocols": [],
        }
        self._to_server.put_nowait({"type": "websocket.connect"})
        self._task = asyncio.create_task(application(scope, self._to_server.get, self._take))

    async def _take(self, message: Any) -> None:
        await self._reads.wait()
        match message["type"]:
            case "websocket.accept":
                self.accepted = True
            case "websocket.send":
                assert self.closed is None, f"after the close came {message}"
                self.heard.append(message["text"])
            case "websocket.close":
                self.closed = message.get("code", 1000)
        self._news.set()

    def stop_reading(self) -> None:
        self._reads.clear()

    def read_again(self) -> None:
        self._reads.set()

    def say(self, frame: Any = None, *, binary: bytes | None = None) -> None:
        """Send a frame: bare text, or anything as JSON."""
        text = frame if isinstance(frame, str) else None if frame is None else json.dumps(frame)
        self._to_server.put_nowait({"type": "websocket.receive", "text": text, "bytes": binary})

    async def until(self, what: Callable[["PlainClient"], Any], *, described: str = "") -> Any:
        try:
            async with asyncio.timeout(PATIENCE):
                while not (answer := what(self)):
                    self._news.clear()
                    await self._news.wait()
                return answer
        except TimeoutError:
            raise AssertionError(f"{described or 'it'} did not come; heard {self.heard}; closed {self.closed}") from None

    async def frames(self, count: int) -> list[str]:
        """Wait for that many frames, the greeting among them."""
        await self.until(lambda me: len(me.heard) >= count, described=f"{count} frames")
        return self.heard

    def messages(self) -> list[dict[str, Any]]:
        return [frame for frame in map(json.loads, self.heard) if frame["type"] == "chat.message"]

    def texts(self) -> list[str]:
        return [message["message"] for message in self.messages()]

    async def texts_until(self, last: str) -> list[str]:
        await self.until(lambda me: last in me.texts(), described=repr(last))
        return self.texts()

    async def error(self) -> dict[str, Any]:
        """Wait for an error reply and take it away."""
        line: str = await self.until(
            lambda me: next((frame for frame in me.heard if '"type": "error"' in frame), None), described="an error"
        )
        self.heard.remove(line)
        return dict(json.loads(line))

    async def close_code(self) -> int:
        return int(await self.until(lambda me: me.closed, described="the close"))

    async def close(self) -> None:
        self._reads.set()
        self._to_server.put_nowait({"type": "websocket.disconnect", "code": 1001})
        await asyncio.wait({self._task}, timeout=PATIENCE)


@asynccontextmanager
async def plain_client(path: str, **given: Any) -> AsyncIterator[PlainClient]:
    client = PlainClient(path, **given)
    client.open()
    try:
        yield client
    finally:
        await client.close()
