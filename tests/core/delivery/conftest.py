"""The tests' own kinds of channel, and a hub that ends with its test."""

from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from core.delivery.channel import registry
from core.delivery.hub import hub
from tests.support import servers
from tests.support.kinds import Lines, PacedValues, Values


@pytest.fixture(autouse=True)
def kinds() -> Iterator[None]:
    added = [Lines(), Values(), PacedValues()]
    for kind in added:
        registry.register(kind)
    yield
    for kind in added:
        del registry.kinds[kind.name]


@pytest.fixture
async def running_hub() -> AsyncIterator[None]:
    await hub.start()
    yield
    await hub.stop()


@pytest.fixture
def printed(new_site: Callable[..., servers.Site]) -> Callable[[str], list[str]]:
    """The lines that a script prints in a process of its own, on Postgres and with the kinds of these tests."""
    site = new_site(database="postgres", DJANGO_SETTINGS_MODULE="tests.support.settings")
    return lambda script: site.manage("shell", "-v0", "-c", script).stdout.split("\n")[:-1]
