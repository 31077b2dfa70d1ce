"""The same hub by server-sent events and by long-poll, on real servers."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.core.delivery.test_processes import SETTINGS, publisher
from tests.support.servers import Site, Web, make_site


@pytest.fixture(params=["daphne", "uvicorn"])
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A site with one web process and no Redis: the position poll is the transport."""
    site = make_site(tmp_path, **SETTINGS)
    with site.web(server=request.param) as web:
        yield site, web


async def events(lines: AsyncIterator[str]) -> AsyncIterator[dict[str, str]]:
    """Server-sent events as their fields."""
    event: dict[str, str] = {}
    async for line in lines:
        if not line and event:
            yield event
            event = {}
        elif line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            event[name] = value


async def take(stream: AsyncIterator[dict[str, str]], count: int) -> list[dict[str, str]]:
    """The next events that carry data."""
    taken: list[dict[str, str]] = []
    async for event in stream:
        if "data" in event:
            taken.append(event)
        if len(taken) == count:
            return taken
    raise AssertionError(f"the stream ended after {taken}")


async def test_a_stream_of_events_resumes_at_its_last_id(served: tuple[Site, Web]) -> None:
    site, web = served
    async with httpx.AsyncClient(base_url=web.url, timeout=20) as http:
        with publisher(site) as one:
            async with http.stream("GET", "/live/sse?channel=testlog:a&channel=teststate:a&as=json") as answer:
                assert answer.headers["content-type"].startswith("text/event-stream")
                stream = events(answer.aiter_lines())
                one.publish("testlog:a", "line", text="one")
                first = (await take(stream, 1))[0]
            said = json.loads(first["data"])
            assert (said["channel"], said["type"], said["data"]) == ("testlog:a", "line", {"text": "one"})
            assert f"testlog:a={said['position']}" in first["id"].split()
            one.publish("testlog:a", "line", text="two")
            one.publish("teststate:a", "value", key="x", value=1)
            again = {"Last-Event-ID": first["id"]}
            async with http.stream("GET", "/live/sse?channel=testlog:a&channel=teststate:a&as=json", headers=again) as answer:
                missed = [json.loads(event["data"]) for event in await take(events(answer.aiter_lines()), 2)]
            assert sorted(event["type"] for event in missed) == ["line", "value"]
            assert {"text": "two"} in [event["data"] for event in missed]


async def test_a_state_channel_streams_its_present_values_first(served: tuple[Site, Web]) -> None:
    site, web = served
    with publisher(site) as one:
        for value in range(3):
            one.publish("teststate:a", "value", key="x", value=value)
        one.publish("teststate:a", "value", key="y", value=9)
    async with (
        httpx.AsyncClient(base_url=web.url, timeout=20) as http,
        http.stream("GET", "/live/sse?channel=teststate:a&as=html") as answer,
    ):
        frame = json.loads((await take(events(answer.aiter_lines()), 1))[0]["data"])
        assert frame["html"] == "[x=2][y=9]" and frame["from"] < frame["to"]


async def test_a_foreign_life_of_the_database_asks_for_a_resync(served: tuple[Site, Web]) -> None:
    _, web = served
    address = f"{web.url}/live/sse?channel=testlog:a&last_event_id=testlog:a=00000000:5"
    async with httpx.AsyncClient(timeout=20) as http, http.stream("GET", address) as answer:
        event = (await take(events(answer.aiter_lines()), 1))[0]
        assert event["event"] == "resync" and json.loads(event["data"])["channels"] == ["testlog:a"]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("", 422, "bad_channels"),
        ("?channel=nonsense", 422, "bad_channel"),
        ("?channel=nobody:1", 422, "bad_channel"),
        ("?channel=testlog:a&as=xml", 422, "bad_form"),
        ("?channel=testlog:secret", 404, "not_found"),
        ("?channel=system:authority", 404, "not_found"),
        ("?" + "&".join(f"channel=testlog:{n}" for n in range(17)), 422, "bad_channels"),
    ],
)
async def test_a_stream_that_cannot_be_is_a_problem(one_web: Web, query: str, status: int, code: str) -> None:
    async with httpx.AsyncClient(base_url=one_web.url, timeout=20) as http:
        answer = await http.get("/live/sse" + query)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert (await http.post("/live/sse?channel=testlog:a")).status_code == 405
        foreign = await http.get("/live/sse?channel=testlog:a", headers={"Origin": "http://evil.example"})
        assert foreign.status_code == 403


@pytest.fixture(scope="module")
def one_web(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with make_site(tmp_path_factory.mktemp("site"), **SETTINGS).web() as web:
        yield web


async def test_a_long_poll_answers_as_soon_as_there_is_news(served: tuple[Site, Web]) -> None:
    site, web = served
    site.manage("shell", "-v0", "-c", _MAKE_TOKEN)
    token = (site.folder / "token").read_text()
    async with httpx.AsyncClient(base_url=web.url, timeout=40, headers={"Authorization": f"Bearer {token}"}) as http:
        path = "/api/v1/channels/testlog:a/events"
        with publisher(site) as one:
            one.publish("testlog:a", "line", text="zero")
            start = (await http.get(path)).json()
            assert start["events"][-1]["data"] == {"text": "zero"}
            waiting = http.build_request("GET", path, params={"since": start["position"], "wait": "30"})
            answer = asyncio.create_task(http.send(waiting))
            one.publish("testlog:a", "line", text="one")
            said = (await answer).json()
            assert [event["data"] for event in said["events"]] == [{"text": "one"}] and said["recovered"] is True
            empty = (await http.get(path, params={"since": said["position"], "wait": "0.2"})).json()
            assert empty["events"] == [] and empty["position"] == said["position"]


_MAKE_TOKEN = """
from django.conf import settings
from django.contrib.auth import get_user_model
from core.tokens import make_token
user = get_user_model().objects.create_user("reader", password="x")
(settings.DATA_DIR / "token").write_text(make_token(user, "test", ["read:*"])[1])
"""
