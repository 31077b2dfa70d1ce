"""A database that is busy or away: pages and API say 503 and when to come back, sockets come back by themselves, the log has one line."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
import pytest
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory, override_settings
from django.urls import path

from core import unavailable
from tests.support.servers import Postgres, Web, make_site, wait_until
from tests.support.wire_client import socket_client

AWAY = OperationalError("connection refused")


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unavailable, "_said_at", float("-inf"))
    monkeypatch.setattr(unavailable, "_unsaid", 0)


def raises(request: HttpRequest, what: str) -> HttpResponse:
    raise {"away": AWAY, "closed": InterfaceError("the connection is closed"), "ours": OperationalError("no such table: x")}[what]


def in_middleware(get_response: Any) -> Any:
    def middleware(request: HttpRequest) -> HttpResponse:
        raise AWAY

    return middleware


urlpatterns = [path("raises/<str:what>/", raises)]
handler500 = "core.unavailable.broke"


@pytest.mark.parametrize("what", ["away", "closed"])
def test_a_page_whose_database_is_away_says_when_to_come_back(what: str, caplog: pytest.LogCaptureFixture):
    with override_settings(ROOT_URLCONF=__name__):
        answer = Client().get(f"/raises/{what}/")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "Try again in a few seconds" in answer.content.decode()
    ours = [(one.levelname, one.exc_info) for one in caplog.records if one.name.startswith("core.")]
    assert ours == [("WARNING", None)]


def test_a_middleware_whose_database_is_away_too():
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=[f"{__name__}.in_middleware"]):
        answer = Client(raise_request_exception=False).get("/raises/away/")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


def test_a_mistake_of_ours_is_still_one():
    with override_settings(ROOT_URLCONF=__name__):
        assert Client(raise_request_exception=False).get("/raises/ours/").status_code == 500


def test_in_another_project_its_own_pages_stay_its_own(settings: Any):
    settings.OWN_PAGES_ONLY = True
    middleware: Any = unavailable.answers(lambda request: HttpResponse())
    assert middleware.process_exception(RequestFactory().get("/"), AWAY) is None


def test_the_log_says_it_once_in_five_seconds_and_how_often_it_was(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch):
    clock = [100.0]
    monkeypatch.setattr("core.unavailable.time.monotonic", lambda: clock[0])
    for seconds in (0, 1, 1, 3.5):
        clock[0] += seconds
        unavailable.note(AWAY)
    assert [one.getMessage().partition(",")[0] for one in caplog.records] == [
        "A request was answered 503 (and 0 before it)",
        "A request was answered 503 (and 2 before it)",
    ]


# A real one


@dataclass
class Small:
    """A web process with two connections to a database of its own, and a second's patience."""

    web: Web
    postgres: Postgres
    database: str

    def get(self, address: str, **headers: str) -> httpx.Response:
        return httpx.get(self.web.url + address, headers=headers, timeout=30)

    @contextmanager
    def every_connection_waits(self) -> Iterator[None]:
        """Whoever asks for a session waits, and keeps the connection meanwhile."""
        with ThreadPoolExecutor(8) as threads, psycopg.connect(self.database) as lock:
            lock.execute("LOCK TABLE django_session")
            waiting = [threads.submit(self.get, "/inbox/", Cookie=self.cookie) for _ in range(8)]
            try:
                wait_until(lambda: self.waiting() == 2, described="both connections to wait")
                yield
            finally:
                lock.rollback()
        assert {one.result().status_code for one in waiting} <= {302, 503}

    def waiting(self) -> int:
        with psycopg.connect(self.database) as watch:
            held = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'django_session'::regclass"
            return int(watch.execute(held).fetchone()[0])  # type: ignore[index]

    @contextmanager
    def away(self) -> Iterator[None]:
        name = self.database.rpartition("/")[2]
        self.postgres.run(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        self.postgres.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        try:
            yield
        finally:
            self.postgres.run(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")

    @property
    def cookie(self) -> str:
        return f"sessionid_{self.web.port}={'s' * 32}"

    def said(self) -> list[str]:
        return [line for line in self.web.output().splitlines() if "answered 503" in line]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[Small]:
    database = postgres.new_database()
    site = make_site(tmp_path_factory.mktemp("small"), database=database, DATABASE_POOL="2", DATABASE_PATIENCE="1")
    with site.web(server="uvicorn") as web:
        yield Small(web, postgres, database)


def is_a_page(answer: httpx.Response) -> bool:
    return answer.status_code == 503 and int(answer.headers["retry-after"]) > 0 and "One moment" in answer.text


def is_a_problem(answer: httpx.Response) -> bool:
    return answer.status_code == 503 and int(answer.headers["retry-after"]) > 0 and answer.json()["code"] == "unavailable"


async def everything_says_come_back(small: Small) -> None:
    assert is_a_page(small.get("/inbox/", Cookie=small.cookie))
    assert is_a_problem(small.get("/api/v1/channels/user:1/events", Authorization="Bearer sbx_" + "x" * 32))
    stream = small.get("/live/sse?channel=user:1")
    assert (stream.status_code, stream.headers["retry-after"]) == (503, "5")
    async with socket_client(small.web.socket_url, cookies=small.cookie, positions={"user:1": "0:0"}) as page:
        page.say({"do": "resume", "at": dict(page.positions)})
        await page.until(lambda me: me.closed is not None, described="the close")
        assert page.closed == 1013
    assert small.get("/healthz").status_code == 200


@pytest.mark.postgres
async def test_a_pool_whose_connections_are_all_taken_costs_nobody_more_than_a_moment(small: Small) -> None:
    with small.every_connection_waits():
        await everything_says_come_back(small)
    assert "couldn't get a connection after 1.00 sec" in small.said()[0]
    counted = [line for line in small.get("/metrics").text.splitlines() if line.startswith("signalbox_unavailable_total ")]
    assert int(counted[0].split()[1]) >= 2
    wait_until(lambda: small.get("/inbox/", Cookie=small.cookie).status_code == 302, described="the page to be there again")
    assert "Traceback" not in small.web.output()


@pytest.mark.postgres
async def test_a_database_that_ends_every_connection_and_takes_none_too_until_it_is_back(small: Small) -> None:
    with small.away():
        await everything_says_come_back(small)
        assert small.get("/readyz").status_code == 503
    wait_until(lambda: small.get("/inbox/", Cookie=small.cookie).status_code == 302, described="the page to be there again")
    assert "Traceback" not in small.web.output()
    assert not [line for line in small.web.output().splitlines() if "Service Unavailable" in line]
