"""The HTTP API at /api/v1/: what every operation has, the core's own operations, and the routers of the apps: docs/reference/api.md.

An app names its routers in its AppConfig: `api_routers = ["notifications.api.router"]`. Its operations are plain functions; `request.auth`
is the Caller. Every operation is guarded without a word of its own: size and text, token, rate, and for unsafe methods one transaction and
the Idempotency-Key. Errors are raised as `core.errors.Problem`.
"""

import functools
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.apps import apps
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from ninja import Field, NinjaAPI, Router, Status
from ninja.errors import ConfigError
from ninja.params.functions import Path, Query

from core import bodies, errors, idempotency, rates
from core.api_docs import Docs, completed
from core.delivery import history
from core.delivery.channel import BadChannel, ChannelName, Event, Keeps, Kind, registry
from core.delivery.position import Position
from core.delivery.publishing import broadcast_unstored, publish
from core.errors import Code, Problem, quoted
from core.metrics import Counter, Histogram
from core.tokens import Caller, Token, caller_of

ROOT = "/api/v1/"
NEWEST = 50
NAMED = 10  # how many names that would do an error lists
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

REQUESTS = Counter("signalbox_api_requests_total", "Answers of the API.", labels=("operation", "status"))
SECONDS = Histogram("signalbox_api_seconds", "How long operations of the API took.", labels=("operation",))

Run = Callable[..., HttpResponseBase]


class Api(NinjaAPI):
    """ninja with our errors and a description that says what the guard adds."""

    def on_exception(self, request: HttpRequest, exc: Any) -> HttpResponse:
        return errors.handle(request, exc)

    def get_openapi_schema(self, **options: Any) -> Any:
        return completed(super().get_openapi_schema(**options))

    def get_openapi_operation_id(self, operation: Any) -> str:
        return str(operation.view_func.__name__)


def guarded(run: Run) -> Run:
    """Put the guard around one operation: what this module's docstring lists, in that order."""
    operation = getattr(run, "__self__", None)
    if getattr(operation, "is_async", False):
        raise ConfigError("Operations of the API are plain functions.")
    name = operation.view_func.__name__ if operation else run.__name__

    @functools.wraps(run)
    def guard(request: HttpRequest, **values: Any) -> HttpResponseBase:
        start = time.perf_counter()
        try:
            response = _admitted(run, request, values)
        except Exception as error:  # noqa: BLE001 - every exception becomes an answer; handle() logs those that are our mistakes
            response = errors.handle(request, error)
        response.headers.setdefault("Cache-Control", "no-store")
        REQUESTS.inc(operation=name, status=str(response.status_code))
        SECONDS.observe(time.perf_counter() - start, operation=name)
        return response

    return guard


def _admitted(run: Run, request: HttpRequest, values: dict[str, Any]) -> HttpResponseBase:
    bodies.admit(request)
    caller = caller_of(request)
    if caller is None:
        return run(request, **values)  # ninja answers 401, unless the operation is open to all
    rates.check(caller.name, request.path.removeprefix(ROOT))
    if request.method in _SAFE:
        return run(request, **values)
    return idempotency.once(request, caller.name, lambda: run(request, **values))


def _made() -> Api:
    made = Api(
        title="Signalbox",
        version="1",
        description="Live notifications and dashboards for Django teams: what you send here is on the right screens within milliseconds.",
        auth=Token(),
        parser=bodies.Json(),
        docs=Docs(),
        urls_namespace="api",
    )
    made.add_decorator(guarded, mode="view")
    made.add_router("", router)
    for config in apps.get_app_configs():
        for path in getattr(config, "api_routers", ()):
            made.add_router("", path)
    return made


# --- the core's own operations ---

router = Router(tags=["Channels"])


class Publish(bodies.Strict):
    """A raw event."""

    channel: str = Field(description="Where to, as `kind:name`.", examples=["dashboard:ops"], max_length=200)
    type: str = Field(description="An event type that its kind allows to be published raw.", examples=["note"], max_length=40)
    data: dict[str, Any] = Field(default_factory=dict, description="At most 16 KiB of JSON.", examples=[{"text": "Deploy 42 is out"}])
    key: str = Field("", description="On state channels: which entry this is the newest version of.", examples=["deploy"], max_length=128)


class Published(bodies.Strict):
    id: int | None = Field(description="The event's number in the outbox; null for events that are not stored.", examples=[4711])


@router.post(
    "publish",
    response={202: Published},
    summary="Publish a raw event",
    openapi_extra={
        "requestBody": {
            "content": {"application/json": {"example": {"channel": "dashboard:ops", "type": "note", "data": {"text": "Deploy 42 is out"}}}}
        },
        "responses": {202: {"content": {"application/json": {"example": {"id": 4711}}}}},
    },
)
def publish_event(request: HttpRequest, event: Publish) -> Status[dict[str, int | None]]:
    """Put one event on a channel. It is stored when the answer comes, and then on every page that shows the channel.

    Most events have a table behind them and their own calls here (notifications, widgets, broadcasts); those are refused.
    Needs the scope `publish:<channel>`.
    """
    caller = caller_of(request)
    assert caller is not None
    kind, name = _channel(caller, "publish", event.channel)
    if not kind.writable(caller.reader, name.key):
        raise _refusal(caller, kind, name, event.channel)
    type = kind.type(event.type)
    if type is None or not type.raw:
        allowed = [type.name for type in kind.types if type.raw]
        detail = f"{name.kind} channels take no raw event of type {quoted(event.type)}"
        raise Problem(Code.INVALID, f"{detail}; they take {', '.join(allowed) or 'none at all'}.", field="type", allowed=allowed)
    if type.ephemeral:
        broadcast_unstored(str(name), event.type, event.data)
        return Status(202, {"id": None})
    return Status(202, {"id": publish(str(name), event.type, event.data, key=event.key)})


class ChannelEvent(bodies.Strict):
    channel: str = Field(examples=["dashboard:7"])
    position: str = Field(description="Where a reader stands who has seen this event.", examples=["e3f10a2b:41"])
    type: str = Field(examples=["widget.value"])
    key: str = Field(examples=["cpu/total"])
    data: Any = Field(examples=[{"value": 42}])
    at: datetime | None = Field(examples=["2026-11-21T07:10:00Z"])


class CaughtUp(bodies.Strict):
    channel: str = Field(description="The channel by its key, however it was asked for.", examples=["dashboard:7"])
    position: str = Field(description="Give this as `since` the next time.", examples=["e3f10a2b:44"])
    recovered: bool = Field(description="False: `since` is too far back, or not of this database; `events` is where to start again.")
    events: list[ChannelEvent]


@router.get(
    "channels/{channel}/events",
    response=CaughtUp,
    summary="Catch up on a channel without a socket",
    openapi_extra={
        "responses": {
            200: {
                "content": {
                    "application/json": {
                        "example": {"channel": "dashboard:7", "position": "e3f10a2b:44", "recovered": True, "events": []},
                    }
                }
            }
        },
    },
)
def channel_events(
    request: HttpRequest,
    channel: str = Path(description="The channel, by key or slug.", example="dashboard:ops"),
    since: str | None = Query(
        None, example="e3f10a2b:41", description="The position of the answer before; without it the state, or the newest 50 of a log."
    ),
    wait: float = Query(0, ge=0, le=30, description="How many seconds to wait for news. In this release the answer comes at once."),
) -> dict[str, Any]:
    """What a channel carried since a position. Ask again with the position of the answer; cut off answers go on the same way.

    Needs the scope `read:<channel>`. A signed-in browser may ask too, for whatever its person may read.
    """
    caller = caller_of(request)
    assert caller is not None
    kind, name = _channel(caller, "read", channel)
    if not _readable(caller, kind, name):
        raise _missing(caller, kind, channel)
    found, recovered = _since(kind, name, _position(since))
    return {
        "channel": str(name),
        "position": f"{found.epoch}:{found.end}",
        "recovered": recovered,
        "events": _shown(caller, kind, name, found),
    }


def _position(text: str | None) -> Position | None:
    return None if text is None else Position.parse(text)


def _since(kind: Kind, name: ChannelName, position: Position | None) -> tuple[history.Stretch, bool]:
    """What happened after a position, and whether that is the whole of it; else where to start again."""
    if position is not None and position.epoch == history.epoch():
        found = history.stretch(str(name), position.offset)
        if found.kept:
            return found, True
    return _start(kind, name), position is None


def _start(kind: Kind, name: ChannelName) -> history.Stretch:
    if kind.keeps is Keeps.LOG:
        return history.newest(str(name), NEWEST)
    # Position before state: what comes in between is read twice and never missed.
    at = history.positions([str(name)])[str(name)]
    shown = kind.snapshot(name.key)
    events = tuple(Event(at.offset, item["type"], item.get("key", ""), item["data"], item.get("at") or 0.0) for item in shown)
    return history.Stretch(str(name), at.epoch, at.offset, at.offset, at.offset, events, True)


def _shown(caller: Caller, kind: Kind, name: ChannelName, found: history.Stretch) -> list[dict[str, Any]]:
    return [_json(name, found.epoch, event) for event in found.events if _is_for(caller, kind, name, event)]


def _is_for(caller: Caller, kind: Kind, name: ChannelName, event: Event) -> bool:
    return not kind.is_personal(event) or bool(kind.personalise(event, name.key, [caller.reader.user]))


def _json(name: ChannelName, epoch: str, event: Event) -> dict[str, Any]:
    at = datetime.fromtimestamp(event.at, UTC) if isinstance(event.at, int | float) and event.at else None
    return {"channel": str(name), "position": f"{epoch}:{event.offset}", "type": event.type, "key": event.key, "data": event.data, "at": at}


# Slugs and keys, and user names, which may hold @ and +.
_WRITTEN = re.compile(r"(?P<kind>[a-z][a-z0-9_]{0,15}):(?P<name>[A-Za-z0-9._@+-]{1,150})", re.ASCII)


def _channel(caller: Caller, verb: str, written: str) -> tuple[Kind, ChannelName]:
    """The channel that a caller names by key or slug. Raises Problem: no scope (403), no name (422), no such channel (404)."""
    match = _WRITTEN.fullmatch(written)
    if not match:
        raise BadChannel("A channel is written kind:name, for example dashboard:ops.")
    known = {name: kind for name, kind in registry.kinds.items() if not ChannelName(name, "-").internal}
    if match["kind"] not in known:
        detail = f"There is no channel kind {quoted(match['kind'])}; there is {', '.join(sorted(known))}."
        raise Problem(Code.NOT_FOUND, detail, field="channel", allowed=sorted(known))
    kind = known[match["kind"]]
    key = kind.resolve(match["name"])
    caller.require(f"{verb}:{written}", *([f"{verb}:{kind.name}:{key}"] if key is not None else []))
    if key is None:
        raise _missing(caller, kind, written)
    return kind, ChannelName.parse(f"{kind.name}:{key}")


def _readable(caller: Caller, kind: Kind, name: ChannelName) -> bool:
    return (caller.reader, name.key) in kind.readable([caller.reader], [name.key])


def _refusal(caller: Caller, kind: Kind, name: ChannelName, written: str) -> Problem:
    """Who may read a channel is told that she may not write to it; a stranger is told what she would be told if there were none."""
    if _readable(caller, kind, name):
        return Problem(Code.FORBIDDEN, "You may read this channel, but not publish to it.", field="channel")
    return _missing(caller, kind, written)


def _missing(caller: Caller, kind: Kind, written: str) -> Problem:
    would_do = [f"{kind.name}:{name}" for name in kind.names(caller.reader)[:NAMED]]
    detail = f"There is no channel {quoted(written)}, or it is not for you."
    return Problem(Code.NOT_FOUND, f"{detail} There is {', '.join(would_do)}." if would_do else detail, field="channel", allowed=would_do)


api = _made()
