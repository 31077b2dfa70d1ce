"""`GET /live/sse`: the same hub over a stream of server-sent events, for curl, scripts and pages without WebSockets.

`?channel=dashboard:ops&channel=user:alice&as=json`, at most 16 channels; `id:` carries the positions of all of them, so that
`Last-Event-ID` (or `last_event_id=`) resumes. A state channel without a position begins with its present values, a log with what
comes next. See docs/delivery.md.
"""

import asyncio
import contextlib
import logging
import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from django.conf import settings
from django.db import DatabaseError

from core.delivery import history, wire
from core.delivery.arrivals import arrivals
from core.delivery.channel import BadChannel, ChannelName, Keeps, registry
from core.delivery.connection import Connection, Join, Rate
from core.delivery.executor import on_executor
from core.delivery.forms import Form, HtmlForm, JsonForm
from core.delivery.hub import hub
from core.delivery.identity import credential
from core.delivery.origins import header, origin_allowed
from core.delivery.outlet import Outlet, Send
from core.delivery.position import BadPosition, Position
from core.tracing import ids, new_id

logger = logging.getLogger(__name__)

MOST = 16  # channels of one stream
SILENCE = 15.0  # seconds between comments, so that proxies keep the stream open
RETRY_MS = 2000

_ID_PART = re.compile(r"([^=\s]{1,81})=([0-9a-f:]{3,64})", re.ASCII)


class BadStream(ValueError):
    """The request for a stream cannot be met: a status, a code and what would have been right."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.code = status, code


class EventStream(Outlet):
    """An outlet that writes server-sent events and names the positions of its channels with each."""

    def __init__(self, send: Send, *, credit: int, lines: bool) -> None:
        super().__init__(send, credit=credit)
        self.positions: dict[str, str] = {}
        self.ended = asyncio.Event()
        self._begun = False
        self._lines = lines  # JSON form: a line per event, its offset before it

    def send_answer(self, number: int, at: Mapping[str, tuple[str, bool]], refused: Mapping[str, str]) -> None:
        if refused:
            self._refuse(BadStream(404, "not_found", f"There is no channel {', '.join(sorted(refused))} that you may read."))
            return
        self._begin()
        for channel, (position, recovered) in at.items():
            if not recovered:
                epoch, _, head = position.partition(":")
                self.send_resync(wire.signal_resync([channel]), channel, epoch, int(head))

    def send_text(self, text: str) -> None:
        self._write(f"data: {text}\n\n")

    def send_frame(self, text: str, channel: str, epoch: str, end: int) -> None:
        if not self._lines:
            self.positions[channel] = f"{epoch}:{end}"
            self._write(f"id: {self._id()}\ndata: {text}\n\n")
            return
        parts = []
        for line in text.split("\n"):
            offset, _, event = line.partition(" ")
            self.positions[channel] = f"{epoch}:{offset}"
            parts.append(f"id: {self._id()}\ndata: {event}\n\n")
        self._write("".join(parts))

    def send_resync(self, text: str, channel: str, epoch: str, head: int) -> None:
        self.positions[channel] = f"{epoch}:{head}"
        self._write(f"id: {self._id()}\nevent: resync\ndata: {text}\n\n")

    def comment(self) -> None:
        self._write(":\n\n")

    def close(self, code: int, *, retry_ms: int | None = None) -> None:
        """End the response; the client comes back by itself, with its last id."""
        if not self._begun:
            self._refuse(_CLOSED.get(code, _OVERLOADED))
        elif self.has_credit:
            if retry_ms is not None:
                self._write(f"retry: {retry_ms}\n\n")
            self.send({"type": "http.response.body", "body": b"", "more_body": False})
        else:
            self.abort()
        self.ended.set()

    def _begin(self) -> None:
        self._begun = True
        self.send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        self._write(f"retry: {RETRY_MS}\n\n")

    def _refuse(self, error: BadStream) -> None:
        self._begun = True
        for message in refusal(error):
            self.send(message)
        self.ended.set()

    def _size(self, text: str) -> int:
        events = 1 + text.count("\n") if self._lines else 1
        return super()._size(text) + events * (len(self._id()) + 32)  # id: and data:, and the chunk's head

    def _id(self) -> str:
        return " ".join([f"{channel}={position}" for channel, position in self.positions.items()])

    def _write(self, text: str) -> None:
        self.send({"type": "http.response.body", "body": text.encode(), "more_body": True})


def refusal(error: BadStream) -> list[dict[str, Any]]:
    """The ASGI messages of a problem answer."""
    problem = {"type": "about:blank", "title": error.code, "status": error.status, "code": error.code, "detail": str(error)}
    headers = [(b"content-type", b"application/problem+json"), (b"cache-control", b"no-store")]
    if error.status in {429, 503}:
        headers.append((b"retry-after", b"5"))
    return [
        {"type": "http.response.start", "status": error.status, "headers": headers},
        {"type": "http.response.body", "body": wire.dump(problem).encode(), "more_body": False},
    ]


_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx must not collect what is meant to flow
    (b"x-content-type-options", b"nosniff"),
]
_OVERLOADED = BadStream(503, "overloaded", "Come back in a moment.")
_CLOSED = {
    4401: BadStream(401, "session_ended", "The session has ended: sign in again."),
    4403: BadStream(403, "origin", "Streams are for our own pages, and for callers without an Origin."),
    4409: BadStream(429, "too_many_connections", "A newer connection took this one's place."),
    4429: BadStream(429, "too_many_connections", "This address has too many connections."),
}


async def event_stream(scope: Mapping[str, Any], receive: Any, send: Send) -> None:
    """The ASGI application behind /live/sse."""
    try:
        asked = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=64)
        if scope["method"] != "GET":
            raise BadStream(405, "method_not_allowed", "A stream is read by GET.")
        if header(scope, b"origin") is not None and not origin_allowed(scope):
            raise _CLOSED[4403]
        form = _form(asked)
        join = await _join(asked, header(scope, b"last-event-id") or asked.get("last_event_id", [""])[0])
    except (BadStream, ValueError, DatabaseError) as error:
        for message in refusal(_as_refusal(error)):
            await send(message)
        return
    outlet = EventStream(send, credit=settings.CREDIT, lines=isinstance(form, JsonForm))
    connection = Connection(
        outlet=outlet,
        form=form,
        rate=Rate(0, 0),
        max_frame=0,
        max_channels=MOST,
        opened_at=time.monotonic(),
        id=ids().get("request") or new_id(),
        address=(scope.get("client") or ("", 0))[0],
    )
    await _run(connection, outlet, join, scope, receive)


def _as_refusal(error: BadStream | ValueError | DatabaseError) -> BadStream:
    if isinstance(error, DatabaseError):
        logger.warning("a stream was refused, database unreachable: %s", str(error).strip())
        return _OVERLOADED
    return error if isinstance(error, BadStream) else BadStream(422, "bad_query", str(error))


def _form(asked: Mapping[str, list[str]]) -> Form:
    name = asked.get("as", ["html"])[0]
    if name == "json":
        return JsonForm()
    if name == "html":
        return HtmlForm("en")
    raise BadStream(422, "bad_form", "as is html or json.")


async def _join(asked: Mapping[str, list[str]], last_id: str) -> Join:
    wanted = asked.get("channel", [])
    if not 1 <= len(wanted) <= MOST:
        raise BadStream(422, "bad_channels", f"A stream has 1 to {MOST} channels: ?channel=dashboard:ops")
    names = await on_executor(_resolved, wanted)
    return Join(0, await on_executor(_positions, names, last_id), {})


def _resolved(wanted: list[str]) -> list[ChannelName]:
    """The channels by key; people write slugs and user names. Blocking."""
    names = []
    for text in wanted:
        kind_name, _, spoken = text.partition(":")
        try:
            kind = registry.of(ChannelName.parse(f"{kind_name}:0"))
            key = kind.resolve(spoken) if len(spoken) <= 150 else None
            name = ChannelName.parse(f"{kind_name}:{key}")
        except BadChannel:
            raise BadStream(422, "bad_channel", f"A channel is written kind:key; kinds are {', '.join(sorted(registry.kinds))}.") from None
        if name.kind == "system":
            raise BadStream(404, "not_found", "There is no such channel.")
        names.append(name)
    return names


def _positions(names: list[ChannelName], last_id: str) -> dict[ChannelName, Position | None]:
    """Where the stream starts: where the client stands, else a state channel's first kept event, else the head. Blocking."""
    given = {}
    for channel, text in _ID_PART.findall(last_id):
        with contextlib.suppress(BadPosition):
            given[channel] = Position.parse(text)
    standings = history.standings([str(name) for name in names])
    start: dict[ChannelName, Position | None] = {}
    for name in names:
        known = given.get(str(name))
        standing = standings[str(name)]
        if known is None:
            fresh = standing.tail - 1 if registry.of(name).keeps is Keeps.STATE else standing.head
            known = Position(standing.epoch, fresh)
        start[name] = known
    return start


async def _run(connection: Connection, outlet: EventStream, join: Join, scope: Mapping[str, Any], receive: Any) -> None:
    logger.info("stream opened", extra={"connection": connection.id})
    outlet.positions = {str(name): str(position) for name, position in join.at.items() if position is not None}
    try:
        await arrivals.serve(connection, join, credential(scope))
        await _last(connection, outlet, receive)
    finally:
        hub.dismiss(connection)
        logger.info("stream closed", extra={"connection": connection.id})


async def _last(connection: Connection, outlet: EventStream, receive: Any) -> None:
    """Keep the stream open until the client goes or we end it, with a comment in every silence."""
    gone = asyncio.ensure_future(_gone(receive))
    ended = asyncio.ensure_future(outlet.ended.wait())
    try:
        while not gone.done() and not ended.done():
            await asyncio.wait({gone, ended}, timeout=SILENCE, return_when=asyncio.FIRST_COMPLETED)
            if outlet.has_credit and not connection.closing:
                outlet.comment()
    finally:
        gone.cancel()
        ended.cancel()


async def _gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
