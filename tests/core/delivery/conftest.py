"""Two kinds for the delivery's own tests, a log and a state channel, and a hub that ends with its test."""

from collections.abc import AsyncIterator, Collection, Iterator, Mapping

import pytest

from core.delivery.channel import Event, EventType, Keeps, Kind, Reader, registry
from core.delivery.hub import hub


class TestLog(Kind):
    """Readable by everybody but where the key says `secret`."""

    __test__ = False
    name = "testlog"
    types = (EventType("line"), EventType("whisper"), EventType("blink", ephemeral=True), EventType("raw", raw=True))

    def readable(self, readers: Collection[Reader], keys: Collection[str]) -> set[tuple[Reader, str]]:
        return {(reader, key) for reader in readers for key in keys if key != "secret" or reader.user}

    def render(self, event: Event, key: str) -> str:
        return f"[{event.data.get('text', event.type)}]"

    def is_personal(self, event: Event) -> bool:
        return event.type == "whisper"

    def personalise(self, event: Event, key: str, users: Collection[str]) -> Mapping[str, str]:
        return {user: f"[{event.data['text']} for {user}]" for user in users if user == event.data["to"]}


class TestState(Kind):
    __test__ = False
    name = "teststate"
    keeps = Keeps.STATE
    types = (
        EventType("value"),
        EventType("config", slot="config", revives=True),
        EventType("removed", slot="config", removes=True),
    )

    def readable(self, readers: Collection[Reader], keys: Collection[str]) -> set[tuple[Reader, str]]:
        return {(reader, key) for reader in readers for key in keys}

    def render(self, event: Event, key: str) -> str:
        return f"[{event.key}={event.data.get('value', event.type)}]"


class TestPaced(TestState):
    name = "testpaced"
    pace = 0.2


@pytest.fixture(autouse=True)
def kinds() -> Iterator[None]:
    added = [TestLog(), TestState(), TestPaced()]
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
