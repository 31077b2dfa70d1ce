"""Django's part of HTTP: each request is one piece of work for a thread that stays, with its database connection.

Django's own handler gives every request a new thread, so a new connection to SQLite, and takes it to the event loop and back for each
turn between sync and async. Nothing of ours needs that: what waits (sockets, streams, long polls) never comes here, see core/asgi.py.
"""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import django
from asgiref.sync import sync_to_async
from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.core.handlers.base import BaseHandler
from django.urls import set_script_prefix

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MAX_BODY = 4 * 1024 * 1024  # of any request; each address takes less
THREADS = 64  # made as they are needed; with more requests at once the rest wait
# What must be answered also while every thread waits for a database that hangs.
QUICK = ("/static/", "/healthz", "/readyz", "/metrics")
_threads = ThreadPoolExecutor(THREADS, thread_name_prefix="request")
_quick = ThreadPoolExecutor(4, thread_name_prefix="quick")


class _TooLarge(Exception):
    """A body is over MAX_BODY."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response as it goes out; nothing in it needs the thread any more."""

    status: int
    headers: list[tuple[bytes, bytes]]
    parts: Sequence[bytes]  # at least one


class Handler(ASGIHandler):
    """Django for one HTTP request, from its signals to the end of its response, on one thread."""

    def __init__(self) -> None:
        BaseHandler.__init__(self)
        self.load_middleware(is_async=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # type: ignore[override]
        try:
            body = None if _announced(scope) > MAX_BODY else await self.read_body(receive)
        except RequestAborted:
            return
        if body is None:
            from core.clean import too_large

            return await self._say(_answer(too_large(scope["path"])), send)
        executor = _quick if scope["path"].startswith(QUICK) else _threads
        answer = await sync_to_async(self._answer, thread_sensitive=False, executor=executor)(scope, body)
        await self._say(answer, send)

    async def _say(self, answer: Answer, send: Send) -> None:
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        *parts, last = answer.parts
        for part in parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": last, "more_body": False})

    async def read_body(self, receive: Any) -> Any:
        """The body; None as soon as it is over MAX_BODY: Django writes one to the disk as long as somebody sends it."""
        held = 0

        async def counted() -> Any:
            nonlocal held
            message = await receive()
            held += len(message.get("body") or b"")
            if held > MAX_BODY:
                raise _TooLarge
            return message

        try:
            return await super().read_body(counted)
        except _TooLarge:
            return None

    def _answer(self, scope: Scope, body: Any) -> Answer:
        with body:
            set_script_prefix(get_script_prefix(scope))
            signals.request_started.send(sender=self.__class__, scope=scope)
            request, refused = self.create_request(scope, body)
            response: Any = refused if request is None else self.get_response(request)
            response._handler_class = self.__class__
            try:
                # A page that is streamed is read here to its end, as Django does it for every iterator that is not async.
                return _answer(response)
            finally:
                response.close()  # tells that the request is finished, and so gives the connection back


def _announced(scope: Scope) -> int:
    """How long the body is said to be; 0 where that is not said, or is no number."""
    said = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    return int(said) if said.isdigit() and len(said) < 20 else 0


def _answer(response: Any) -> Answer:
    return Answer(response.status_code, _headers(response, response.cookies), [*response] or [b""])


def _headers(response: Any, cookies: Mapping[str, Any]) -> list[tuple[bytes, bytes]]:
    headers = [(name.encode("ascii"), value.encode("latin-1")) for name, value in response.items()]
    return headers + [(b"Set-Cookie", cookie.output(header="").strip().encode("ascii")) for cookie in cookies.values()]


def application() -> Handler:
    """Set Django up and make its ASGI application."""
    django.setup(set_prefix=False)
    return Handler()
