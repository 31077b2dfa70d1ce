"""A fan-out goes in portions: hundreds of small frames, few large ones; between them others get the loop."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from core.delivery import fanout
from core.delivery.channel import ChannelName, Event, Reader
from core.delivery.forms import HtmlForm
from core.delivery.position import Range
from core.delivery.topic import Subscription, topic_of
from tests.support.kinds import Lines

pytestmark = pytest.mark.asyncio
FORM = HtmlForm("en")


class Screen:
    """A connection whose kernel takes everything."""

    form, reader, closing, held = FORM, Reader(), False, False

    def __init__(self, number: int) -> None:
        self.outlet: Any = SimpleNamespace(share=FORM.share, is_clear=True, is_barred=False, writer=SimpleNamespace(file=lambda: number))
        self.outlet.offer = lambda text, channel, epoch, end: True


async def fan_out(monkeypatch: pytest.MonkeyPatch, text: str, *, screens: int, turn: float) -> list[Any]:
    """How many were written to at once, and `turn` wherever somebody else had the loop."""
    seen: list[Any] = []

    async def somebody_else() -> None:
        while True:
            await asyncio.sleep(0)
            seen.append("turn")

    def write_all(files: list[int], data: bytes) -> list[tuple[int, int]]:
        if files:
            seen.append(len(files))
        return []

    monkeypatch.setattr(fanout, "TURN", turn)
    monkeypatch.setattr(fanout, "write_all", write_all)
    topic = topic_of(ChannelName("testlog", "a"), Lines())
    topic.open("e", 0)
    for number in range(screens):
        connection: Any = Screen(number)
        topic.subscriptions[connection] = Subscription(connection, topic, 0)
    topic.take(Range("e", 0, 1), [Event(1, "line", "", {"text": text}, 0.0)])
    other = asyncio.create_task(somebody_else())
    await fanout.FanOut(SimpleNamespace()).serve_all(topic)  # type: ignore[arg-type]
    other.cancel()
    assert all(subscription.cursor == 1 for subscription in topic.subscriptions.values())
    return seen


async def test_small_frames_are_written_by_the_hundreds_and_others_get_the_loop_between(monkeypatch: pytest.MonkeyPatch) -> None:
    # After each turn of the loop the first is looked at by herself.
    whole = fanout.TOGETHER - fanout.ALONE
    seen = await fan_out(monkeypatch, "x", screens=1 + 2 * (1 + whole), turn=-1.0)
    assert seen[:3] == [whole, "turn", whole]


async def test_large_frames_are_written_by_the_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five hundred of 64 KiB would keep everybody else from the loop for longer than a turn."""
    assert await fan_out(monkeypatch, "x" * 64 * 1024, screens=16, turn=60.0) == [3] * 5
