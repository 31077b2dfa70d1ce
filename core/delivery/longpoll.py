"""Long-poll: `GET /api/v1/channels/<channel>/events?since=&wait=`. Ask; where nothing is new wait for the hub's word; ask again.

Each ask goes through the API like any request, with its permissions and its limits, and holds no thread while it waits.
"""

import asyncio
import re
import time
from collections.abc import Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qs

import msgspec

from core.delivery import history, wire
from core.delivery.channel import BadChannel, ChannelName
from core.delivery.executor import on_executor
from core.delivery.hub import hub
from core.delivery.position import BadPosition, Position

PATH = re.compile(r"/api/v1/channels/[^/]{1,200}/events")
MOST = 30.0  # seconds


def waits(scope: Mapping[str, Any]) -> float:
    """How many seconds this request is ready to wait for news; 0 for every other request."""
    if scope["method"] != "GET" or not PATH.fullmatch(scope["path"]):
        return 0.0
    try:
        return min(MOST, float(parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=16).get("wait", ["0"])[0]))
    except ValueError:
        return 0.0


async def long_poll(application: Any, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
    """Serve such a request by `application`, whose answer is held back while it has no news."""
    deadline = time.monotonic() + waits(scope)
    body = await _body(receive)
    while True:
        answer = await _ask(application, scope, body)
        at = _nothing_new(answer)
        left = deadline - time.monotonic()
        if at is None or left <= 0 or hub.draining or not await _news(*at, seconds=left, receive=receive):
            break
    for message in answer:
        await send(message)


async def _body(receive: Any) -> dict[str, Any]:
    """The request's (empty) body, kept for every ask."""
    while True:
        message: dict[str, Any] = await receive()
        if message["type"] != "http.request" or not message.get("more_body"):
            return {"type": "http.request", "body": b"", "more_body": False}


async def _ask(application: Any, scope: MutableMapping[str, Any], body: dict[str, Any]) -> list[Any]:
    answer: list[Any] = []
    given = [body]

    async def receive() -> dict[str, Any]:
        if given:
            return given.pop()
        await asyncio.Event().wait()  # Django listens for a disconnect, and is cancelled when it has answered
        raise AssertionError

    async def send(message: Any) -> None:
        answer.append(message)

    await application(dict(scope), receive, send)
    return answer


def _nothing_new(answer: list[Any]) -> tuple[ChannelName, Position] | None:
    """The channel and position to wait at, when this is a good answer without events."""
    if not answer or answer[0].get("status") != 200:
        return None
    try:
        said = wire.load(b"".join(message.get("body", b"") for message in answer[1:]))
        if said["events"] or not said["recovered"]:
            return None
        return ChannelName.parse(said["channel"]), Position.parse(said["position"])
    except (msgspec.DecodeError, KeyError, TypeError, BadChannel, BadPosition):
        return None


async def _news(name: ChannelName, at: Position, *, seconds: float, receive: Any) -> bool:
    """Wait until the channel goes beyond a position; False when time is up or the client is gone."""
    topic = hub.topic(name)
    news = asyncio.Event()
    topic.waiters.add(news)
    try:
        if not topic.opened:
            await hub.join([topic])
            standing = (await on_executor(history.standings, [str(name)]))[str(name)]
            await hub.open(topic, standing.epoch, standing.head)
        if topic.epoch != at.epoch or topic.head > at.offset:
            return True
        waiting = {asyncio.ensure_future(news.wait()), asyncio.ensure_future(receive())}
        _, pending = await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        return news.is_set()
    finally:
        topic.waiters.discard(news)
        if not topic.subscriptions:
            topic.empty_since = time.monotonic()
