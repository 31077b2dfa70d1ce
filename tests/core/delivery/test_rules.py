"""The rules that the promise hangs on (design, end of section 2), where no other file here holds them."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from core.delivery import failpoints, history, presence, sequencer
from core.delivery.channel import Event as Travelling
from core.delivery.executor import on_executor
from core.delivery.publishing import NewEvent, publish, publish_many
from core.models import Channel, Event
from tests.support.kinds import PacedValues
from tests.support.live import live_client
from tests.support.servers import Postgres, make_site, start_postgres

pytestmark = pytest.mark.django_db(transaction=True)
SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.support.settings"}


async def at(*channels: str) -> dict[str, str]:
    return {name: str(position) for name, position in (await on_executor(history.positions, channels)).items()}


@pytest.mark.usefixtures("running_hub")
async def test_rule_5_a_long_catch_up_is_cut_into_frames_each_with_its_range() -> None:
    positions = await at("testlog:a")
    text = "x" * 10_000
    await on_executor(publish_many, [NewEvent("testlog:a", "line", {"text": f"{n}{text}"}) for n in range(30)])
    async with live_client(positions=positions) as client:
        await client.resume()
        await client.until(lambda me: me.positions["testlog:a"].endswith(":30"))
        frames = [frame for frame in client.frames if "from" in frame]
        assert len(frames) >= 4 and all(len(frame["html"]) <= 65_536 + 10_010 for frame in frames)
        assert [frame["from"] for frame in frames[1:]] == [frame["to"] for frame in frames[:-1]]


def test_rule_7_a_pace_that_lies_in_the_future_is_due() -> None:
    publish("testpaced:a", "value", {"value": 1}, key="x")
    Channel.objects.update(numbered_at=timezone.now() + timedelta(hours=1))
    publish("testpaced:a", "value", {"value": 2}, key="x")
    assert not Event.objects.filter(offset__isnull=True).exists()


def test_rule_7_what_comes_within_the_pace_waits_and_only_the_newest_of_a_key_is_numbered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PacedValues, "pace", 600.0)  # longer than five publishes take on any machine
    for value in range(5):
        publish("testpaced:within", "value", {"value": value}, key="x")
    Channel.objects.update(numbered_at=timezone.now() - timedelta(seconds=601))
    sequencer.sequence_channels(["testpaced:within"])
    stretch = history.stretch("testpaced:within", 0)
    assert [event.data["value"] for event in stretch.events] == [4] and stretch.head == 2


def test_a_kind_is_told_each_event_once_also_those_that_compaction_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, bool, bool]] = []

    def note(self: PacedValues, key: str, events: Sequence[Travelling]) -> None:
        told.extend((event.data["text"], event.offset > 0, transaction.get_connection().in_atomic_block) for event in events)

    monkeypatch.setattr(PacedValues, "numbered", note)
    with transaction.atomic():
        for text, version in (("one", 1), ("two", 2), ("three", 3)):
            publish("testpaced:a", "value", {"text": text}, key="x", version=(version, 0))
    Channel.objects.update(numbered_at=timezone.now() - timedelta(seconds=1))
    publish("testpaced:a", "value", {"text": "late"}, key="x", version=(2, 5))  # nothing of this pass gets an offset
    assert told == [("three", True, True), ("one", False, True), ("two", False, True), ("late", False, True)]
    sequencer.sequence_channels(["testpaced:a"])
    assert len(told) == 4


def test_what_a_kind_notes_stands_if_and_only_if_the_numbering_does(monkeypatch: pytest.MonkeyPatch) -> None:
    def note(self: PacedValues, key: str, events: Sequence[Travelling]) -> None:
        Channel.objects.create(name=f"testpaced:noted-{len(events)}")

    monkeypatch.setattr(PacedValues, "numbered", note)
    monkeypatch.setattr(failpoints, "hit", lambda point: 1 / 0 if point == "in_sequencer" else None)
    with transaction.atomic(), suppress(ZeroDivisionError):
        publish("testpaced:a", "value", {"value": 1}, key="x")
        sequencer.sequence(["testpaced:a"])
    assert not Channel.objects.filter(name__contains="noted").exists()
    monkeypatch.undo()
    monkeypatch.setattr(PacedValues, "numbered", note)
    sequencer.sequence_channels(["testpaced:a"])
    assert Channel.objects.filter(name="testpaced:noted-1").exists()


@pytest.mark.usefixtures("running_hub")
async def test_presence_of_many_who_come_at_once_is_few_frames() -> None:
    async with live_client(positions=await at("presence:testlog.a")) as client:
        await client.resume()
        await on_executor(presence.refresh, "another")
        await on_executor(presence.write, "another", {("testlog:a", f"person{n}"): 1 for n in range(200)})
        await client.until(lambda me: me.texts("presence:testlog.a").count("came") == 200)
        assert len(client.shown["presence:testlog.a"]) <= 3


@pytest.mark.usefixtures("running_hub")
async def test_what_two_clients_miss_at_different_places_comes_from_one_read(monkeypatch: pytest.MonkeyPatch) -> None:
    positions = [await at("testlog:a")]
    for text in ("one", "two", "three"):
        await on_executor(publish, "testlog:a", "line", {"text": text})
        positions.append(await at("testlog:a"))
    async with live_client(positions=positions[0]) as first, live_client(positions=positions[2]) as second:
        await first.resume()
        await second.resume()
        assert await first.texts_until("testlog:a", "[three]") == "[one][two][three]"
        assert await second.texts_until("testlog:a", "[three]") == "[three]"


@pytest.fixture(scope="module")
def postgres() -> Any:
    with start_postgres() as server:
        yield server


@pytest.mark.postgres
def test_clashing_orders_neither_deadlock_nor_leave_holes(postgres: Postgres, tmp_path: Path) -> None:
    site = make_site(tmp_path, database=postgres.new_database(), **SETTINGS)
    assert site.manage("shell", "-v0", "-c", _CLASHING).stdout.strip() == "dense"
    assert "deadlock" not in postgres.output()


@pytest.mark.postgres
def test_an_open_transaction_holds_nobody_up(postgres: Postgres, tmp_path: Path) -> None:
    site = make_site(tmp_path, database=postgres.new_database(), **SETTINGS)
    assert site.manage("shell", "-v0", "-c", _HELD_OPEN).stdout.split() == ["['two']", "['two',", "'one']"]


_CLASHING = """
import threading
from django.db import connection, transaction
from core.delivery import sequencer
from core.delivery.publishing import publish
from core.models import Channel, Event

def work(names):
    for _ in range(10):
        with transaction.atomic():
            for name in names:
                publish(name, "line", {"text": "x"})
    connection.close()

names = [f"testlog:{n}" for n in range(8)]
orders = [names, names[::-1], names[4:] + names[:4], names[::2] + names[1::2]]
threads = [threading.Thread(target=work, args=(order,)) for order in orders]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
while waiting := set(Event.objects.filter(offset=None).values_list("channel", flat=True)):
    sequencer.sequence(waiting)
offsets = lambda name: list(Event.objects.filter(channel=name).order_by("offset").values_list("offset", flat=True))
print("dense" if all(offsets(name) == list(range(1, 41)) for name in names) else "holes")
"""

_HELD_OPEN = """
import threading
from django.db import connection, transaction
from core.delivery import history
from core.delivery.publishing import publish

texts = lambda: [event.data["text"] for event in history.stretch("testlog:a", 0).events]
published, go = threading.Event(), threading.Event()

def hold():
    with transaction.atomic():
        publish("testlog:a", "line", {"text": "one"})
        published.set()
        go.wait()
    connection.close()

holder = threading.Thread(target=hold)
holder.start()
published.wait()
publish("testlog:a", "line", {"text": "two"})
print(texts())
go.set()
holder.join()
print(texts())
"""
