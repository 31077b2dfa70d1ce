"""What a log line belongs to: a connection, a request, a job. Set where these begin, carried by the context, read by core.logs.

with tracing(request="4f21c0aa"):
    logger.warning("...")          # the line has request=4f21c0aa; so has whatever a job says that was woken here
"""

import asyncio
import re
import secrets
import weakref
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass
from typing import Any

from django.conf import settings

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

HEADER = b"x-request-id"
_GIVEN = re.compile(r"[A-Za-z0-9-]{8,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Ids:
    """Ids, and the task that they were set in. Tasks inherit the context: the hub's would speak of the connection that started them."""

    named: Mapping[str, str]
    task: "weakref.ref[asyncio.Task[Any]] | None"


_ids: ContextVar[_Ids] = ContextVar("signalbox_ids", default=_Ids({}, None))  # noqa: B039 (frozen)


def ids() -> Mapping[str, str]:
    """What is going on here: `connection`, `request`, `job`, as far as there is one. A thread that a task waits for has the task's."""
    held, here = _ids.get(), _task()
    return held.named if here is None or (held.task is not None and held.task() is here) else {}


def _task() -> "asyncio.Task[Any] | None":
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


def new_id() -> str:
    return secrets.token_hex(4)


@contextmanager
def tracing(**named: str) -> Iterator[None]:
    """Inside the block, and in what it starts, log lines carry these ids as well; an empty one is none."""
    token = _begin(named)
    try:
        yield
    finally:
        _ids.reset(token)


def _begin(named: Mapping[str, str]) -> Token[_Ids]:
    task = _task()
    wanted = {**ids(), **{name: value for name, value in named.items() if value}}
    return _ids.set(_Ids(wanted, weakref.ref(task) if task else None))


def traced(application: Application) -> Application:
    """The application with an id for each WebSocket (`connection`) and each HTTP request (`request`, told in the answer's X-Request-ID)."""

    async def with_ids(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            _begin({"connection": new_id()})  # to the end of this task, which is that of the connection
            await application(scope, receive, send)
        elif scope["type"] == "http":
            request = _given(scope) or new_id()
            with tracing(request=request):
                await application(scope, receive, _telling(send, request))
        else:
            await application(scope, receive, send)

    return with_ids


def _given(scope: Scope) -> str:
    """The id that a proxy of ours gave this request; strangers do not name our log lines."""
    if not settings.TRUSTED_PROXY_HOPS:
        return ""
    text = next((value.decode("latin-1") for name, value in scope["headers"] if name == HEADER), "")
    return text if _GIVEN.fullmatch(text) else ""


def _telling(send: Send, request: str) -> Send:
    async def tell(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), (HEADER, request.encode())]}
        await send(message)

    # What a stream's credit is reckoned from (core.delivery.outlet) is found behind this.
    tell.__wrapped__ = send  # type: ignore[attr-defined]
    return tell
