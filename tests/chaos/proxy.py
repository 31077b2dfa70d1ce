"""A TCP proxy that misbehaves on demand: delay, black hole, reset, slices of one byte, a cut after so many bytes, one direction frozen.

async with Proxy(to=6379) as proxy: connect to proxy.port; then `proxy.swallows = True` and what is sent goes nowhere.
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Proxy:
    """Passes connections on. Its attributes may be changed at any time, and hold for connections that exist."""

    def __init__(self, *, to: int, host: str = "127.0.0.1") -> None:
        self.to, self.host = to, host
        self.port = 0
        self.delay = 0.0  # seconds before a piece goes on
        self.swallows = False  # black hole: both sides think that they are connected, and nothing arrives
        self.frozen = ""  # "up" or "down": this direction alone stands still
        self.slices = False  # a byte at a time
        self.cut_after: int | None = None  # bytes of a connection, both ways, after which it ends
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[Any] = set()

    async def __aenter__(self) -> "Proxy":
        self._server = await asyncio.start_server(self._accept, self.host, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.reset()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def reset(self) -> None:
        """End every connection with a reset."""
        for writer in [one for one in self._writers if not one.is_closing()]:
            # Without lingering, or the kernel says goodbye politely.
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection(self.host, self.to)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, back}
        self._tasks.add(asyncio.current_task())
        passed = [0]
        with contextlib.suppress(asyncio.CancelledError):  # at the end of the proxy
            await asyncio.gather(self._pass(reader, back, "up", passed), self._pass(there, writer, "down", passed))
        self._writers -= {writer, back}

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: str, passed: list[int]) -> None:
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(65536):
                while self.frozen == way:
                    await asyncio.sleep(0.02)
                if self.delay:
                    await asyncio.sleep(self.delay)
                if self.swallows:
                    continue
                passed[0] += len(piece)
                if self.cut_after is not None and passed[0] > self.cut_after:
                    break
                await self._write(writer, piece)
        while self.swallows:  # a hole says nothing, not even that the other side has gone
            await asyncio.sleep(0.05)
        writer.close()

    async def _write(self, writer: asyncio.StreamWriter, piece: bytes) -> None:
        for part in [piece[index : index + 1] for index in range(len(piece))] if self.slices else [piece]:
            writer.write(part)
            await writer.drain()


@contextmanager
def proxy(*, to: int) -> Iterator[Proxy]:
    """A proxy in a thread of its own, for rows that are plain code."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="proxy", daemon=True)
    thread.start()
    made = asyncio.run_coroutine_threadsafe(Proxy(to=to).__aenter__(), loop).result(5)
    try:
        yield made
    finally:
        asyncio.run_coroutine_threadsafe(made.__aexit__(), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
