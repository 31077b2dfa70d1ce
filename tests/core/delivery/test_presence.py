"""Who is on a channel: by person and not by tab, across processes, and gone with a dead process."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.test import Client

from core.delivery import history, presence
from core.delivery.executor import on_executor
from core.models import Event, Presence, Process
from tests.support.live import live_client

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
