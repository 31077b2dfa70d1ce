"""What is open when a right ends: silence, by the event of it and not by the next minute's check."""

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone

from core.delivery import authority, history
from core.delivery.executor import on_executor
from core.delivery.hub import hub
from core.delivery.publishing import publish
from core.tokens import make_token, revoke
from tests.support.kinds import Lines
from tests.support.live import LiveClient, live_client

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("running_hub")]


async def signed_in(user: Any) -> tuple[Client, str]:
    browser = Client()
    await on_executor(browser.force_login, user)
    return browser, "; ".join(f"{name}={morsel.value}" for name, morsel in browser.cookies.items())


async def at(channel: str) -> dict[str, str]:
    return {channel: str((await on_executor(history.positions, [channel]))[channel])}


async def closed_with(client: LiveClient, code: int) -> None:
    await client.until(lambda me: me.closed == code, described=f"close code {code}")


async def test_logout_closes_the_sockets_of_that_session_and_of_no_other(alice: Any) -> None:
    here, cookie_here = await signed_in(alice)
    _, cookie_there = await signed_in(alice)
    async with live_client(cookies=cookie_here) as one, live_client(cookies=cookie_there, positions=await at("testlog:secret")) as other:
        await one.resume()
        await other.resume()
        await on_executor(here.logout)
        await closed_with(one, 4401)
        await on_executor(publish, "testlog:secret", "line", {"text": "still"})
        await other.texts_until("testlog:secret", "[still]")


async def test_a_revoked_session_is_refused_when_it_comes_back(alice: Any) -> None:
    browser, cookie = await signed_in(alice)
    await on_executor(browser.logout)
    async with live_client(cookies=cookie, positions=await at("testlog:secret")) as client:
        assert (await client.resume())["refused"] == {"testlog:secret": "not_found"}


@pytest.mark.parametrize("change", ["deactivated", "password", "deleted"])
async def test_whoever_loses_her_account_is_closed(alice: Any, change: str) -> None:
    def take_away() -> None:
        if change == "deactivated":
            alice.is_active = False
            alice.save(update_fields=["is_active"])
        elif change == "password":
            alice.set_password("another-password")
            alice.save()
        else:
            alice.delete()

    _, cookie = await signed_in(alice)
    async with live_client(cookies=cookie) as client:
        await client.resume()
        await on_executor(take_away)
        await closed_with(client, 4401)


async def test_a_lost_channel_goes_silent_and_the_page_is_told(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _, cookie = await signed_in(alice)
    async with live_client(cookies=cookie, positions={**await at("testlog:secret"), **await at("testlog:open")}) as client:
        await client.resume()
        monkeypatch.setattr(Lines, "readable", lambda self, readers, keys: {(r, k) for r in readers for k in keys if k != "secret"})
        await on_executor(authority.recheck_channel, "testlog:secret")
        await on_executor(publish, "testlog:secret", "line", {"text": "leak"})
        await client.until(lambda me: any(f.get("signal") == "resync" and f["channels"] == ["testlog:secret"] for f in me.frames))
        await on_executor(publish, "testlog:open", "line", {"text": "open"})
        await client.texts_until("testlog:open", "[open]")
        assert client.texts("testlog:secret") == ""
        client.say({"id": 3, "do": "subscribe", "at": {"testlog:secret": client.positions["testlog:secret"]}})
        assert (await client.reply_to(3))["refused"] == {"testlog:secret": "not_found"}


async def test_leaving_a_group_and_emptying_it_are_checked(bob: Any, ops: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[int] = []
    check = hub.recheck.check

    async def counting(portion: Any) -> None:
        checked.append(len(portion))
        await check(portion)

    monkeypatch.setattr(hub.recheck, "check", counting)
    _, cookie = await signed_in(bob)
    async with live_client(cookies=cookie, positions=await at("testlog:a")) as client:
        await client.resume()
        for change in (lambda: bob.groups.remove(ops), lambda: ops.user_set.add(bob), lambda: ops.user_set.clear()):
            before = len(checked)
            await on_executor(change)
            await on_executor(publish, "testlog:a", "line", {"text": str(before)})
            await client.texts_until("testlog:a", f"[{before}]")
            assert len(checked) > before


async def test_an_ordinary_save_of_a_person_disturbs_nobody(alice: Any) -> None:
    def count() -> int:
        from core.models import Event

        return Event.objects.filter(channel=authority.CHANNEL).count()

    before = await on_executor(count)
    alice.first_name = "Alice"
    await on_executor(alice.save)
    assert await on_executor(count) == before


async def test_a_token_reads_within_its_scopes_until_it_is_revoked(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    row, text = await on_executor(make_token, alice, "screen", ["read:testlog:secret"])
    where = {**await at("testlog:secret"), **await at("testlog:open")}
    async with live_client(origin="", bearer=text, positions=where) as client:
        reply = await client.resume()
        assert reply["refused"] == {"testlog:open": "not_found"} and reply["at"]["testlog:secret"]["recovered"]
        await on_executor(revoke, row, now=timezone.now())
        await client.until(lambda me: me.closed == 4401)


async def test_a_token_that_is_none_is_a_guest() -> None:
    async with live_client(origin="", bearer="sbx_" + "x" * 10_000, positions=await at("testlog:secret")) as client:
        assert (await client.resume())["refused"] == {"testlog:secret": "not_found"}
