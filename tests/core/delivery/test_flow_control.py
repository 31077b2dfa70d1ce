"""Credit: a client that reads slowly or never costs at most 256 KiB in our process, delays nobody, and misses nothing when it reads again.

On both servers, by WebSocket and by server-sent events, with real sockets whose small buffers are soon full.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.core.delivery.test_processes import Publisher, publisher
from tests.support.raw_client import RawClient
from tests.support.servers import Site, Web, make_site
from tests.support.wire_client import socket_client

SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.support.flow_settings"}
CREDIT = 256 * 1024
SHEETS = 150  # of 40 kB each: more than the kernel takes for a client that does not read, fewer than CATCH_UP
MANNERS: dict[str, Callable[[RawClient], object]] = {"never": lambda client: None, "byte": RawClient.sip, "talks": RawClient.talk}

pytestmark = [pytest.mark.matrix, pytest.mark.slow]


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Web, Publisher]]:
    """A site with one web process and a publisher; the position poll is the transport."""
    site = make_site(tmp_path_factory.mktemp("site"), **SETTINGS, SLOW_AFTER="600")
    with site.web(server=request.param) as web, publisher(site) as one:
        yield site, web, one


async def held(web: Web) -> dict[str, list[int]]:
    """How many bytes the server holds for each connection of each channel."""
    async with connect(f"ws://127.0.0.1:{web.port}/test/outlets", proxy=None) as probe:
        await probe.send("how many")
        answer: dict[str, list[int]] = {}
        for channel, count in json.loads(await probe.recv())["held"]:
            answer.setdefault(channel, []).append(count)
        return answer


async def until_full(web: Web, channel: str) -> None:
    """Wait until the kernel takes no more for three clients; never is more held than the credit."""
    before: list[int] = []
    async with asyncio.timeout(60):
        while True:
            counts = sorted((await held(web))[channel])
            assert len(counts) == 4 and counts[-1] <= CREDIT, counts
            # Who talks is answered, a few bytes at a time; a sheet would be 40 kB.
            if counts[1] > 0 and before and all(abs(now - then) < 4096 for now, then in zip(counts, before, strict=True)):
                return
            before = counts
            await asyncio.sleep(0.6)  # two of the hub's looks at who has credit again


async def fill(one: Publisher, channel: str) -> None:
    for number in range(SHEETS):
        await asyncio.to_thread(one.publish, channel, "sheet", number=number)


@asynccontextmanager
async def stuck(web: Web, one: Publisher, way: str, channel: str) -> AsyncIterator[dict[str, RawClient]]:
    """Three clients with different bad manners, and one with good ones that has been shown everything meanwhile."""
    async with AsyncExitStack() as stack:
        clients = {}
        good = await stack.enter_async_context(socket_client(web.socket_url))
        good.positions = {channel: "0:0"}
        start = (await good.resume())["at"][channel]["position"]
        for manner, behave in MANNERS.items():
            client = clients[manner] = await RawClient.open(web, way, channel, start)
            stack.push_async_callback(client.end)
            behave(client)
        await fill(one, channel)
        await good.texts_until(channel, f"[{SHEETS - 1}]")
        assert good.closed is None
        yield clients


@pytest.mark.parametrize("way", ["ws", "sse"])
async def test_who_does_not_read_holds_at_most_its_credit_and_misses_nothing(served: tuple[Site, Web, Publisher], way: str) -> None:
    _, web, one = served
    channel = f"testflow:{way}"
    async with stuck(web, one, way, channel) as clients:
        await until_full(web, channel)
        await asyncio.gather(*(reads_everything(client, manner) for manner, client in clients.items()))


async def reads_everything(client: RawClient, manner: str) -> None:
    await client.behave()
    await client.read_until(SHEETS - 1)
    assert client.numbers == list(range(SHEETS)), manner


@pytest.mark.parametrize("way", ["ws", "sse"])
@pytest.mark.parametrize("server", ["daphne", "uvicorn"])
async def test_who_never_reads_is_put_out_and_resumes_where_it_stood(server: str, way: str, tmp_path: Path) -> None:
    site = make_site(tmp_path, **SETTINGS, SLOW_AFTER="1")
    channel = "testflow:a"
    with site.web(server=server) as web, publisher(site) as one:
        async with stuck(web, one, way, channel) as clients:
            async with asyncio.timeout(30):
                while len((await held(web)).get(channel, ())) > 1:
                    await asyncio.sleep(0.1)
            assert await asyncio.to_thread(slow_closes, web) == len(clients)
            await asyncio.gather(*(was_put_out_and_resumes(web, client, manner) for manner, client in clients.items()))


def slow_closes(web: Web) -> int:
    figures = httpx.get(web.url + "/metrics", timeout=20).text
    return int(next(line.split()[1] for line in figures.splitlines() if line.startswith("signalbox_slow_closes_total ")))


async def was_put_out_and_resumes(web: Web, client: RawClient, manner: str) -> None:
    await client.behave()
    await client.read_to_the_end()
    assert client.close_code in {None, 1013} and client.numbers[-1:] < [SHEETS - 1], manner
    again = await RawClient.open(web, client.way, client.channel, client.position)
    await again.behave()
    await again.read_until(SHEETS - 1)
    await again.end()
    assert client.numbers + again.numbers == list(range(SHEETS)), manner
