"""The engines as a large installation runs them, with real processes: shards, TLS and Sentinels for Redis, pgbouncer before Postgres.

What is not stored (`blink`) travels over the channel layer alone: who sees it was reached by it, and not by the position poll.
"""

import asyncio
import functools
import os
import runpy
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from channels_redis.pubsub import RedisPubSubChannelLayer
from channels_redis.utils import _consistent_hash

from core import jobs, redis_addresses
from tests.core.delivery.test_processes import SETTINGS, Publisher, publisher, show_the_same
from tests.support.bouncer import SESSIONS, Bouncer, start_bouncer
from tests.support.redises import Watched, start_redis_with_tls, start_watched_redis
from tests.support.servers import ROOT, Postgres, Site, Valkey, fill, wait_until
from tests.support.wire_client import SocketClient, socket_client

pytestmark = pytest.mark.slow


@asynccontextmanager
async def pages_of_two_processes(site: Site, *channels: str) -> AsyncIterator[list[SocketClient]]:
    """A page at each of two web processes, live on these channels from their beginning."""
    async with AsyncExitStack() as stack:
        pages = []
        for _ in range(2):
            web = stack.enter_context(site.web(server="uvicorn"))
            page = await stack.enter_async_context(socket_client(web.socket_url))
            page.positions = dict.fromkeys(channels, "0:0")
            await page.resume()
            pages.append(page)
        yield pages


async def blinks_reach(pages: list[SocketClient], one: Publisher, channel: str, text: str) -> None:
    """Send what is not stored until every page has seen it: each single one may be lost, on the way or while nobody is connected."""
    seen = [asyncio.create_task(page.until(lambda me: f"[{text}]" in blinked(me), described=f"{text} by the layer")) for page in pages]
    while not all(task.done() for task in seen):
        await asyncio.to_thread(one.blink, channel, text)
        await asyncio.wait(seen, timeout=0.2)
    for task in seen:
        task.result()


def blinked(page: SocketClient) -> str:
    return "".join(str(frame.get("html", "")) for frame in page.frames if "from" not in frame)


def layer_of(folder: Path, **environment: str) -> RedisPubSubChannelLayer:
    """The channel layer by our settings in this environment."""
    with mock.patch.dict(os.environ, {"DATA_DIR": str(folder), **environment}):
        config = runpy.run_path(str(ROOT / "core/settings.py"))["CHANNEL_LAYERS"]["default"]["CONFIG"]
    return RedisPubSubChannelLayer(**config)


@pytest.mark.valkey
async def test_two_installations_on_one_redis_hear_nothing_of_each_other(tmp_path: Path, valkey: Valkey) -> None:
    """Redis passes a message on in all its numbered databases, so these keep nobody apart."""
    layers = [layer_of(tmp_path, SECRET_KEY=key * 50, REDIS_URL=valkey.url) for key in "aab"]
    mailboxes = []
    for layer in layers:
        mailboxes.append(await layer.new_channel())
        await layer.group_add("hub", mailboxes[-1])
    try:
        await layers[0].group_send("hub", {"type": "of a"})
        await layers[2].group_send("hub", {"type": "of b"})
        heard = [(await layer.receive(mailbox))["type"] for layer, mailbox in zip(layers, mailboxes, strict=True)]
        assert heard == ["of a", "of a", "of b"]
    finally:
        for layer in layers:
            await layer.flush()


@pytest.mark.valkey
@pytest.mark.redis
async def test_shards_of_which_one_speaks_tls_carry_each_its_own_channels(tmp_path: Path, valkey: Valkey) -> None:
    with start_redis_with_tls(tmp_path) as (secured, _):
        site = Site(tmp_path, {"REDIS_URL": secured, "CHANNEL_REDIS_URLS": f"{valkey.url},{secured}", **SETTINGS})
        fill(site)
        prefix = layer_of(tmp_path, SECRET_KEY=site.env()["SECRET_KEY"], REDIS_URL=secured).prefix
        shards: dict[int, str] = {}
        for key in "abcdefghij":
            shards.setdefault(_consistent_hash(f"{prefix}__group__testlog.{key}", 2), f"testlog:{key}")
        assert set(shards) == {0, 1}
        async with pages_of_two_processes(site, *shards.values()) as pages:
            with publisher(site) as one:
                for channel in shards.values():
                    await blinks_reach(pages, one, channel, channel)
        for number, url in enumerate((valkey.url, secured)):
            with redis_addresses.read(url).client() as client:
                assert client.info("commandstats")["cmdstat_publish"]["calls"] > 0, f"shard {number}"


@pytest.mark.redis
def test_a_server_whose_certificate_nobody_vouches_for_is_not_talked_to(tmp_path: Path) -> None:
    with start_redis_with_tls(tmp_path) as (secured, _):
        site = Site(tmp_path, {"REDIS_URL": secured.partition("?")[0], **SETTINGS})
        fill(site)
        done = site.manage("doctor", "redis", check=False)
        assert done.returncode == 1 and "hunter22" not in done.stdout + done.stderr
        trusting = Site(tmp_path, {"REDIS_URL": secured, **SETTINGS})
        assert trusting.manage("doctor", "redis", "layer", "broker_of_jobs", check=False).returncode == 0


@pytest.fixture
def watched() -> Iterator[Watched]:
    with start_watched_redis() as up:
        yield up


@pytest.fixture
def wake(settings: Any) -> Iterator[Callable[[str], None]]:
    """Hand a job to the broker at this address, as any process of ours would."""

    def by(url: str) -> None:
        address = redis_addresses.read(url)
        settings.CELERY_BROKER_URL = address.broker()
        settings.CELERY_BROKER_TRANSPORT_OPTIONS = address.broker_options(socket_timeout=1, socket_connect_timeout=1)
        before = jobs.WOKEN.value(outcome="sent")
        wait_until(lambda: _sent(before), described="the broker to take a job")

    jobs._producer.cache_clear()
    yield by
    jobs._producer.cache_clear()


def _sent(before: float) -> bool:
    jobs._send(jobs.job("forget_intents"))
    return jobs.WOKEN.value(outcome="sent") > before


def waiting(watched: Watched) -> int:
    with redis_addresses.read(watched.url).client(socket_timeout=1) as client:
        return int(client.llen("bulk") + client.llen("delivery") + client.llen("live"))


@pytest.mark.redis
async def test_when_the_master_dies_pages_and_jobs_go_on_at_the_one_that_the_sentinels_name(
    tmp_path: Path, watched: Watched, wake: Callable[[str], None]
) -> None:
    site = Site(tmp_path, {"REDIS_URL": watched.url, **SETTINGS})
    fill(site)
    async with pages_of_two_processes(site, "testlog:a") as pages:
        with publisher(site) as one, site.worker():
            one.publish("testlog:a", "line", text="before")
            await blinks_reach(pages, one, "testlog:a", "blink")
            await asyncio.to_thread(wake, watched.url)
            await asyncio.to_thread(wait_until, lambda: waiting(watched) == 0, described="the worker to take the job")
            dead = watched.master()
            dead.kill()
            one.publish("testlog:a", "line", text="without")
            for page in pages:
                assert await page.texts_until("testlog:a", "[without]") == "[before][without]"
            await asyncio.to_thread(wait_until, lambda: watched.master() is not dead, described="another master", patience=60)
            await blinks_reach(pages, one, "testlog:a", "blink of the other")
            one.publish("testlog:a", "line", text="after")
            for page in pages:
                assert await page.texts_until("testlog:a", "[after]") == "[before][without][after]" and page.closed is None
            await asyncio.to_thread(wake, watched.url)
            await asyncio.to_thread(wait_until, functools.partial(_all_taken, watched), described="the worker to take the next job")
    for log in site.folder.glob("*.log"):
        assert "Traceback" not in log.read_text(), log.read_text()


def _all_taken(watched: Watched) -> bool:
    return waiting(watched) == 0


@pytest.mark.redis
def test_sentinels_and_servers_that_speak_tls_only_carry_the_layer_and_the_jobs(tmp_path: Path, wake: Callable[[str], None]) -> None:
    """The same by `rediss+sentinel://`. Whose certificate nobody vouches for is not talked to, by none of the three."""
    with start_watched_redis(tls=tmp_path) as watched:
        site = Site(tmp_path, {"REDIS_URL": watched.url, **SETTINGS})
        fill(site)
        done = site.manage("doctor", "redis", "layer", "broker_of_jobs", check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        wake(watched.url)
        with redis_addresses.read(watched.url).client() as client:
            assert client.connection_pool.get_connection().port == watched.master().port
            assert client.info("commandstats")["cmdstat_publish"]["calls"] > 0
        untrusted = Site(tmp_path, {"REDIS_URL": watched.url.partition("?")[0], **SETTINGS})
        assert untrusted.manage("doctor", "redis", "layer", "broker_of_jobs", check=False).returncode == 1


@pytest.fixture
def bouncer(postgres: Postgres) -> Iterator[Bouncer]:
    with start_bouncer(postgres) as up:
        yield up


@pytest.mark.postgres
@pytest.mark.pgbouncer
@pytest.mark.valkey
async def test_behind_pgbouncer_in_transaction_mode_two_processes_show_the_same_in_the_same_order(
    tmp_path: Path, postgres: Postgres, bouncer: Bouncer, valkey: Valkey
) -> None:
    site = Site(tmp_path, {"DATABASE_URL": bouncer.address(postgres.new_database()), "REDIS_URL": valkey.url, **SETTINGS})
    site.manage("migrate", "--verbosity", "0")
    async with pages_of_two_processes(site, "testlog:a", "teststate:a") as pages:
        await show_the_same(site, pages)
        (pool,) = [pool for pool in bouncer.show("POOLS") if pool["database"] != "pgbouncer"]
        assert pool["pool_mode"] == "transaction" and pool["sv_active"] + pool["sv_idle"] + pool["sv_used"] <= SESSIONS
        assert len([client for client in bouncer.show("CLIENTS") if client["database"] != "pgbouncer"]) > SESSIONS
    for log in site.folder.glob("*.log"):
        assert "Traceback" not in log.read_text(), log.read_text()
