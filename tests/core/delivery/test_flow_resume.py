"""Resume is the same over all transports: WebSocket, server-sent events as HTML and as JSON, and long-poll; on both databases and servers.

What was missed arrives once and in order; where part of it is gone, or the database has another life, the client is told to start again
and goes on from there by itself; nobody is replayed what she may not read.
"""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from tests.conftest import MATRIX
from tests.core.delivery.test_processes import SETTINGS, Publisher, publisher
from tests.core.delivery.test_streams import events
from tests.support.servers import Site, Web, make_site
from tests.support.wire_client import SocketClient, socket_client

pytestmark = [pytest.mark.matrix, pytest.mark.slow]
WAYS = ("ws", "html", "json", "poll")

PEOPLE = """
from django.conf import settings
from django.contrib.auth import get_user_model
from core.tokens import make_token
user = get_user_model().objects.create_user("reader", password="x")
(settings.DATA_DIR / "token").write_text(make_token(user, "test", ["read:*"])[1])
"""
DEACTIVATE = "from django.contrib.auth import get_user_model; u = get_user_model().objects.get(); u.is_active = False; u.save()"
TRIM = "from core.models import Channel, Event; Event.objects.filter(channel='testlog:trimmed', offset__lte=3).delete(); " + (
    "Channel.objects.filter(name='testlog:trimmed').update(tail=4)"
)


class Told:
    """What one client was told of the channel: its texts in order, and how often it was told to start again."""

    def __init__(self) -> None:
        self.texts = ""
        self.position = ""
        self.restarts = 0


class Served:
    """A site with one web process, its publisher, and the token of a reader."""

    def __init__(self, site: Site, web: Web, one: Publisher) -> None:
        self.site, self.web, self.publisher = site, web, one
        site.manage("shell", "-v0", "-c", PEOPLE)
        self.token = (site.folder / "token").read_text()

    def shell(self, code: str) -> subprocess.CompletedProcess[str]:
        return self.site.manage("shell", "-v0", "-c", code)

    async def say(self, channel: str, *texts: str) -> None:
        for text in texts:
            await asyncio.to_thread(self.publisher.publish, channel, "line", text=text)

    async def position(self, channel: str) -> str:
        async with self.http() as http:
            return str((await http.get(f"/api/v1/channels/{channel}/events")).json()["position"])

    def http(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.web.url, timeout=40, headers={"Authorization": f"Bearer {self.token}"})


@pytest.fixture(scope="module", params=MATRIX)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One site on each database and server; every test has a channel of its own."""
    database, server = request.param
    address = request.getfixturevalue("postgres").new_database() if database == "postgres" else ""
    site = make_site(tmp_path_factory.mktemp("site"), database=address, **SETTINGS)
    with site.web(server=server) as web, publisher(site) as one:
        yield Served(site, web, one)


# One client of each transport, from a position until it was told `end`. Each starts again by itself where it is told to.


async def by_socket(served: Served, channel: str, since: str, end: str) -> Told:
    told = Told()
    async with socket_client(served.web.socket_url, positions={channel: since}) as client:
        reply = await client.resume()
        told.restarts += not reply["at"][channel]["recovered"]
        await _until_socket(client, channel, told, end)
    return told


async def _until_socket(client: SocketClient, channel: str, told: Told, end: str) -> None:
    told.texts = await client.texts_until(channel, end)
    told.position = client.positions[channel]


async def by_stream(served: Served, channel: str, since: str, end: str, form: str) -> Told:
    told, address = Told(), f"/live/sse?channel={channel}&as={form}"
    async with served.http() as http, http.stream("GET", address, headers={"Last-Event-ID": f"{channel}={since}"}) as answer:
        async for event in _events(answer):
            told.position = event["id"].removeprefix(f"{channel}=")
            if event.get("event") == "resync":
                told.restarts += 1
                continue
            said = json.loads(event["data"])
            told.texts += said["html"] if form == "html" else f"[{said['data']['text']}]"
            if end in told.texts:
                break
    return told


async def _events(answer: httpx.Response) -> AsyncIterator[dict[str, str]]:
    async for event in events(answer.aiter_lines()):
        if "data" in event:
            yield event


async def by_poll(served: Served, channel: str, since: str, end: str) -> Told:
    told = Told()
    told.position = since
    async with served.http() as http:
        while end not in told.texts:
            answer = (await http.get(f"/api/v1/channels/{channel}/events", params={"since": told.position, "wait": "30"})).json()
            told.position = answer["position"]
            if answer["recovered"]:
                told.texts += "".join(f"[{event['data']['text']}]" for event in answer["events"])
            else:
                told.restarts += 1  # what it answers instead is where to start again
    return told


async def all_ways(served: Served, channel: str, since: str, end: str) -> dict[str, asyncio.Task[Told]]:
    """A client of each transport, on its way; publish what ends them, then await each."""
    return {
        "ws": asyncio.create_task(by_socket(served, channel, since, end)),
        "html": asyncio.create_task(by_stream(served, channel, since, end, "html")),
        "json": asyncio.create_task(by_stream(served, channel, since, end, "json")),
        "poll": asyncio.create_task(by_poll(served, channel, since, end)),
    }


async def test_what_was_missed_arrives_the_same_by_every_transport(served: Served) -> None:
    channel = "testlog:missed"
    await served.say(channel, "one")
    since = await served.position(channel)
    await served.say(channel, "two", "three")
    clients = await all_ways(served, channel, since, "[four]")
    await served.say(channel, "four")
    told = {way: await client for way, client in clients.items()}
    assert {way: (one.texts, one.restarts) for way, one in told.items()} == dict.fromkeys(WAYS, ("[two][three][four]", 0))
    assert len({one.position for one in told.values()}) == 1, "all stand at the same place"


@pytest.mark.parametrize("how", ["trimmed", "life"])
async def test_what_cannot_be_recovered_is_said_and_everybody_goes_on_from_there(served: Served, how: str) -> None:
    channel = f"testlog:{how}"
    await served.say(channel, "one")
    since = await served.position(channel)
    await served.say(channel, "two", "three", "four")
    await asyncio.to_thread(*((served.shell, TRIM) if how == "trimmed" else (served.site.manage, "rotate_epoch")))
    clients = await all_ways(served, channel, since, "[five]")
    # Published again and again: a client that starts again at the head gets what comes after its start, whenever that was.
    while not all(client.done() for client in clients.values()):
        await served.say(channel, "five")
        await asyncio.wait(clients.values(), timeout=0.5)
    told = {way: await client for way, client in clients.items()}
    assert {way: one.restarts for way, one in told.items()} == dict.fromkeys(WAYS, 1)
    assert all(set(one.texts.strip("[]").split("][")) == {"five"} for one in told.values()), told["ws"].texts


async def test_nobody_is_replayed_what_she_may_not_read(served: Served) -> None:
    secret = "testlog:secret"
    await served.say(secret, "one")
    since = await served.position(secret)
    await served.say(secret, "two")
    async with served.http() as http:
        answer = await http.get(f"/api/v1/channels/{secret}/events", params={"since": since})
        assert [event["data"]["text"] for event in answer.json()["events"]] == ["two"], "the reader may, while she is somebody"
        await asyncio.to_thread(served.shell, DEACTIVATE)
        last = {"Last-Event-ID": f"{secret}={since}"}
        assert (await http.get(f"/api/v1/channels/{secret}/events", params={"since": since})).status_code in {401, 404}
        for form in ("html", "json"):
            assert (await http.get(f"/live/sse?channel={secret}&as={form}", headers=last)).status_code == 404
    async with socket_client(served.web.socket_url, positions={secret: since}) as client:
        assert (await client.resume())["refused"] == {secret: "not_found"}
        assert client.texts(secret) == ""
