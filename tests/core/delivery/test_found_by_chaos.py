"""What `make chaos` found once: the smallest test of each defect."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError

from core.delivery import history, longpoll
from core.delivery import hub as hub_module
from core.delivery.channel import ChannelName
from core.delivery.executor import on_executor
from core.delivery.hub import hub
from core.delivery.position import Position
from core.delivery.publishing import publish
from core.delivery.sse import event_stream
from tests.support.live import live_client
from tests.support.servers import make_site
from tests.support.wire_client import socket_client

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("running_hub")]
A = ChannelName("testlog", "a")


async def at(name: ChannelName) -> Position:
    return (await on_executor(history.positions, [str(name)]))[str(name)]


async def test_a_request_that_waited_leaves_the_channel_to_its_subscribers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub took the channel for one that nobody watches, and left it under its subscribers."""
    monkeypatch.setattr(hub_module, "LINGER", 0.0)
    async with live_client(positions={str(A): str(await at(A))}) as client:
        await client.resume()
        await longpoll._news(A, await at(A), seconds=0.01, receive=asyncio.Event().wait)
        await hub._tidy()
        await on_executor(publish, str(A), "line", {"text": "still"})
        await client.texts_until(str(A), "[still]")


async def test_a_stream_that_comes_while_the_process_drains_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """It came over a connection kept open for requests, was served, and held the stop up until it was cancelled."""
    monkeypatch.setattr(hub, "draining", True)
    assert (await _status_of_a_stream()) == 503


async def test_a_process_that_has_drained_serves_nobody_any_more() -> None:
    """Any request that came before the server's end started the hub again, and streams with it that nobody ended."""
    await hub.drain(0)
    await hub.start()
    assert (await _status_of_a_stream()) == 503


async def _status_of_a_stream() -> int:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/live/sse",
        "query_string": b"channel=testlog:a",
        "headers": [],
        "client": ("127.0.0.1", 1),
    }
    async with asyncio.timeout(5):
        await event_stream(scope, asyncio.Event().wait, send)
    return int(sent[0]["status"])


async def test_a_stream_without_a_database_is_refused_for_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ended in a traceback and 500."""

    def away(channels: Any) -> Any:
        raise OperationalError("gone")

    monkeypatch.setattr(history, "standings", away)
    assert (await _status_of_a_stream()) == 503


async def test_a_request_that_waits_is_answered_when_the_process_drains() -> None:
    """It waited on, and was cancelled in the end."""
    asked: list[Any] = []
    position = await at(A)

    async def application(scope: Any, receive: Any, send: Any) -> None:
        asked.append(scope)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        body = b'{"channel":"testlog:a","position":"%s","recovered":true,"events":[]}' % str(position).encode()
        await send({"type": "http.response.body", "body": body})

    async def receive() -> Any:
        if asked:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    sent: list[Any] = []
    scope = {"type": "http", "method": "GET", "path": "/api/v1/channels/testlog:a/events", "query_string": b"wait=30"}
    request = asyncio.create_task(longpoll.long_poll(application, scope, receive, send))
    async with asyncio.timeout(5):
        while not (topic := hub.topics.get(str(A))) or not topic.waiters:
            await asyncio.sleep(0)
        await hub.drain(0)
        await request
    assert sent[0]["status"] == 200


@pytest.mark.matrix
@pytest.mark.parametrize("server", ["daphne", "uvicorn"])
async def test_a_stop_closes_with_1012_on_both_servers(server: str, tmp_path: Path) -> None:
    """Daphne refuses to send that code (and 1013): clients found a dead socket at the end, and slow ones were never let go."""
    site = make_site(tmp_path, DJANGO_SETTINGS_MODULE="tests.support.settings")
    with site.web(server=server) as web:
        async with socket_client(web.socket_url, positions={"testlog:a": "0:0"}) as client:
            await client.resume()
            web.send(signal.SIGTERM)
            await client.until(lambda me: me.closed == 1012)
