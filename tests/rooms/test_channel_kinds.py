"""docs/how-to/add-a-channel-kind.md, built from its own code: a shared counter, on a live connection."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.apps import apps
from django.db import connection
from django.template import engines
from django.test import RequestFactory

from core.delivery.channel import registry
from core.live import LivePositions
from tests.support.live import live_client

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "add-a-channel-kind.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.S)


@pytest.fixture(scope="module")
def code() -> str:
    return blocks("python")[0]


@pytest.fixture
def counters(code: str, transactional_db: None) -> Iterator[dict[str, Any]]:
    """What the page's code defines, with its table; afterwards there is no such kind."""
    names: dict[str, Any] = {"__name__": "counters"}
    exec(code, names)
    with connection.schema_editor() as editor:
        editor.create_model(names["Counter"])
    yield names
    with connection.schema_editor() as editor:
        editor.delete_model(names["Counter"])
    del registry.kinds["counter"]
    apps.all_models.pop("counters")
    apps.clear_cache()


def test_the_counter_is_small(code: str) -> None:
    assert len(code.splitlines()) < 80


async def test_everybody_signed_in_sees_the_number_and_a_guest_does_not(
    counters: dict[str, Any], bob: Any, cookies_of: Any, running_hub: None
) -> None:
    counter = await counters["Counter"].objects.acreate()
    channel = f"counter:{counter.pk}"
    async with live_client(cookies=await sync_to_async(cookies_of)(bob)) as person, live_client() as guest:
        for client in (person, guest):
            client.positions[channel] = "0:0"
        refused = (await guest.resume())["refused"]
        assert refused == {channel: "not_found"}
        await person.resume()
        for number in (1, 41):
            await sync_to_async(counters["add"])(counter, number)
        assert f'<b id="counter-{counter.pk}" hx-swap-oob="outerMorph">42</b>' in await person.texts_until(channel, "42</b>")
        assert channel not in guest.shown


def test_the_snapshot_is_the_row(counters: dict[str, Any]) -> None:
    counter = counters["Counter"].objects.create(total=7)
    kind = registry.kinds["counter"]
    assert [event["data"] for event in kind.snapshot(str(counter.pk))] == [{"total": 7}]


def test_the_page_of_the_counter_shows_it_in_a_live_region(counters: dict[str, Any], bob: Any, rf: RequestFactory) -> None:
    counters["Counter"].objects.create(pk=1, total=7)
    request = rf.get("/")
    request.user = bob
    request.live = LivePositions(request)  # type: ignore[attr-defined]
    template = engines["django"].from_string(blocks("django")[0])
    counters["render"] = lambda request, name, context: template.render(context | {"url": "/counter/"}, request)
    exec(blocks("python")[1], counters)
    shown = counters["page"](request)
    assert re.search(
        r'<main data-channel="counter:1" data-position="[^"]+:0" data-refetch="/counter/"><b id="counter-1">7</b></main>', shown
    )
