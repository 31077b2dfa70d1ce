"""The proxy does to a connection what a row asks it to do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.chaos.proxy import Proxy


@asynccontextmanager
async def echoing() -> AsyncIterator[tuple[Proxy, asyncio.StreamReader, asyncio.StreamWriter]]:
    """A proxy before a server that says everything again, and a connection through it."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(100):
            writer.write(piece)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server, Proxy(to=server.sockets[0].getsockname()[1]) as proxy, asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        yield proxy, reader, writer
        writer.close()


async def test_it_passes_everything_on() -> None:
    async with echoing() as (_, reader, writer):
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"


async def test_it_slices() -> None:
    async with echoing() as (proxy, reader, writer):
        proxy.slices = True
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"


async def test_it_swallows_and_says_nothing() -> None:
    async with echoing() as (proxy, reader, writer):
        proxy.swallows = True
        writer.write(b"hello")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.2)


async def test_it_freezes_one_direction_until_it_thaws() -> None:
    async with echoing() as (proxy, reader, writer):
        proxy.frozen = "down"
        writer.write(b"hello")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.2)
        proxy.frozen = ""
        assert await reader.readexactly(5) == b"hello"


async def test_it_cuts_and_resets() -> None:
    async with echoing() as (proxy, reader, writer):
        proxy.cut_after = 7
        writer.write(b"hello")
        assert await reader.read(100) == b""
    async with echoing() as (proxy, reader, writer):
        writer.write(b"hello")
        await reader.readexactly(5)
        proxy.reset()
        with pytest.raises(ConnectionError):
            await reader.readexactly(1)
