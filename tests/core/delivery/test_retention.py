"""What is kept, what goes, and what a reader of the part that went is told."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from core.delivery import epochs, history, retention
from core.delivery.channel import Window
from core.delivery.executor import on_executor
from core.delivery.publishing import NewEvent, publish, publish_many
from core.models import Channel, Event
from tests.support.kinds import Lines, Values
from tests.support.live import live_client

pytestmark = pytest.mark.django_db(transaction=True)


def lines(count: int) -> None:
    publish_many([NewEvent("testlog:a", "line", {"text": str(number)}) for number in range(count)])


def age(hours: float, **which: Any) -> None:
    Event.objects.filter(**which).update(created_at=timezone.now() - timedelta(hours=hours))


def test_a_log_keeps_its_window_and_moves_its_tail() -> None:
    lines(10)
    age(25, offset__lte=4)
    assert retention.trim(now=timezone.now()) == 4
    assert Channel.objects.get(pk="testlog:a").tail == 5
    assert not history.stretch("testlog:a", 3).kept
    assert [event.offset for event in history.stretch("testlog:a", 4).events] == [5, 6, 7, 8, 9, 10]


def test_a_log_keeps_its_newest_but_nothing_young_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lines, "window", Window(newest=3))
    lines(10)
    assert retention.trim(now=timezone.now()) == 0
    age(1, offset__lte=5)
    assert retention.trim(now=timezone.now()) == 5
    age(1)
    assert retention.trim(now=timezone.now()) == 2
    assert Channel.objects.get(pk="testlog:a").tail == 8


def test_a_state_channel_keeps_every_key_and_drops_old_tombstones() -> None:
    publish("teststate:a", "value", {"value": 1}, key="x")
    publish("teststate:a", "value", {"value": 1}, key="y/total")
    publish("teststate:a", "removed", {}, key="y")
    age(1000)
    assert retention.trim(now=timezone.now()) == 1
    assert list(Event.objects.values_list("key", flat=True)) == ["x"]
    assert Channel.objects.get(pk="teststate:a").tail == 4
    assert not history.stretch("teststate:a", 2).kept
    assert history.stretch("teststate:a", 3).kept


def test_others_write_while_very_many_channels_are_trimmed(monkeypatch: pytest.MonkeyPatch) -> None:
    Channel.objects.bulk_create([Channel(name=f"testlog:n{number:05}") for number in range(2500)])
    for channel in ("testlog:n00001", "testlog:n00002"):
        publish(channel, "line", {"text": "old"})
    age(25)
    delete = retention._delete

    def while_somebody_writes(ids: Any) -> int:
        writer = threading.Thread(target=_write_elsewhere)
        writer.start()
        writer.join()
        return delete(ids)

    monkeypatch.setattr(retention, "_delete", while_somebody_writes)
    assert retention.trim(now=timezone.now()) == 2


def _write_elsewhere() -> None:
    Channel.objects.filter(name="testlog:n02000").update(head=1)
    connection.close()


def test_a_value_that_comes_after_its_subject_was_removed_is_lost_until_it_is_configured_again() -> None:
    publish("teststate:a", "config", {}, key="y")
    publish("teststate:a", "removed", {}, key="y")
    publish("teststate:a", "value", {"value": 1}, key="y/total")
    assert list(Event.objects.values_list("type", flat=True)) == ["removed"]
    publish("teststate:a", "config", {}, key="y")
    publish("teststate:a", "value", {"value": 2}, key="y/total")
    assert list(Event.objects.order_by("id").values_list("type", flat=True)) == ["config", "value"]


def test_an_older_version_never_wins_whatever_the_order_of_commit() -> None:
    publish("teststate:a", "value", {"value": "new"}, key="x", version=(20, 0))
    publish("teststate:a", "value", {"value": "old"}, key="x", version=(10, 5))
    assert [event.data["value"] for event in history.stretch("teststate:a", 0).events] == ["new"]


@pytest.mark.usefixtures("running_hub")
async def test_a_new_epoch_makes_every_client_start_again() -> None:
    await on_executor(lines, 3)
    position = str((await on_executor(history.positions, ["testlog:a"]))["testlog:a"])
    async with live_client(positions={"testlog:a": position}) as client:
        await client.resume()
        await on_executor(epochs.rotate, reason="a test")
        await client.until(lambda me: any(frame.get("signal") == "resync" for frame in me.frames), described="a resync")


@pytest.mark.usefixtures("running_hub")
async def test_a_table_that_went_back_gets_a_new_epoch_by_itself() -> None:
    await on_executor(lines, 5)
    positions = {"testlog:a": str((await on_executor(history.positions, ["testlog:a"]))["testlog:a"])}
    async with live_client(positions=positions) as client:
        await client.resume()
        await Event.objects.filter(offset__gt=2).adelete()
        await Channel.objects.filter(pk="testlog:a").aupdate(head=2)
        await client.until(lambda me: any(frame.get("signal") == "resync" for frame in me.frames), described="a resync")
    assert (await on_executor(history.epoch)) != positions["testlog:a"].split(":")[0]


@pytest.mark.usefixtures("running_hub")
async def test_no_client_can_bring_about_a_new_epoch() -> None:
    await on_executor(lines, 2)
    before = await on_executor(history.epoch)
    for offset in (3, 10**6, 2**60):
        async with live_client(positions={"testlog:a": f"{before}:{offset}"}) as client:
            assert (await client.resume())["at"]["testlog:a"]["recovered"] is False
    await on_executor(lines, 1)
    assert await on_executor(history.epoch) == before


def test_all_values_of_one_transaction_end_on_the_last() -> None:
    assert Values.keeps
    publish_many([NewEvent("teststate:a", "value", {"value": value}, key="x") for value in range(1200)])
    stretch = history.stretch("teststate:a", 0)
    assert [event.data["value"] for event in stretch.events] == [1199]
