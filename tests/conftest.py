"""Fixtures that every folder of tests shares: the people, real servers, and what is skipped where this machine lacks something."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

from core import jobs
from core.delivery.broker import broker
from core.delivery.hub import hub
from tests.support import machine, servers


def pytest_configure(config: pytest.Config) -> None:
    from django.conf import settings

    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a program that is not here; where REQUIRE= names it, let the test fail instead."""
    lacking = {name: how for name, how in machine.missing().items() if name not in machine.required()}
    for item in items:
        if "/tests/e2e/" in item.path.as_posix():
            item.add_marker("browser")
        for name, how in lacking.items():
            if item.get_closest_marker(name):
                item.add_marker(pytest.mark.skip(reason=f"NOT RUN: {name} ({how})"))
    # Last, because while a browser is open its loop runs in this thread, and no async test could.
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


@pytest.fixture(autouse=True)
def no_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The application would begin to sweep for due jobs at its first request, in a thread that outlives the test."""
    monkeypatch.setattr(jobs, "sweep_here", lambda: None)


@pytest.fixture(autouse=True)
def no_timers() -> None:
    """A timer that the test before left is not this one's: the same name of a channel, another database."""
    broker._timers = {}


# People


@pytest.fixture
def ops(db: None) -> Group:
    return Group.objects.create(name="ops")


@pytest.fixture
def alice(db: None) -> Any:
    """On the staff; may send broadcasts."""
    from core.demo import make_staff

    user = get_user_model().objects.create_user("alice", "alice@example.com", "alice-password")
    make_staff(user)
    return user


@pytest.fixture
def bob(ops: Group) -> Any:
    """In the group ops."""
    user = get_user_model().objects.create_user("bob", "bob@example.com", "bob-password")
    user.groups.add(ops)
    return user


@pytest.fixture
def charlie(db: None) -> Any:
    """Without any right: the stranger."""
    return get_user_model().objects.create_user("charlie", "charlie@example.com", "charlie-password")


# Servers


@pytest.fixture(scope="session")
def valkey() -> Iterator[servers.Valkey]:
    """A Valkey for all tests of the session. A test that kills one starts its own with `servers.start_valkey()`."""
    with servers.start_valkey() as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[servers.Postgres]:
    """A Postgres cluster for all tests of the session; `new_database()` gives a test its own."""
    with servers.start_postgres() as server:
        yield server


@pytest.fixture
async def running_hub() -> AsyncIterator[None]:
    """The hub at work, and no jobs beside it: SQLite has one writer, and they would meet the tests'."""
    with jobs.collected():
        await hub.start()
        yield
        await hub.stop()


@pytest.fixture
def new_site(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., servers.Site]:
    """Makes Signalboxes with their tables: `new_site()`, `new_site(database="postgres", redis=True, ROOMS_OPEN="1")`."""

    def make(*, database: str = "sqlite", redis: bool = False, **environment: str) -> servers.Site:
        folder = tmp_path / f"site{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        address = request.getfixturevalue("postgres").new_database() if database == "postgres" else ""
        return servers.make_site(folder, database=address, redis=request.getfixturevalue("valkey").url if redis else "", **environment)

    return make


MATRIX = [
    pytest.param((database, server), id=f"{database}-{server}", marks=[pytest.mark.postgres] if database == "postgres" else [])
    for database in ("sqlite", "postgres")
    for server in ("daphne", "uvicorn")
]


@pytest.fixture(params=MATRIX)
def matrix(request: pytest.FixtureRequest) -> tuple[str, str]:
    """(database, server): a test that takes it runs on both databases and both servers. Mark it `matrix` too."""
    return request.param
