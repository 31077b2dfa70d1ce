"""A live client over a real socket: the same rules as tests.support.live, against a server process."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.support.live import LiveClient


class SocketClient(LiveClient):
    """Give it the server's address; everything else is LiveClient's."""

    url: str = ""
    tls: ssl.SSLContext | None = None

    async def open(self) -> None:
        headers = {"Cookie": self.cookies} if self.cookies else {}
        self._socket: ClientConnection = await connect(
            self.url, origin=self.origin or None, additional_headers=headers, proxy=None, max_size=None, open_timeout=20, ssl=self.tls
        )
        self._task = asyncio.create_task(self._receive())

    async def _receive(self) -> None:
        try:
            async for text in self._socket:
                await self._take({"type": "websocket.send", "text": text})
        except ConnectionClosed:
            pass
        await self._take({"type": "websocket.close", "code": self._socket.close_code or 1006})

    def say(self, frame: Any) -> None:
        text = frame if isinstance(frame, str) else json.dumps(frame)
        self._said = asyncio.ensure_future(self._socket.send(text))

    async def close(self) -> None:
        self._reads.set()
        await self._socket.close()
        await asyncio.wait({self._task}, timeout=5)


@asynccontextmanager
async def socket_client(url: str, *, tls: ssl.SSLContext | None = None, **given: Any) -> AsyncIterator[SocketClient]:
    """A connected client of the server whose live socket is at `url`, a page of that site unless `origin` says another."""
    client = SocketClient(**{"origin": url.replace("ws", "http", 1).rsplit("/", 2)[0], **given})
    client.url, client.tls = url, tls
    await client.open()
    try:
        yield client
    finally:
        await client.close()
