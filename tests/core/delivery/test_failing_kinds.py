"""A kind whose code fails holds nobody up, and leaves no silent hole: whoever was to see that event starts again from a snapshot."""

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

import pytest

from core.delivery import authority, history
from core.delivery import hub as hub_module
from core.delivery.channel import Event, Reader
from core.delivery.executor import on_executor
from core.delivery.hub import hub
from core.delivery.publishing import publish
from tests.support.kinds import Lines, Values
from tests.support.live import PATIENCE, LiveClient, live_client

pytestmark = [pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "AGAIN", 0.0)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events that say "bad" cannot be shown."""
    render, value = Lines.render, Values.render
    monkeypatch.setattr(Lines, "render", lambda self, event, key: _raise(event) or render(self, event, key))
    monkeypatch.setattr(Values, "render", lambda self, event, key: _raise(event) or value(self, event, key))


def _raise(event: Event) -> None:
    if "bad" in event.data.values():
        raise ZeroDivisionError("the kind's own mistake")


async def at(*channels: str) -> dict[str, str]:
    return {name: str(position) for name, position in (await on_executor(history.positions, channels)).items()}


def resynced(client: LiveClient, channel: str) -> bool:
    return any(frame.get("signal") == "resync" and frame["channels"] == [channel] for frame in client.frames)


@pytest.mark.usefixtures("running_hub", "failing")
async def test_an_event_that_cannot_be_rendered_is_a_resync_and_the_next_one_arrives(caplog: pytest.LogCaptureFixture) -> None:
    where = await at("testlog:a", "teststate:a")
    async with live_client(positions=dict(where)) as one, live_client(positions=dict(where)) as two:
        for client in (one, two):
            await client.resume()
        for text in ("before", "bad", "after"):
            await on_executor(publish, "testlog:a", "line", {"text": text})
        await on_executor(publish, "teststate:a", "value", {"value": "bad"}, key="x")
        await on_executor(publish, "teststate:a", "value", {"value": 2}, key="y")
        for client in (one, two):
            assert await client.texts_until("testlog:a", "[after]") == "[before][after]"
            await client.texts_until("teststate:a", "[y=2]")
            assert resynced(client, "testlog:a") and resynced(client, "teststate:a")
    assert caplog.text.count("cannot be shown") == 2, "once per event, and not per reader"


@pytest.mark.usefixtures("running_hub", "failing")
async def test_who_comes_back_to_such_an_event_is_told_to_start_again_and_goes_on() -> None:
    where = await at("testlog:a")
    for text in ("bad", "after"):
        await on_executor(publish, "testlog:a", "line", {"text": text})
    async with live_client(positions=where) as client:
        await client.resume()
        await client.until(lambda me: resynced(me, "testlog:a"))
        await on_executor(publish, "testlog:a", "line", {"text": "live"})
        await client.texts_until("testlog:a", "[live]")


@pytest.mark.usefixtures("running_hub")
async def test_a_personal_answer_that_fails_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def personalise(self: Lines, event: Event, key: str, users: Collection[str]) -> Mapping[str, str]:
        raise ZeroDivisionError

    monkeypatch.setattr(Lines, "personalise", personalise)
    async with live_client(positions=await at("testlog:a")) as client:
        await client.resume()
        await on_executor(publish, "testlog:a", "whisper", {"text": "psst", "to": "7"})
        await client.until(lambda me: resynced(me, "testlog:a"))  # a resync covers what is there by then
        await on_executor(publish, "testlog:a", "line", {"text": "after"})
        await client.texts_until("testlog:a", "[after]")


@pytest.mark.usefixtures("running_hub")
async def test_nobody_goes_on_unchecked_where_her_rights_cannot_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    readable = Lines.readable

    def fails(self: Lines, readers: Collection[Reader], keys: Collection[str]) -> Any:
        raise ZeroDivisionError

    async with live_client(positions=await at("testlog:a")) as client:
        await client.resume()
        monkeypatch.setattr(Lines, "readable", fails)
        await on_executor(authority.recheck_channel, "testlog:a")
        await client.until(lambda me: me.closed == 1011)
    monkeypatch.setattr(Lines, "readable", readable)
    async with live_client(positions=await at("testlog:a")) as client:
        await client.resume()
        await on_executor(authority.recheck_channel, "testlog:a")
        await on_executor(publish, "testlog:a", "line", {"text": "checked"})
        await client.texts_until("testlog:a", "[checked]")


async def test_a_lasting_task_that_fails_begins_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The look after everybody's rights once a minute ended for ever with the first thing that nobody had thought of."""
    failed: list[str] = []

    def once(name: str, work: Any) -> Any:
        async def failing(*given: Any) -> Any:
            if name not in failed:
                failed.append(name)
                raise ZeroDivisionError
            return await work(*given)

        return failing

    await hub.start()
    try:
        monkeypatch.setattr(hub.reading, "poll", once("poll", hub.reading.poll))
        async with live_client(positions=await at("testlog:a")) as client:
            await client.resume()
            async with asyncio.timeout(PATIENCE):
                while not failed:
                    await asyncio.sleep(0.01)
            monkeypatch.setattr(hub.fanout, "on_batch", once("batch", hub.fanout.on_batch))
            await on_executor(publish, "testlog:a", "line", {"text": "by the poll"})
            await client.texts_until("testlog:a", "[by the poll]")
            assert failed == ["poll", "batch"] and hub._mailbox is not None
    finally:
        await hub.stop()
