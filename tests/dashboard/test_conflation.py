"""What a watcher's socket gets of a flood: few frames, several widgets in one, ending on the latest value by (time, id)."""

import time
from typing import Any

import pytest

from core.delivery import history
from core.delivery.executor import on_executor
from core.models import Event
from dashboard.actions import NewValue, record, record_many
from dashboard.models import Dashboard, Widget
from tests.dashboard.conftest import at
from tests.support.live import LiveClient, live_client

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("running_hub")]


async def standing(board: Dashboard) -> dict[str, str]:
    return {board.channel: str((await on_executor(history.positions, [board.channel]))[board.channel])}


def frames_of(client: LiveClient, board: Dashboard) -> list[dict[str, Any]]:
    return [frame for frame in client.frames if frame.get("channel") == board.channel]


def cookie(user: Any) -> str:
    from django.test import Client

    browser = Client()
    browser.force_login(user)
    return "; ".join(f"{name}={morsel.value}" for name, morsel in browser.cookies.items())


async def test_a_flood_becomes_a_few_frames_and_ends_on_the_newest_value(board: Dashboard, stat: Widget, gauge: Widget, owner: Any) -> None:
    def flood() -> None:
        for number in range(100):
            record_many([NewValue("ops/queue", number, at(number / 100)), NewValue("ops/disk", number % 90, at(number / 100))])

    async with live_client(positions=await standing(board), cookies=await on_executor(cookie, owner)) as client:
        await client.resume()
        began = time.monotonic()
        await on_executor(flood)
        await client.texts_until(board.channel, f'"value num" id="w-{stat.pk}-v">99<')
        seconds = time.monotonic() - began
        frames = frames_of(client, board)
        # Besides the values: the two first ones bring a new series each.
        assert len(frames) <= 5 * seconds + 3
        assert f"w-{stat.pk}-" in frames[-1]["html"]
        assert f"w-{gauge.pk}-" in frames[-1]["html"], "the fragments of one tick share a frame"


async def test_values_in_any_order_end_on_the_latest_by_time_and_the_later_of_two_of_one_time(
    board: Dashboard, stat: Widget, owner: Any
) -> None:
    def disorder() -> None:
        for moment, value in ((5, 50), (3, 30), (5, 51), (4, 40), (1, 10)):
            record(stat, value, at(moment), now=at(9))

    async with live_client(positions=await standing(board), cookies=await on_executor(cookie, owner)) as client:
        await client.resume()
        await on_executor(disorder)
        await on_executor(record, "ops/queue", 52, at(6))
        await client.texts_until(board.channel, ">52<")
        shown = [value for value in (10, 30, 40, 50, 51, 52) if f'-v">{value}<' in client.texts(board.channel)]
        assert shown[-2:] in ([51, 52], [50, 52], [52])
        assert not {10, 40} & set(shown)


async def test_what_looks_the_same_is_not_sent_again(board: Dashboard, stat: Widget, gauge: Widget, owner: Any) -> None:
    def head() -> int:
        newest = Event.objects.filter(channel=board.channel, key=f"{stat.pk}/", offset__isnull=False).order_by("-offset").first()
        return newest.offset or 0 if newest else 0

    # Both are there when the page opens: neither brings a new series.
    await on_executor(record_many, [NewValue("ops/queue", 7, at(0)), NewValue("ops/disk", 40, at(0))])
    async with live_client(positions=await standing(board), cookies=await on_executor(cookie, owner)) as client:
        await client.resume()
        await on_executor(record, "ops/queue", 8, at(2))
        await client.texts_until(board.channel, ">8<")
        seen = await on_executor(head)
        # The same once more, in one transaction with another widget's news: whoever has that has been told of both.
        await on_executor(record_many, [NewValue("ops/queue", 8, at(2)), NewValue("ops/disk", 41, at(2))])
        frame = await client.until(lambda me: next((one for one in frames_of(me, board) if ">41<" in one.get("html", "")), None))
        again = await on_executor(head)
        assert seen < again <= frame["to"], "it was published, and the frame reaches past it"
        assert f"w-{gauge.pk}-" in frame["html"]
        assert f"w-{stat.pk}-" not in frame["html"]
        await on_executor(record, "ops/queue", 9, at(3))
        await client.texts_until(board.channel, ">9<")
        assert client.texts(board.channel).count(f'id="w-{stat.pk}-v">8<') == 1
