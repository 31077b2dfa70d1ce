"""The tests' own kinds of channel, and a hub that ends with its test."""

from collections.abc import AsyncIterator, Iterator

import pytest

from core.delivery.channel import registry
from core.delivery.hub import hub
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
