"""Who is on a channel: by person and not by tab, across processes, and gone with a dead process."""

from collections import Counter
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext

from core.delivery import attendance, history, presence
from core.delivery.executor import on_executor
from core.models import Event, Presence, Process
from tests.support.kinds import Lines
from tests.support.live import live_client
from tests.support.servers import make_site
from tests.support.wire_client import socket_client

pytestmark = pytest.mark.django_db(transaction=True)
PLACE = ("testlog:a", "alice")


def told() -> list[str]:
    return [event.type for event in history.stretch("presence:testlog.a", 0).events]


def test_a_person_in_two_processes_comes_once_and_leaves_with_the_last() -> None:
    presence.refresh("one")
    presence.refresh("two")
    presence.write("one", {PLACE: 2})
    presence.write("two", {PLACE: 1})
    assert presence.people("testlog:a") == ["alice"] and told() == ["presence"]
    presence.write("one", {PLACE: 0})
    assert presence.people("testlog:a") == ["alice"] and told() == ["presence"]
    presence.write("two", {PLACE: 0})
    assert presence.people("testlog:a") == []
    assert Event.objects.filter(channel="presence:testlog.a").latest("id").type == "presence.gone"


def test_the_people_of_a_dead_process_are_announced_once() -> None:
    presence.refresh("dead")
    presence.write("dead", {PLACE: 1, ("testlog:a", "bob"): 1})
    Process.objects.update(expires_at=Now() - timedelta(seconds=1))
    assert presence.people("testlog:a") == []
    presence.sweep()
    presence.sweep()
    gone = Event.objects.filter(channel="presence:testlog.a", type="presence.gone")
    assert sorted(gone.values_list("key", flat=True)) == ["alice", "bob"]
    assert not Presence.objects.exists()


def test_a_process_that_slept_through_its_lease_is_told_to_write_again() -> None:
    assert presence.refresh("one") is False
    assert presence.refresh("one") is True
    Process.objects.update(expires_at=Now() - timedelta(seconds=1))
    presence.sweep()
    assert presence.refresh("one") is False


@pytest.mark.usefixtures("running_hub")
async def test_a_page_sees_who_comes_and_who_leaves(alice: Any) -> None:
    browser = Client()
    await on_executor(browser.force_login, alice)
    cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in browser.cookies.items())
    where = ["testlog:a", "presence:testlog.a"]
    at = {name: str(position) for name, position in (await on_executor(history.positions, where)).items()}
    async with live_client(positions=dict(at)) as guest:
        await guest.resume()
        async with live_client(positions=dict(at), cookies=cookie) as hers:
            await hers.resume()
            await guest.texts_until("presence:testlog.a", "[alice came]")
        await guest.texts_until("presence:testlog.a", "[alice left]")


@pytest.mark.usefixtures("running_hub")
async def test_who_may_not_read_a_channel_may_not_see_who_is_on_it() -> None:
    async with live_client(positions={}) as guest:
        guest.say({"do": "resume", "at": {"presence:testlog.secret": None, "presence:teststate.a": None, "presence:nothing": None}})
        reply = await guest.until(lambda me: me.frames and me.frames[0])
        assert set(reply["refused"].values()) == {"not_found"} and len(reply["refused"]) == 3


@pytest.mark.usefixtures("running_hub")
async def test_two_thousand_who_join_one_channel_are_few_frames_each_rendered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would grow with the square: renders, reads and frames for every one who watches whenever somebody comes."""
    render, rendered = Lines.render_presence, Counter[str]()

    def counted(self: Lines, who: str, key: str, *, here: bool) -> str:
        rendered[who] += 1
        return render(self, who, key, here=here)

    monkeypatch.setattr(Lines, "render_presence", counted)
    crowd = [f"person{number}" for number in range(2000)]
    where = {name: str(position) for name, position in (await on_executor(history.positions, ["presence:testlog.a"])).items()}
    async with AsyncExitStack() as stack:
        watching = [await stack.enter_async_context(live_client(positions=dict(where))) for _ in range(5)]
        for client in watching:
            await client.resume()
        statements = await on_executor(_joined, crowd)
        for client in watching:
            await client.until(lambda me: me.texts("presence:testlog.a").count("came") == len(crowd), described="everybody came")
            assert len(client.shown["presence:testlog.a"]) <= 12
    assert set(rendered) == set(crowd) and max(rendered.values()) <= 2
    assert statements <= 2 * 60, "two writes of a thousand each"


def _joined(crowd: list[str]) -> int:
    presence.refresh("another")
    with CaptureQueriesContext(connection) as statements:
        for start in range(0, len(crowd), attendance.AT_ONCE):
            presence.write("another", {("testlog:a", who): 1 for who in crowd[start : start + attendance.AT_ONCE]})
    return len(statements)


def test_a_thousand_who_leave_at_once_are_few_statements() -> None:
    _joined([f"person{number}" for number in range(1000)])
    with CaptureQueriesContext(connection) as statements:
        presence.write("another", {("testlog:a", f"person{number}"): 0 for number in range(1000)})
    assert presence.people("testlog:a") == [] and len(statements) <= 60


_SIGN_IN = """
from django.contrib.auth import get_user_model
from django.contrib.sessions.backends.db import SessionStore
from django.test import Client
browser = Client()
browser.force_login(get_user_model().objects.create_user("alice"))
print(next(iter(browser.cookies.values())).value)
"""
_LEASE_ENDS = "from core.models import *; Process.objects.filter(presences__who='alice').update(expires_at='2020-01-01T00:00Z')"


@pytest.mark.slow
@pytest.mark.parametrize("server", ["uvicorn"])
async def test_who_was_on_a_process_that_is_killed_is_seen_to_leave_on_the_others(server: str, tmp_path: Path) -> None:
    """The lease of a dead process ends by itself after 15 s; the test does not wait for that."""
    site = make_site(tmp_path, DJANGO_SETTINGS_MODULE="tests.support.settings")
    session = site.manage("shell", "-v0", "-c", _SIGN_IN).stdout.strip()
    channel = "presence:testlog.a"
    with site.web(server=server) as doomed, site.web(server=server) as other:
        async with socket_client(other.socket_url, positions={channel: "0:0"}) as guest:
            await guest.resume()
            cookies = f"sessionid_{doomed.port}={session}"
            async with socket_client(doomed.socket_url, cookies=cookies, positions={"testlog:a": "0:0"}) as hers:
                await hers.resume()
                await guest.texts_until(channel, "[alice came]")
                doomed.kill()
            site.manage("shell", "-v0", "-c", _LEASE_ENDS)
            assert await guest.texts_until(channel, "[alice left]") == "[alice came][alice left]"
