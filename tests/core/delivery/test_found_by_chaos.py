"""What `make chaos` found once: the smallest test of each defect."""

import asyncio

import pytest

from core.delivery import history, longpoll
from core.delivery import hub as hub_module
from core.delivery.channel import ChannelName
from core.delivery.executor import on_executor
from core.delivery.hub import hub
from core.delivery.position import Position
from core.delivery.publishing import publish
from tests.support.live import live_client

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
