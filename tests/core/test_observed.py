"""What can be watched of a real installation: the log that a web process and a worker write, and /metrics over both."""

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.support import servers
from tests.support.receiver import Receiver, receiver
from tests.support.wire_client import socket_client

pytestmark = pytest.mark.valkey

PEOPLE = """
from importlib import import_module
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from core.tokens import make_token
from notifications import preferences
bob = get_user_model().objects.create_user("bob", password="hunter2-hunter2")
preferences.set_webhook(bob, {hook!r}, "plain")
session = import_module(settings.SESSION_ENGINE).SessionStore()
session[SESSION_KEY], session[BACKEND_SESSION_KEY] = str(bob.pk), settings.AUTHENTICATION_BACKENDS[0]
session[HASH_SESSION_KEY] = bob.get_session_auth_hash()
session.create()
print("MADE", bob.pk, session.session_key, make_token(bob, "t", ["notify:*"])[1])
"""
NAMES = [
    "signalbox_connections", "signalbox_publishes_total", "signalbox_deliveries_total", "signalbox_publish_to_send_seconds_bucket",
    "signalbox_relay_rescues_total", "signalbox_gaps_total", "signalbox_resyncs_total", "signalbox_slow_closes_total",
    "signalbox_breaker_open", "signalbox_outbox_age_seconds", "signalbox_ways_out_total",
]  # fmt: skip


@dataclass
class Installation:
    """A web process and a worker, and bob with a session, a token and a webhook."""

    web: servers.Web
    worker: servers.Process
    hook: Receiver
    bob: str
    session: str
    token: str

    @property
    def cookies(self) -> str:
        return f"sessionid_{self.web.port}={self.session}"

    def lines(self, process: servers.Process) -> list[dict[str, Any]]:
        """The lines of a process's log that are ours: Celery greets on the same stream."""
        return [json.loads(line) for line in process.output().splitlines() if line.startswith('{"time"')]

    def figures(self) -> dict[str, float]:
        said = httpx.get(self.web.url + "/metrics").text.splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in said if not line.startswith("#"))}

    def notify(self, title: str, **headers: str) -> httpx.Response:
        given = {"Authorization": f"Bearer {self.token}", "Priority": "high", **headers}
        return httpx.post(f"{self.web.url}/api/v1/notify/bob?secret=hunter2", content=title, headers=given)


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory, valkey: servers.Valkey) -> Iterator[Installation]:
    with receiver() as hook:
        told = {"OUTBOUND_ALLOW": f"127.0.0.1:{hook.port}", "LOG_FORMAT": "json", "LOG_LEVEL": "DEBUG"}
        site = servers.make_site(tmp_path_factory.mktemp("observed"), redis=valkey.url, **told)
        made = site.manage("shell", "-c", PEOPLE.format(hook=hook.url)).stdout
        bob, session, token = re.findall(r"MADE (\S+) (\S+) (\S+)", made)[0]
        with site.web(server="uvicorn") as web, site.worker() as worker:
            yield Installation(web, worker, hook, bob, session, token)


async def test_one_id_goes_through_a_connections_life(installation: Installation):
    channel, url = f"user:{installation.bob}", installation.web.socket_url + "?token=hunter2"
    async with socket_client(url, cookies=installation.cookies, positions={channel: "00000000:5"}) as page:
        reply = await page.resume()
        assert reply["at"][channel]["recovered"] is False
        told = await asyncio.to_thread(installation.figures)
        assert (told["signalbox_connections"], told["signalbox_resyncs_total"]) == (1, 1)
        await asyncio.to_thread(installation.notify, "Seen live", Priority="low")  # for pages only: no webhook
        await page.texts_until(channel, "Seen live")
        told = await asyncio.to_thread(installation.figures)
        assert told["signalbox_deliveries_total"] >= 1 and told["signalbox_publish_to_send_seconds_count"] >= 1
        page.say("no command")
        for _ in range(5):
            page.say("no command")
        await page.until(lambda me: me.closed is not None)

    def life() -> list[dict[str, Any]]:
        mine = [line for line in installation.lines(installation.web) if line.get("connection")]
        return mine if mine and mine[-1]["message"] == "socket closed" else []

    opened, subscribed, closing, closed = await asyncio.to_thread(
        servers.wait_until, life, described="the close in the log", log=installation.web.log
    )
    lines = (opened, subscribed, closing, closed)
    assert [line["message"] for line in lines] == ["socket opened", "subscribed", "closing", "socket closed"]
    assert len({line["connection"] for line in lines}) == 1
    assert (subscribed["user"], subscribed["channels"], subscribed["resync"]) == (installation.bob, [channel], [channel])
    assert (closing["code"], closed["code"]) == (4400, 4400)


def test_the_id_of_a_request_goes_into_the_job_that_it_woke_and_its_outcome_into_the_webs_metrics(installation: Installation):
    before, before_hook = installation.figures(), list(installation.hook.requests)
    answer = installation.notify("Urgent")
    assert answer.status_code == 202
    request = answer.headers["x-request-id"]
    assert b"Urgent" in installation.hook.wait_for(len(before_hook) + 1)[-1].body

    def woken() -> list[str]:
        lines = installation.lines(installation.worker)
        return [line["job"] for line in lines if request in line.get("request", "") and line["message"] == "ran"]

    assert "deliveries_webhook" in servers.wait_until(woken, described="the job's line", log=installation.worker.log)
    sent = 'signalbox_ways_out_total{transport="webhook",outcome="sent",reason=""}'
    more = before.get(sent, 0) + 1
    told = servers.wait_until(lambda: (now := installation.figures()).get(sent) == more and now, described=f"{sent} at the web process")
    assert told["signalbox_publishes_total"] > before["signalbox_publishes_total"]
    assert told['signalbox_jobs_total{job="deliveries_webhook",outcome="done"}'] >= 1
    assert told['signalbox_outbound_requests_total{outcome="answered"}'] >= 1
    for name in NAMES:
        assert any(known.startswith(name) for known in told), name


def test_an_id_that_a_stranger_names_is_not_taken(installation: Installation):
    given = installation.notify("Quiet", **{"X-Request-ID": "mine-all-mine", "Priority": "low"})
    assert given.headers.get_list("x-request-id") != ["mine-all-mine"] and len(given.headers.get_list("x-request-id")) == 1


def test_no_secret_and_no_query_string_is_in_the_log(installation: Installation):
    assert installation.notify("x", Authorization=f"Bearer {installation.token}x").status_code == 401
    assert httpx.get(f"{installation.web.url}/api/v1/channels/x:1/events?since={installation.token}").status_code == 401
    sent = len(installation.hook.requests)
    assert installation.notify("Urgent").status_code == 202
    installation.hook.wait_for(sent + 1)
    log = servers.wait_until(
        lambda: (said := installation.web.output() + installation.worker.output()).count('"job": "deliveries_webhook"') and said,
        described="the job's line",
        log=installation.worker.log,
    )
    for secret in (installation.token, installation.session, "hunter2", "only for tests", "Urgent"):
        assert secret not in log
