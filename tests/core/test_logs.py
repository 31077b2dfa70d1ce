"""What a log line says: which connection, request and job it belongs to; and what it never says."""

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpRequest

from core import jobs, logs
from core.tracing import ids, traced, tracing


def written(message: str, *arguments: Any, error: BaseException | None = None, **extra: Any) -> dict[str, Any]:
    """The line as JSON, read again."""
    info = (type(error), error, error.__traceback__) if error else None
    record = logging.getLogger("core.x").makeRecord("core.x", logging.ERROR, __file__, 1, message, arguments, info, extra=extra)
    text = logs.JsonFormatter().format(record)
    assert "\n" not in text
    return dict(json.loads(text))


def test_a_line_is_one_object_with_its_extras_and_its_traceback():
    try:
        raise RuntimeError('first\n"second"')
    except RuntimeError as error:
        line = written("went %s", "wrong", error=error, channel="user:7", channels=["room:1"], odd=object)
    assert (line["level"], line["logger"], line["message"]) == ("ERROR", "core.x", "went wrong")
    assert (line["channel"], line["channels"], line["odd"]) == ("user:7", ["room:1"], "<class 'object'>")
    assert line["error"].endswith('RuntimeError: first\n"second"')
    assert line["time"].endswith("+00:00")


SECRETS = [
    ("GET /live/sse?last_event_id=hunter22 ended", "GET /live/sse ended"),
    ("postgres://signalbox:hunter22@db:5432/x", "postgres://***@db:5432/x"),
    ("Authorization: Bearer hunter22", "Authorization: ***"),
    ("{'password': 'hunter22'}", "{'password': '***'}"),
    ("Cookie: sessionid=hunter22; csrftoken=hunter22", None),
    ("sessionid_8000=hunter22", "sessionid_8000=***"),
    ("token sbx_hunter22", "token sbx_***"),
    ("/d/hunter22/ticket/", "/d/***/ticket/"),
]


@pytest.mark.parametrize(("said", "instead"), SECRETS)
def test_secrets_are_in_no_line_of_either_form(said: str, instead: str | None):
    record = logging.getLogger("core.x").makeRecord("core.x", logging.INFO, __file__, 1, "%s", (said,), None, extra={"also": [said]})
    both = [logs.LineFormatter().format(record), logs.JsonFormatter().format(record)]
    assert not any("hunter22" in line for line in both)
    if instead:
        assert json.loads(both[1])["message"] == instead


def test_the_installations_own_secrets_are_in_no_line(settings: Any, monkeypatch: pytest.MonkeyPatch):
    settings.SECRET_KEY, settings.VAPID_PRIVATE_KEY, settings.EMAIL_HOST_PASSWORD = "k" * 40, "v" * 43, "short"
    monkeypatch.setattr(logs, "_known_secrets", logs._known_secrets.__wrapped__)
    assert written(f"x{'k' * 40}y {'v' * 43} a short word")["message"] == "x***y *** a short word"


def test_ids_nest_and_end():
    with tracing(request="r1"):
        with tracing(job="j1"):
            assert written("x").items() >= {"request": "r1", "job": "j1"}.items()
        assert "job" not in written("x")
    assert ids() == {}


async def test_a_task_that_outlives_a_connection_does_not_speak_in_its_name():
    async def lasting() -> dict[str, str]:
        return dict(ids())

    with tracing(connection="c1"):
        assert await asyncio.to_thread(lambda: dict(ids())) == {"connection": "c1"}  # a thread that it waits for does
        assert await asyncio.create_task(lasting()) == {}


async def answer_of(scope: dict[str, Any]) -> tuple[dict[str, str], dict[bytes, bytes]]:
    """What the application knew, and the headers that went out."""
    seen: list[dict[str, str]] = []
    sent: list[Any] = []

    async def within(scope: Any, receive: Any, send: Any) -> None:
        seen.append(dict(ids()))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})

    async def send(message: Any) -> None:
        sent.append(message)

    await traced(within)(scope, None, send)  # type: ignore[arg-type]
    return seen[0], dict(sent[0]["headers"])


@pytest.mark.parametrize(
    ("hops", "given", "kept"),
    [
        (0, b"from-a-stranger", False),
        (1, b"from-our-proxy-1", True),
        (1, b"bad\nheader", False),
        (1, b"x" * 65, False),
        (1, b"short", False),
    ],
)
async def test_a_request_is_named_by_our_proxy_or_by_us(settings: Any, hops: int, given: bytes, kept: bool):
    settings.TRUSTED_PROXY_HOPS = hops
    known, headers = await answer_of({"type": "http", "headers": [(b"x-request-id", given)]})
    assert headers[b"x-request-id"].decode() == known["request"]
    assert headers[b"a"] == b"b"
    assert (known["request"] == given.decode()) is kept


@pytest.mark.django_db(transaction=True)
def test_a_job_knows_the_requests_that_woke_it_and_no_more_than_eight(monkeypatch: pytest.MonkeyPatch):
    seen: list[dict[str, str]] = []
    done = jobs.Job("test_woken", lambda: seen.append(dict(ids())), "delivery")
    waker = jobs.Waker(lambda wanted: wanted.run())
    monkeypatch.setitem(jobs._jobs, done.name, done)
    with waker._changed:  # so that it takes all of them at once
        for number in [*range(10), 0]:
            waker.add(done.name, request=f"r{number}")
    assert waker.wait_until_idle(10)
    assert seen == [{"request": ",".join(f"r{number}" for number in range(8)), "job": "test_woken"}]


@pytest.mark.django_db(transaction=True)
def test_a_message_to_a_worker_names_the_request(settings: Any, monkeypatch: pytest.MonkeyPatch):
    sent: list[Any] = []

    class Producer:
        def send_task(self, *arguments: Any, **options: Any) -> None:
            sent.append(options["headers"])

    monkeypatch.setattr(jobs, "_producer", Producer)
    with tracing(request="r1"):
        jobs._send(jobs.job("trim_events"))
    assert sent == [{"woken_by": "r1"}]


def test_what_a_request_wakes_carries_its_id(monkeypatch: pytest.MonkeyPatch):
    given: list[str] = []
    adds: Callable[..., None] = lambda name, request: given.append(request)  # noqa: E731
    monkeypatch.setattr(jobs._Threads, "of", lambda self, wanted: type("Waker", (), {"add": staticmethod(adds)}))
    with tracing(request="r1"):
        jobs._wake_now(jobs.job("trim_events"))
    jobs._wake_now(jobs.job("trim_events"))
    assert given == ["r1", ""]


def test_django_does_not_put_a_request_object_into_a_line():
    assert "request" not in written("x", request=HttpRequest())
