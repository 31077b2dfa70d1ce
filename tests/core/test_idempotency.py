"""One key, one write: also twice at once, and after whatever went wrong. Runs on SQLite, and on Postgres by test_postgres.py."""

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.utils import timezone
from ninja import Router, Status

from core import idempotency
from core.errors import Code, Problem
from core.models import Event, Intent
from tests.core.conftest import Api, stored

NOTE = {"channel": "feed:news", "type": "note", "data": {"text": "Deploy 42"}}

pytestmark = pytest.mark.django_db


def replayed(answer: HttpResponse) -> bool:
    return answer.headers.get("Idempotent-Replayed") == "true"


# One after the other


def test_the_second_request_gets_the_first_answer_and_stores_nothing(feed: Any, alice: Any, api_of: Any) -> None:
    api = api_of(alice)
    first, second = api.post("publish", NOTE, key="k"), api.post("publish", NOTE, key="k")
    assert (replayed(first), replayed(second)) == (False, True)
    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert first.headers["Content-Type"] == second.headers["Content-Type"]
    assert stored().count() == 1


def test_without_a_key_every_request_is_its_own(feed: Any, alice: Any, api_of: Any) -> None:
    api = api_of(alice)
    assert [api.post("publish", NOTE).status_code for _ in range(2)] == [202, 202]
    assert (stored().count(), Intent.objects.count()) == (2, 0)


@pytest.mark.parametrize(
    "change",
    [{"body": {**NOTE, "key": "x"}}, {"path": "publish?a=1"}, {"Title": "Other"}, {"Priority": "5"}, {"content_type": "text/plain"}],
)
def test_another_request_under_the_same_key_is_refused(feed: Any, alice: Any, api_of: Any, problem_of: Any, change: dict[str, Any]) -> None:
    api = api_of(alice)
    api.post("publish", NOTE, key="k", Title="One")
    headers = {"Title": "One", **{name: value for name, value in change.items() if name not in {"body", "path"}}}
    answer = api.post(change.get("path", "publish"), change.get("body", NOTE), key="k", **headers)
    assert problem_of(answer, 409, "key_reused")["field"] == "Idempotency-Key"
    assert stored().count() == 1


def test_a_key_belongs_to_one_token(feed: Any, alice: Any, api_of: Any) -> None:
    assert [replayed(api_of(alice).post("publish", NOTE, key="k")) for _ in range(2)] == [False, False]
    assert stored().count() == 2


@pytest.mark.parametrize("key", ["k", "x" * 128, " ", "~!@#$%^&*()", "9" * 36])
def test_any_printable_key_will_do(feed: Any, alice: Any, api_of: Any, key: str) -> None:
    api = api_of(alice)
    assert [replayed(api.post("publish", NOTE, key=key)) for _ in range(2)] == [False, True]


@pytest.mark.parametrize("key", ["", "x" * 129, "a\tb", "ä", "\x7f", "\u200b"])
def test_a_key_that_is_none_is_refused(feed: Any, alice: Any, api_of: Any, problem_of: Any, key: str) -> None:
    assert problem_of(api_of(alice).post("publish", NOTE, key=key), 422, "invalid")["field"] == "Idempotency-Key"
    assert not stored().exists()


def test_a_refused_request_leaves_its_key_free(feed: Any, alice: Any, api_of: Any) -> None:
    api = api_of(alice)
    assert api.post("publish", {**NOTE, "type": "nope"}, key="k").status_code == 422
    assert not Intent.objects.exists()
    assert api.post("publish", NOTE, key="k").status_code == 202


def test_after_a_day_a_key_is_free_again(feed: Any, alice: Any, api_of: Any) -> None:
    api = api_of(alice)
    api.post("publish", NOTE, key="k")
    assert Intent.objects.get().expires_at > timezone.now() + timedelta(hours=23, minutes=59)
    Intent.objects.update(expires_at=timezone.now())
    assert not replayed(api.post("publish", NOTE, key="k"))
    assert (stored().count(), Intent.objects.count()) == (2, 1)


def test_the_answer_outlives_the_event(feed: Any, alice: Any, api_of: Any) -> None:
    api = api_of(alice)
    first = api.post("publish", NOTE, key="k")
    stored().delete()
    assert api.post("publish", NOTE, key="k").content == first.content
    assert not stored().exists()


def test_keys_whose_time_is_over_are_forgotten(feed: Any, alice: Any, api_of: Any) -> None:
    api = api_of(alice)
    api.post("publish", NOTE, key="old")
    Intent.objects.update(expires_at=timezone.now())
    api.post("publish", NOTE, key="new")
    assert idempotency.forget_expired(now=timezone.now()) == 1
    assert Intent.objects.get().key == "new"


def test_a_long_address_still_has_a_scope_of_its_own(alice: Any) -> None:
    def write(path: str) -> HttpResponse:
        request = RequestFactory().post(path, headers={"Idempotency-Key": "k"})
        return idempotency.once(request, "token:1", lambda: HttpResponse("done", status=202))  # type: ignore[return-value]

    long = "/api/v1/" + "x" * 400
    assert [replayed(write(path)) for path in (long, long + "y", long)] == [False, False, True]


def test_reading_takes_no_key(feed: Any, alice: Any, api_of: Any) -> None:
    api = api_of(alice)
    api.headers["Idempotency-Key"] = "k"
    assert [replayed(api.get("channels/feed:1/events")) for _ in range(2)] == [False, False]


# What breaks in the middle


@pytest.fixture
def breaking(alice: Any, api_of: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., HttpResponse]:
    """An operation that stores an event and then ends as it is told."""
    from core.api import Api as Ninja
    from core.api import guarded
    from core.tokens import Token

    ends: list[Any] = []
    router = Router()

    @router.post("write", response={202: dict, 409: dict})
    def write(request: HttpRequest) -> Any:
        Event.objects.create(channel="feed:1", type="note", data="{}")
        end = ends.pop()
        if isinstance(end, Exception):
            raise end
        return end

    ninja = Ninja(auth=Token(), urls_namespace="breaking", docs_url=None, openapi_url=None)
    ninja.add_decorator(guarded, mode="view")
    ninja.add_router("", router)
    views = {pattern.name: pattern.callback for pattern in ninja.urls[0]}
    token = api_of(alice).headers["Authorization"]

    def post(end: Any, *, key: str | None) -> HttpResponse:
        ends.append(end)
        named = {"Idempotency-Key": key} if key else {}
        return views["write"](RequestFactory().post("/api/v1/write", headers={"Authorization": token, **named}))  # type: ignore[no-any-return]

    return post


@pytest.mark.parametrize("key", [None, "k"])
@pytest.mark.parametrize(
    ("end", "status"),
    [
        (Problem(Code.CONFLICT, "no"), 409),
        (Status(409, {"returned": "as an answer"}), 409),
        (ValueError("a mistake of ours"), 500),
    ],
)
def test_a_write_that_fails_is_undone_as_a_whole(breaking: Any, end: Any, status: int, key: str | None) -> None:
    assert breaking(end, key=key).status_code == status
    assert (stored().count(), Intent.objects.count()) == (0, 0)
    assert breaking(Status(202, {}), key=key).status_code == 202
    assert stored().count() == 1


def test_our_own_mistake_is_logged_and_not_shown(breaking: Any, caplog: pytest.LogCaptureFixture, problem_of: Any) -> None:
    problem = problem_of(breaking(ValueError("secret of ours"), key=None), 500, "internal")
    assert "secret" not in str(problem)
    assert [record.exc_info is not None for record in caplog.records if record.name == "core.errors"] == [True]


def test_a_death_before_the_commit_leaves_nothing(breaking: Any) -> None:
    class Killed(BaseException):
        pass

    def die(*args: Any, **kwargs: Any) -> None:
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(idempotency, "_result_of", die)
        with pytest.raises(Killed):
            breaking(Status(202, {}), key="k")
    assert (stored().count(), Intent.objects.count()) == (0, 0)


# Both at once


def at_once(number: int, act: Callable[[], HttpResponse]) -> list[HttpResponse]:
    """Let several threads act at the same time; each with its own connection, closed at its end."""
    start, answers = threading.Barrier(number), []

    def run() -> None:
        try:
            start.wait()
            answers.append(act())
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


@pytest.mark.django_db(transaction=True)
def test_of_several_at_once_one_writes_and_all_get_its_answer(feed: Any, alice: Any, api_of: Any) -> None:
    token = api_of(alice).headers["Authorization"].split()[1]
    answers = at_once(6, lambda: Api(token).post("publish", NOTE, key="k"))
    assert [answer.status_code for answer in answers] == [202] * 6
    assert sorted(replayed(answer) for answer in answers) == [False] + [True] * 5
    assert len({answer.content for answer in answers}) == 1
    assert stored().count() == 1


@pytest.mark.django_db(transaction=True)
def test_several_with_keys_of_their_own_all_write(feed: Any, alice: Any, api_of: Any) -> None:
    token, keys = api_of(alice).headers["Authorization"].split()[1], iter("abcdef")
    answers = at_once(6, lambda: Api(token).post("publish", NOTE, key=next(keys)))
    assert [(answer.status_code, replayed(answer)) for answer in answers] == [(202, False)] * 6
    assert stored().count() == 6


@pytest.mark.django_db(transaction=True)
def test_while_the_first_is_under_way_the_second_is_told_so(
    feed: Any, alice: Any, api_of: Any, problem_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "WAIT_MS", 100)
    token = api_of(alice).headers["Authorization"].split()[1]
    Api(token).get("channels/feed:1/events")  # so that the note of the token's use is not what waits
    started, finish, answers = threading.Event(), threading.Event(), []

    def slow(*args: Any, **kwargs: Any) -> int:
        started.set()
        assert finish.wait(30)
        return 7

    def first() -> None:
        try:
            answers.append(Api(token).post("publish", NOTE, key="k"))
        finally:
            connection.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("core.api.publish", slow)
        thread = threading.Thread(target=first)
        thread.start()
        assert started.wait(30)
        refused = Api(token).post("publish", NOTE, key="k")
        finish.set()
        thread.join()
    assert problem_of(refused, 409, "in_flight")["field"] == "Idempotency-Key"
    assert refused.headers["Retry-After"] == "1"
    assert [answer.status_code for answer in answers] == [202]
    assert json.loads(Api(token).post("publish", NOTE, key="k").content) == {"id": 7}


@pytest.mark.django_db(transaction=True)
def test_the_second_writes_where_the_first_gave_up(feed: Any, alice: Any, api_of: Any) -> None:
    token = api_of(alice).headers["Authorization"].split()[1]
    with transaction.atomic():
        Intent.objects.create(scope="token:1 /x", key="k", body_hash="", expires_at=timezone.now())
        transaction.set_rollback(True)
    assert not replayed(Api(token).post("publish", NOTE, key="k"))


def test_patience_with_other_writers_is_as_before_afterwards(feed: Any, alice: Any, api_of: Any) -> None:
    def patience() -> Any:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA busy_timeout" if connection.vendor == "sqlite" else "SHOW lock_timeout")
            return cursor.fetchone()[0]

    before = patience()
    api_of(alice).post("publish", NOTE, key="k")
    assert patience() == before
