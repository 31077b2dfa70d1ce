"""The one door: what may enter, from where, and what becomes of it when its transaction does not commit."""

import asyncio
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import InternalError, OperationalError, transaction

from core.delivery import history, payload, sequencer
from core.delivery.channel import BadChannel, UnknownKind
from core.delivery.payload import BadPayload
from core.delivery.publishing import NewEvent, Unpublishable, apublish, broadcast_unstored, publish, publish_many
from core.models import Channel, Event

pytestmark = pytest.mark.django_db(transaction=True)


def texts(channel: str = "testlog:a") -> list[str]:
    """What is numbered on a log, in order."""
    return [event.data["text"] for event in history.stretch(channel, 0).events]


def say(text: str, channel: str = "testlog:a") -> int:
    return publish(channel, "line", {"text": text})


def publish_and_fail() -> None:
    with transaction.atomic():
        say("ghost")
        raise RuntimeError


# --- the commit rule ---


def test_an_event_is_numbered_right_after_its_commit_and_not_before() -> None:
    with transaction.atomic():
        say("one")
        assert texts() == []
    assert texts() == ["one"]


def test_nested_blocks_lose_exactly_what_they_roll_back() -> None:
    with transaction.atomic():
        say("one")
        with transaction.atomic():
            say("two")
            with pytest.raises(RuntimeError):
                publish_and_fail()
        say("three")
    assert texts() == ["one", "two", "three"]
    assert Event.objects.count() == 3


def test_a_savepoint_whose_hooks_are_gone_leaves_the_rest_to_the_others() -> None:
    with transaction.atomic():
        with pytest.raises(RuntimeError):
            publish_and_fail()
        say("after a rolled back savepoint")
    assert texts() == ["after a rolled back savepoint"]


def test_what_a_rolled_back_transaction_left_in_memory_does_not_disturb_the_next_one() -> None:
    with pytest.raises(RuntimeError):
        publish_and_fail()
    say("real")
    assert texts() == ["real"]


def test_many_channels_in_one_transaction_are_all_numbered() -> None:
    with transaction.atomic():
        publish_many([NewEvent(f"testlog:{n % 40}", "line", {"text": str(n)}) for n in range(80)])
    assert [texts(f"testlog:{n}") for n in range(40)] == [[str(n), str(n + 40)] for n in range(40)]


def test_more_events_than_one_pass_are_numbered_densely_in_their_order() -> None:
    count = 2 * sequencer.PASS + 7
    publish_many([NewEvent("testlog:a", "line", {"text": str(n)}) for n in range(count)])
    offsets = list(Event.objects.order_by("id").values_list("offset", flat=True))
    assert offsets == list(range(1, count + 1)) and Channel.objects.get(pk="testlog:a").head == count


async def test_publishing_from_async_code_follows_the_same_rule() -> None:
    await apublish("testlog:a", "line", {"text": "from a coroutine"})
    assert await asyncio.to_thread(texts) == ["from a coroutine"]


def test_publishing_from_threads_at_once_numbers_everything_once() -> None:
    def publish_some(name: str) -> None:
        for number in range(10):
            say(f"{name}{number}")

    threads = [threading.Thread(target=publish_some, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sequencer.sequence_channels(["testlog:a"])  # what somebody left to the relay because a lock was taken
    shown = texts()
    assert len(shown) == len(set(shown)) == 30
    for name in "abc":
        assert [text for text in shown if text[0] == name] == [f"{name}{number}" for number in range(10)]


def test_publishing_goes_on_in_a_child_after_fork(tmp_path: Path) -> None:
    from tests.support.servers import make_site

    site = make_site(tmp_path, DJANGO_SETTINGS_MODULE="tests.support.settings")
    code = (
        "import os\n"
        "from django.db import connections\n"
        "from core.delivery.broker import broker\n"
        "from core.delivery.publishing import publish\n"
        "publish('testpaced:a', 'value', {'value': 'parent'}, key='p')\n"
        "connections.close_all()\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    publish('testlog:a', 'line', {'text': 'child'})\n"
        "    for number in range(1000):\n"  # soon one comes before its time, and needs a timer
        "        publish('testpaced:a', 'value', {'value': number}, key='c')\n"
        "        if broker._loop is not None:\n"
        "            os._exit(0)\n"
        "    os._exit(3)\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0\n"
        "from core.delivery.history import stretch\n"
        "print([event.data['text'] for event in stretch('testlog:a', 0).events])\n"
    )
    assert site.manage("shell", "-v0", "-c", code).stdout.strip() == "['child']"
    assert os.getpid()


def test_a_failing_kind_keeps_its_events_from_nobody(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    from tests.support.kinds import Lines

    def broken(self: Any, key: str, events: Any) -> None:
        raise RuntimeError("a bug of the app")

    monkeypatch.setattr(Lines, "numbered", broken, raising=False)
    say("one")
    assert texts() == ["one"] and "could not note its offsets" in caplog.text


@pytest.mark.parametrize("error", [OperationalError, InternalError])
def test_a_database_that_ends_the_numbering_leaves_it_whole_to_the_relay(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from core.delivery.relay import Relay
    from tests.support.kinds import Lines

    told: list[int] = []

    def ended(self: Any, key: str, events: Any) -> None:
        told.append(len(events))
        if len(told) == 1:
            raise error("idle in transaction")

    monkeypatch.setattr(Lines, "numbered", ended, raising=False)
    say("one")
    assert texts() == [] and not caplog.records
    relay = Relay()
    relay.sweep()
    relay.sweep()
    assert texts() == ["one"] and told == [1, 1]


# --- what may enter ---

REFUSED: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: publish("testlog:a", "fly"), Unpublishable, "carry line"),
    (lambda: publish("testlog:a", "blink"), Unpublishable, "broadcast_unstored"),
    (lambda: publish("testlog", "line"), BadChannel, "kind:key"),
    (lambda: publish("testlog:a\n", "line"), BadChannel, "kind:key"),
    (lambda: publish("testlog:١", "line"), BadChannel, "kind:key"),
    (lambda: publish("nobody:1", "line"), UnknownKind, "testlog"),
    (lambda: publish("testlog:a", "line", key="k" * 129), Unpublishable, "128"),
    (lambda: publish("testlog:a", "line", key="\0"), Unpublishable, "NUL"),
    (lambda: publish("testlog:a", "line", {"x": "y" * 20_000}), BadPayload, "16384"),
    (lambda: broadcast_unstored("testlog:a", "line"), Unpublishable, "publish()"),
]


@pytest.mark.parametrize(("act", "error", "says"), REFUSED)
def test_what_cannot_be_published_says_what_would_be_right_and_stores_nothing(
    act: Callable[[], Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        act()
    assert not Event.objects.exists()


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        -float("inf"),
        2**63,
        -(2**63) - 1,
        b"bytes",
        pytest.param(object(), id="an object"),
        {1: 2},
        {"a\0": 1},
        "\ud800",
        "a\0b",
        {1, 2},
    ],
    ids=ascii,
)
def test_a_payload_is_finite_clean_json(value: Any) -> None:
    with pytest.raises(BadPayload):
        payload.normalised({"value": value}, limit=0)


def test_a_payload_is_not_endlessly_deep() -> None:
    deep: Any = 1
    for _ in range(40):
        deep = [deep]
    with pytest.raises(BadPayload, match="levels"):
        payload.normalised({"value": deep}, limit=0)


def test_a_payloads_text_is_in_nfc() -> None:
    assert payload.normalised({"e\u0301": ["e\u0301", 1, 1.5, True, None]}, limit=0) == {"\u00e9": ["\u00e9", 1, 1.5, True, None]}


def test_all_or_none_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadPayload):
        publish_many([NewEvent("testlog:a", "line", {"text": "fine"}), NewEvent("testlog:a", "line", {"text": float("nan")})])
    assert not Event.objects.exists()
