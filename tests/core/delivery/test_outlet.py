"""The contract with the servers' insides that credit rests on: their transports are found, and tell what they hold."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from core.delivery.outlet import Outlet, bytes_held, transport_of
from core.tracing import traced
from tests.support.servers import make_site
from tests.support.wire_client import socket_client

SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.support.settings"}


class Sink:
    """A server's send that can be made to wait, as uvicorn's does."""

    def __init__(self) -> None:
        self.taken: list[Any] = []
        self.open = asyncio.Event()
        self.open.set()

    async def send(self, message: Any) -> None:
        await self.open.wait()
        self.taken.append(message["text"])


async def test_a_send_that_does_not_wait_needs_no_task() -> None:
    sink = Sink()
    outlet = Outlet(sink.send, credit=100)
    before = len(asyncio.all_tasks())
    outlet.send_text("a")
    assert sink.taken == ["a"] and len(asyncio.all_tasks()) == before and outlet.has_credit


async def test_a_send_that_waits_takes_the_credit_until_it_is_through() -> None:
    sink = Sink()
    sink.open.clear()
    outlet = Outlet(sink.send, credit=100)
    outlet.send_text("a")
    assert not outlet.has_credit
    sink.open.set()
    await outlet.drained()
    assert sink.taken == ["a"] and outlet.has_credit


async def test_a_client_that_went_away_raises_nothing() -> None:
    async def gone(message: Any) -> None:
        raise ConnectionResetError

    outlet = Outlet(gone, credit=100)
    outlet.send_text("a")
    assert not outlet.has_credit


def test_an_unknown_server_has_no_transport_and_holds_nothing_we_know_of() -> None:
    assert transport_of(lambda message: None) is None  # type: ignore[arg-type, return-value]
    assert bytes_held(None) == 0


async def test_the_transport_is_found_behind_whatever_the_application_wraps_around_a_servers_send() -> None:
    class Protocol:
        transport = object()

        async def send(self, message: Any) -> None:
            pass

    seen: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        seen.append(transport_of(send))

    await traced(application)({"type": "http", "headers": []}, None, Protocol().send)  # type: ignore[arg-type]
    assert seen == [Protocol.transport]


@pytest.mark.parametrize("server", ["daphne", "uvicorn"])
async def test_the_server_tells_what_it_holds_for_a_client_that_does_not_read(server: str, tmp_path: Path) -> None:
    """The test application asks the outlet of its own socket (see tests.support.kinds) until the server holds bytes."""
    site = make_site(tmp_path, **SETTINGS)
    with site.web(server=server) as web:
        address = web.url.replace("http://", "ws://") + "/test/held"
        async with socket_client(address) as client:
            assert await client.until(lambda me: any(frame.get("held") for frame in me.frames))
