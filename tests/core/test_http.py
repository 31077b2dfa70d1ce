"""Django's part of HTTP on threads that stay."""

import asyncio
import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core import signals
from django.db import connection
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import override_settings
from django.urls import path

from core import http

pytestmark = pytest.mark.django_db(transaction=True)

seen: list[Any] = []
gate = threading.Event()


def thread(request: HttpRequest) -> HttpResponse:
    connection.ensure_connection()
    seen.append((threading.get_ident(), id(connection.connection)))
    answer = HttpResponse(request.body or b"nothing")
    answer.set_cookie("one", "1")
    answer.set_cookie("two", "2")
    return answer


def streamed(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(iter([b"a,", b"b"]), content_type="text/csv")


def stuck(request: HttpRequest) -> HttpResponse:
    gate.wait(10)
    return HttpResponse()


def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("a view that fails")


urlpatterns = [path(f"{view.__name__}/", view) for view in (thread, streamed, stuck, broken)] + [path("healthz", thread)]


@pytest.fixture
def handler() -> Iterator[http.Handler]:
    seen.clear()
    gate.clear()
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=[]):
        yield http.Handler()
    gate.set()


async def ask(handler: http.Handler, at: str, *parts: bytes | Iterator[bytes]) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """One request in as many pieces as given: status, headers, body."""
    sent: list[Any] = []
    pieces = itertools.chain.from_iterable([part] if isinstance(part, bytes) else part for part in parts)

    async def receive() -> Any:
        piece = next(pieces, None)
        return {"type": "http.request"} if piece is None else {"type": "http.request", "body": piece, "more_body": True}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST" if parts else "GET", "path": at, "query_string": b"", "headers": [(b"host", b"testserver")]}
    await handler(scope, receive, send)
    assert [message.get("more_body") for message in sent[1:]][-1] is False
    return sent[0]["status"], sent[0]["headers"], b"".join(message["body"] for message in sent[1:])


async def test_a_request_arrives_whole_and_its_answer_leaves_with_every_cookie(handler: http.Handler) -> None:
    status, headers, body = await ask(handler, "/thread/", b"one ", b"two")
    assert (status, body) == (200, b"one two")
    assert [value.split(b"=")[0] for name, value in headers if name == b"Set-Cookie"] == [b"one", b"two"]


@pytest.mark.parametrize("path", ["/thread/", "/api/v1/thread/"])
async def test_a_body_over_the_limit_is_left_where_it_is(handler: http.Handler, path: str) -> None:
    piece = b"x" * (http.MAX_BODY // 4)
    assert (await ask(handler, "/thread/", *[piece] * 2))[0] == 200
    seen.clear()
    taken: list[int] = []

    def endless() -> Iterator[bytes]:
        while True:
            taken.append(1)
            yield piece

    status, headers, _ = await ask(handler, path, endless())
    assert (status, len(taken), seen) == (413, 5, [])
    assert dict(headers)[b"Content-Type"].startswith(b"application/problem+json" if "/api/" in path else b"text/plain")


async def test_requests_one_after_the_other_share_a_thread_and_its_connection(handler: http.Handler) -> None:
    for _ in range(10):
        await ask(handler, "/thread/")
    # Or two: the next may come before the last has put itself down as idle.
    threads = {thread for thread, _ in seen}
    assert len(seen) == 10 and len(threads) <= 2
    if connection.vendor == "sqlite":  # on Postgres a request gives its connection back
        assert len(set(seen)) == len(threads)


async def test_a_stream_is_sent_to_its_end_and_a_failing_view_is_a_500(handler: http.Handler) -> None:
    assert (await ask(handler, "/streamed/"))[2] == b"a,b"
    assert (await ask(handler, "/broken/"))[0] == 500


async def test_the_end_of_a_request_is_told_on_its_own_thread(handler: http.Handler) -> None:
    told: list[int] = []

    def note(**_: Any) -> None:
        told.append(threading.get_ident())

    for signal in (signals.request_started, signals.request_finished):
        signal.connect(note)
    try:
        await ask(handler, "/thread/")
    finally:
        for signal in (signals.request_started, signals.request_finished):
            signal.disconnect(note)
    assert told == [seen[0][0]] * 2


async def test_health_is_answered_while_every_thread_waits(handler: http.Handler, monkeypatch: pytest.MonkeyPatch) -> None:
    with ThreadPoolExecutor(1) as one:
        monkeypatch.setattr(http, "_threads", one)
        waiting = [asyncio.create_task(ask(handler, "/stuck/")) for _ in range(3)]
        assert (await ask(handler, "/healthz"))[0] == 200
        assert not any(task.done() for task in waiting)
        gate.set()
        assert [status for status, _, _ in await asyncio.gather(*waiting)] == [200] * 3


async def test_a_client_that_goes_before_its_request_is_whole_gets_no_view(handler: http.Handler) -> None:
    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        seen.append(message)

    await handler({"type": "http", "method": "GET", "path": "/thread/", "query_string": b"", "headers": []}, receive, send)
    assert not seen
