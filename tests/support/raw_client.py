"""Clients without manners: a raw socket with small buffers that is let in as a WebSocket or a stream, and then reads as it likes.

client = await RawClient.open(web, "ws", "testflow:1", position)
client.talk()                 # says something ten times a second and reads nothing
await client.read_until(99)   # reads again; `numbers` are those of the sheets it was shown
"""

import asyncio
import base64
import json
import os
import re
import socket
import struct
from contextlib import suppress
from typing import Self
from urllib.parse import quote

from tests.support.servers import Web

PATIENCE = 60.0
_NUMBERS = re.compile(r"\[(\d+)\]")


class RawClient:
    """One client of one channel (tests.support.flow.Sheets)."""

    def __init__(self, way: str, channel: str, position: str) -> None:
        self.way, self.channel, self.position = way, channel, position
        self.numbers: list[int] = []
        self.close_code: int | None = None
        self.ended = False
        self._data = b""
        self._head_read = False
        self._habit: asyncio.Task[None] | None = None
        self._socket = socket.socket()
        # Small buffers: what the kernel takes for us is not the server's, and would only be waited for.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.setblocking(False)

    @classmethod
    async def open(cls, web: Web, way: str, channel: str, position: str) -> Self:
        """Connect by `ws` or `sse` from a position, and read up to the server's acceptance."""
        client = cls(way, channel, position)
        async with asyncio.timeout(PATIENCE):
            await asyncio.get_running_loop().sock_connect(client._socket, ("127.0.0.1", web.port))
            await (client._open_socket(web) if way == "ws" else client._open_stream())
        return client

    async def _open_socket(self, web: Web) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        await self._write(
            f"GET /live/ws HTTP/1.1\r\nHost: 127.0.0.1:{web.port}\r\nOrigin: {web.url}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        await self._read_head(b" 101 ")
        await self._say({"do": "resume", "at": {self.channel: self.position}})

    async def _open_stream(self) -> None:
        last = quote(f"{self.channel}={self.position}")
        await self._write(f"GET /live/sse?channel={self.channel}&as=html&last_event_id={last} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await self._read_head(b" 200 ")

    async def _read_head(self, expected: bytes) -> None:
        while b"\r\n\r\n" not in self._data:
            assert await self._read(1), self._data
        assert expected in self._data, self._data
        self._data = b""

    async def _write(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._socket, data)

    async def _say(self, frame: object) -> None:
        text = json.dumps(frame).encode()
        length = struct.pack("!B", 0x80 | len(text)) if len(text) < 126 else struct.pack("!BH", 0x80 | 126, len(text))
        mask = os.urandom(4)
        await self._write(b"\x81" + length + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(text)))

    # --- habits ---

    def sip(self) -> None:
        """Read a byte a second from now on."""
        self._habit = asyncio.create_task(self._repeat(1.0, lambda: self._read(1)))

    def talk(self) -> None:
        """Say something ten times a second from now on, and read nothing. On a stream: ask for more."""
        self._habit = asyncio.create_task(self._repeat(0.1, self._chatter))

    async def _chatter(self) -> None:
        if self.way == "ws":
            await self._say({"do": "ping"})
        else:
            await self._write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")

    async def _repeat(self, pause: float, act: object) -> None:
        with suppress(OSError):  # it was told to go
            while True:
                await act()  # type: ignore[operator]
                await asyncio.sleep(pause)

    async def behave(self) -> None:
        """End the habit, and read as fast as anybody: through buffers as small as these a megabyte takes seconds."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        if self._habit is not None:
            self._habit.cancel()
            await asyncio.wait({self._habit})

    # --- reading ---

    async def _read(self, most: int = 65_536) -> int:
        data = await asyncio.get_running_loop().sock_recv(self._socket, most)
        self._data += data
        return len(data)

    async def read_until(self, number: int) -> None:
        """Read until that sheet has come."""
        async with asyncio.timeout(PATIENCE):
            while not self.numbers or self.numbers[-1] < number:
                assert await self._read(), f"the server ended the connection after {self.numbers[-1:]}"
                self._take_all()

    async def read_to_the_end(self) -> None:
        """Read what the kernel still has for us until the server's end of the connection."""
        async with asyncio.timeout(PATIENCE):
            with suppress(ConnectionResetError):
                while not self.ended and await self._read():
                    self._take_all()
        self.ended = True

    def _take_all(self) -> None:
        for text in self._frames() if self.way == "ws" else self._chunks():
            self._take(text)

    def _take(self, text: str) -> None:
        frame = json.loads(text)
        if "html" in frame:
            assert f"{frame['epoch']}:{frame['from']}" == self.position, f"a gap or a double at {self.position}: {text[:100]}"
            self.position = f"{frame['epoch']}:{frame['to']}"
            self.numbers += map(int, _NUMBERS.findall(frame["html"]))
        else:
            assert frame.get("signal") != "resync", "it was to resume, not to start again"

    def _frames(self) -> list[str]:
        texts = []
        while len(self._data) >= 2:
            kind, size, start = self._data[0] & 15, self._data[1] & 127, 2
            if size >= 126:
                start = 4 if size == 126 else 10
                size = int.from_bytes(self._data[2:start])
            if len(self._data) < start + size:
                break
            payload, self._data = self._data[start : start + size], self._data[start + size :]
            if kind == 1:
                texts.append(payload.decode())
            elif kind == 8:
                self.close_code = int.from_bytes(payload[:2])
        return texts

    def _chunks(self) -> list[str]:
        """The data lines of whole chunks: the servers make one chunk of each event."""
        texts = []
        while (end := self._data.find(b"\r\n")) >= 0:
            size = int(self._data[:end], 16)
            if size == 0:  # the stream's end; what follows answers whatever else was asked
                self.ended, self._data = True, b""
                break
            if len(self._data) < end + 4 + size:
                break
            chunk, self._data = self._data[end + 2 : end + 2 + size], self._data[end + 4 + size :]
            texts += [line.removeprefix("data: ") for line in chunk.decode().split("\n") if line.startswith("data: ")]
        return texts

    async def end(self) -> None:
        await self.behave()
        self._socket.close()
