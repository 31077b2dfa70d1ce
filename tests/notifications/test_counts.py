"""The badge on open pages: never left at what it was, whatever its socket was busy with."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from django.test import Client

from core.delivery import authority, history
from core.delivery.channel import ChannelName
from core.delivery.connection import Connection
from core.delivery.executor import on_executor
from core.delivery.hub import hub
from notifications import actions
from tests.support.live import LiveClient, live_client

PATIENCE = 10.0
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("running_hub")]


def shows(client: LiveClient, text: str) -> bool:
    return any(text in frame.get("html", "") for frame in client.frames)


@pytest.fixture
async def page(alice: Any) -> AsyncIterator[LiveClient]:
    """A page of hers that shows no badge."""
    browser, channel = Client(), f"user:{alice.pk}"
    await on_executor(browser.force_login, alice)
    cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in browser.cookies.items())
    at = {name: str(position) for name, position in (await on_executor(history.positions, [channel])).items()}
    async with live_client(cookies=cookies, positions=at) as client:
        await client.resume()
        await client.until(lambda me: shows(me, 'data-count="0"'), described="no badge")
        yield client


async def test_a_count_made_while_rights_are_asked_again_is_told_afterwards(
    page: LiveClient, alice: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was let go, for a page that is being checked gets nothing: the badge was wrong until the next change."""
    may_answer, tried = asyncio.Event(), asyncio.Event()
    check, send = hub.recheck.check, hub.fanout.send_unranged

    async def slowly(portion: Sequence[Connection]) -> None:
        await may_answer.wait()
        await check(portion)

    def seen(connection: Connection, name: ChannelName, html: str) -> bool:
        if connection.held:
            tried.set()
        return send(connection, name, html)

    monkeypatch.setattr(hub.recheck, "check", slowly)
    monkeypatch.setattr(hub.fanout, "send_unranged", seen)
    await on_executor(authority.recheck_users, [alice.pk])
    await on_executor(lambda: actions.notify(alice, title="While you are looked at"))
    await asyncio.wait_for(tried.wait(), PATIENCE)
    may_answer.set()
    await page.until(lambda me: shows(me, ", 1 new"), described="the badge")


async def test_a_row_given_sooner_than_the_worker_came_counts_on_her_other_pages(page: LiveClient, alice: Any) -> None:
    """Without a worker her phone said 1, and her desk 0 beside the same row."""
    await on_executor(lambda: actions.broadcast("all", title="To all"))
    phone = Client()
    await on_executor(phone.force_login, alice)
    assert "To all" in (await on_executor(phone.get, "/inbox/")).content.decode()
    await page.until(lambda me: shows(me, ", 1 new"), described="the badge")
