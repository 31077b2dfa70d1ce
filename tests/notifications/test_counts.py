"""The badge on open pages: never left at what it was, whatever its socket was busy with."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from django.test import Client

from core.delivery import authority, history
from core.delivery.channel import ChannelName
from core.delivery.connection import Connection
from core.delivery.executor import on_executor
from core.delivery.hub import hub
from notifications import actions
from tests.support.live import live_client

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("running_hub")]


async def test_a_count_made_while_rights_are_asked_again_is_told_afterwards(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
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

    browser = Client()
    await on_executor(browser.force_login, alice)
    cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in browser.cookies.items())
    at = {f"user:{alice.pk}": str((await on_executor(history.positions, [f"user:{alice.pk}"]))[f"user:{alice.pk}"])}
    async with live_client(cookies=cookies, positions=at) as client:
        await client.resume()
        await client.until(lambda me: any('data-count="0"' in frame.get("html", "") for frame in me.frames), described="no badge")
        monkeypatch.setattr(hub.recheck, "check", slowly)
        monkeypatch.setattr(hub.fanout, "send_unranged", seen)
        await on_executor(authority.recheck_users, [alice.pk])
        await on_executor(lambda: actions.notify(alice, title="While you are looked at"))
        await asyncio.wait_for(tried.wait(), 10)
        may_answer.set()
        await client.until(lambda me: any(", 1 new" in frame.get("html", "") for frame in me.frames), described="the badge")
