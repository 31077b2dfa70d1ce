"""Real processes: two web servers, a publisher of its own, Valkey in between; on both servers and both databases."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.servers import ROOT, Postgres, Site, Valkey, make_site, start_postgres, start_valkey
from tests.support.wire_client import SocketClient, socket_client

pytestmark = [pytest.mark.valkey, pytest.mark.slow]
SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.support.settings"}


class Publisher:
    """Publishes from a process that is no web server and has no hub."""

    def __init__(self, site: Site) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "tests.support.publisher"],
            cwd=ROOT,
            env=site.env(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self._expect("ready")

    def _expect(self, word: str) -> None:
        assert self._child.stdout is not None
        line = self._child.stdout.readline().strip()
        assert line == word, line

    def publish(self, channel: str, type: str, key: str = "", **data: Any) -> None:
        """Returns when the event is committed."""
        self._tell({"channel": channel, "type": type, "data": data, "key": key})

    def blink(self, channel: str, text: str) -> None:
        """Say something that is not stored: it travels over the channel layer or not at all."""
        self._tell({"channel": channel, "type": "blink", "data": {"text": text}, "unstored": True})

    def _tell(self, event: dict[str, Any]) -> None:
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps([event]) + "\n")
        self._expect("ok")

    def end(self) -> None:
        self._child.kill()
        self._child.wait()


@contextmanager
def publisher(site: Site) -> Iterator[Publisher]:
    one = Publisher(site)
    try:
        yield one
    finally:
        one.end()


@pytest.fixture(scope="module")
def valkey() -> Iterator[Valkey]:
    with start_valkey() as server:
        yield server


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with start_postgres() as server:
        yield server


@pytest.fixture(params=[pytest.param("sqlite"), pytest.param("postgres", marks=pytest.mark.postgres)])
def site(request: pytest.FixtureRequest, tmp_path: Path, valkey: Valkey) -> Site:
    database = request.getfixturevalue("postgres").new_database() if request.param == "postgres" else ""
    return make_site(tmp_path, database=database, redis=valkey.url, **SETTINGS)


async def both(stack: AsyncExitStack, site: Site, server: str) -> list[SocketClient]:
    """One client at each of two web processes, on the log and the state channel from their beginning."""
    clients = []
    for _ in range(2):
        web = stack.enter_context(site.web(server=server))
        client = await stack.enter_async_context(socket_client(web.socket_url))
        client.positions = {"testlog:a": "0:0", "teststate:a": "0:0"}
        await client.resume()
        clients.append(client)
    return clients


async def show_the_same(site: Site, pages: list[SocketClient]) -> None:
    """Have two processes publish by turns: every page shows the same log in the same order, and the newest value."""
    with publisher(site) as one, publisher(site) as two:
        for number in range(20):
            one.publish("testlog:a", "line", text=f"a{number}")
            two.publish("testlog:a", "line", text=f"b{number}")
            one.publish("teststate:a", "value", key="x", value=number)
        one.publish("testlog:a", "line", text="end")
        one.publish("teststate:a", "value", key="end", value=1)
        texts = [await page.texts_until("testlog:a", "[end]") for page in pages]
    assert texts[0] == texts[1]
    assert texts[0].count("[a") == texts[0].count("[b") == 20
    for page in pages:
        shown = await page.texts_until("teststate:a", "[end=1]")
        assert shown.rindex("[x=19]") == shown.rindex("[x=")


@pytest.mark.matrix
@pytest.mark.parametrize("server", ["daphne", "uvicorn"])
async def test_two_processes_show_the_same_in_the_same_order(site: Site, server: str) -> None:
    async with AsyncExitStack() as stack:
        clients = await both(stack, site, server)
        await show_the_same(site, clients)


@pytest.mark.parametrize("server", ["daphne", "uvicorn"])
async def test_events_arrive_while_valkey_is_dead_and_after_it_is_back(site: Site, server: str, valkey: Valkey) -> None:
    async with AsyncExitStack() as stack:
        clients = await both(stack, site, server)
        with publisher(site) as one:
            one.publish("testlog:a", "line", text="before")
            for client in clients:
                await client.texts_until("testlog:a", "[before]")
            valkey.kill()
            try:
                one.publish("testlog:a", "line", text="without")
                for client in clients:
                    await client.texts_until("testlog:a", "[without]")
            finally:
                valkey.start()
            one.publish("testlog:a", "line", text="after")
            for client in clients:
                assert await client.texts_until("testlog:a", "[after]") == "[before][without][after]"
                assert client.closed is None
    for log in site.folder.glob("web-*.log"):
        assert "Traceback" not in log.read_text() and log.read_text().count("unreachable, trying on") == 1


async def test_what_a_killed_publisher_committed_is_shown(site: Site) -> None:
    async with AsyncExitStack() as stack:
        clients = await both(stack, site, "daphne")
        site.manage(
            "shell",
            "-v0",
            "-c",
            "import os; from core.delivery import sequencer; from core.delivery.publishing import publish;"
            "sequencer.sequence_committed = lambda events: os._exit(0); publish('testlog:a', 'line', {'text': 'orphan'})",
        )
        for client in clients:
            assert await client.texts_until("testlog:a", "[orphan]") == "[orphan]"


def test_a_short_lived_process_ends_quietly_with_its_events_on_their_way(tmp_path: Path, valkey: Valkey) -> None:
    site = make_site(tmp_path, redis=valkey.url, **SETTINGS)
    code = (
        "from core.delivery.publishing import publish\n"
        "for value in range(3): publish('testpaced:a', 'value', {'value': value}, key='x')\n"
        "import time; from core.delivery.broker import broker; broker._started().call_soon_threadsafe(time.sleep, 0.3)\n"
    )
    done = site.manage("shell", "-v0", "-c", code)
    assert done.stderr == "" and done.stdout == ""
