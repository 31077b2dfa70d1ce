"""Counts: told to everybody whom an event touches, after the news and in its shadow."""

import asyncio
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any

import pytest

from core.delivery import counting
from core.delivery.channel import ChannelName, Reader
from core.delivery.connection import Connection, Rate
from core.delivery.counting import Counting
from core.delivery.fanout import FanOut
from core.delivery.forms import HtmlForm


class Hub:
    """A hub of so many people with one page each, that notes what was sent."""

    def __init__(self, people: int, sent: list[str]) -> None:
        self._pages = {str(user): SimpleNamespace(subscriptions={f"user:{user}": None}) for user in range(people)}
        self.fanout = SimpleNamespace(send_counts=lambda connection, name, html: sent.append(html))
        self._tasks: set[asyncio.Task[None]] = set()

    def users(self) -> set[str]:
        return set(self._pages)

    def of_user(self, user: str) -> list[Any]:
        return [self._pages[user]] if user in self._pages else []

    def leave(self, user: str) -> None:
        del self._pages[user]

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.add(asyncio.get_running_loop().create_task(work))

    async def ended(self) -> None:
        await asyncio.gather(*self._tasks)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each count takes a whole turn."""

    async def on_executor(function: Any, events: Any, users: set[str], local: set[str]) -> dict[str, str]:
        return dict.fromkeys(sorted(users & local, key=int), "count")

    monkeypatch.setattr(counting, "on_executor", on_executor)
    monkeypatch.setattr(counting, "TURN", -1.0)


def count_everybody(hub: Any) -> asyncio.Task[None]:
    work = Counting(hub)
    for user in hub.users():
        work.mark_user(user)
    return asyncio.create_task(hub.ended())


async def test_between_the_counts_of_many_others_get_the_loop(slow: None) -> None:
    """A thousand badges in one go were what other publishers waited for."""
    told: list[str] = []
    hub: Any = Hub(20, told)
    waiting = count_everybody(hub)
    while not waiting.done():
        if told[-1:] == ["count"]:
            told.append("news")
        await asyncio.sleep(0)
    assert told == ["count", "news"] * 20


async def test_who_leaves_meanwhile_is_not_told(slow: None) -> None:
    told: list[str] = []
    hub: Any = Hub(3, told)
    waiting = count_everybody(hub)
    while not told:
        await asyncio.sleep(0)
    hub.leave("2")
    await waiting
    assert told == ["count", "count"]


def test_counts_that_a_slow_page_cannot_take_are_asked_for_again_when_it_can() -> None:
    """They were let go: the badge was wrong until the next change."""
    asked: list[str] = []
    has_credit, sent = False, list[str]()

    class Outlet:
        share = ""

        @property
        def has_credit(self) -> bool:
            return has_credit

        def send_text(self, text: str) -> None:
            sent.append(text)

    fanout = FanOut(SimpleNamespace(counting=SimpleNamespace(mark_user=asked.append)))  # type: ignore[arg-type]
    page: Any = Connection(
        outlet=Outlet(), form=HtmlForm("en"), rate=Rate(0, 0), max_frame=0, max_channels=0, opened_at=0.0, reader=Reader(user="7")
    )
    fanout.send_counts(page, ChannelName("user", "7"), "<b>1</b>")
    fanout._watch(0.0)
    assert (sent, asked) == ([], [])
    has_credit = True
    fanout._watch(0.0)
    fanout._watch(0.0)
    assert (sent, asked) == ([], ["7"])
    fanout.send_counts(page, ChannelName("user", "7"), "<b>1</b>")
    fanout._watch(0.0)
    assert (len(sent), asked) == (1, ["7"])
