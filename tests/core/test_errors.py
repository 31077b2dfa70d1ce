"""The closed list of errors, and how everything that is raised becomes one of them."""

import json
import logging
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation, TooManyFieldsSent, ValidationError
from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpResponse, HttpResponseNotAllowed, HttpResponseServerError, UnreadablePostError
from django.test import RequestFactory
from ninja.errors import AuthenticationError, HttpError

from core import errors
from core.delivery.channel import BadChannel, UnknownKind
from core.delivery.payload import BadPayload
from core.delivery.position import BadPosition
from core.delivery.publishing import Unpublishable
from core.errors import Code, Problem


@pytest.mark.parametrize("code", Code)
def test_every_code_has_an_answer_of_the_same_shape(code: Code, problem_of: Any) -> None:
    answer = errors.answer(Problem(code, "What was wrong.", field="at", allowed=("a", "b")))
    problem = problem_of(answer, code.status, code.code)
    assert (problem["title"], problem["field"], problem["allowed"]) == (code.title, "at", ["a", "b"])
    assert ("Retry-After" in answer.headers) is code.temporary
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_statuses_are_those_of_the_interface() -> None:
    assert {code.status for code in Code} - {400, 405, 500} == {401, 403, 404, 409, 413, 422, 429, 503}


@pytest.mark.parametrize(("wait", "header"), [(0.001, "1"), (1, "1"), (1.2, "2"), (60, "60"), (None, "1")])
def test_retry_after_is_whole_seconds_and_never_too_early(wait: float | None, header: str) -> None:
    assert errors.answer(Problem(Code.TOO_MANY, "Slow down.", retry_after=wait)).headers["Retry-After"] == header


@pytest.mark.parametrize(
    ("error", "code", "field"),
    [
        (BadChannel("x"), Code.INVALID, "channel"),
        (UnknownKind("x"), Code.NOT_FOUND, "channel"),
        (Unpublishable("x"), Code.INVALID, None),
        (BadPayload("x"), Code.INVALID, None),
        (BadPosition("x"), Code.INVALID, "since"),
        (Http404("x"), Code.NOT_FOUND, None),
        (PermissionDenied("x"), Code.FORBIDDEN, None),
        (ValidationError("x"), Code.INVALID, None),
        (ValidationError({"name": ["x"]}), Code.INVALID, "name"),
        (ValidationError({"__all__": ["x"]}), Code.INVALID, None),
        (AuthenticationError(), Code.UNAUTHENTICATED, None),
        (HttpError(409, "x"), Code.CONFLICT, None),
        (HttpError(418, "x"), Code.BAD_REQUEST, None),
        (HttpError(502, "x"), Code.INTERNAL, None),
        (RequestDataTooBig("x"), Code.TOO_LARGE, None),
        (TooManyFieldsSent("x"), Code.BAD_REQUEST, None),
        (SuspiciousOperation("x"), Code.BAD_REQUEST, None),
        (UnreadablePostError("x"), Code.BAD_REQUEST, None),
        (OperationalError("x"), Code.UNAVAILABLE, None),
        (InterfaceError("x"), Code.UNAVAILABLE, None),
        (DataError("x"), Code.INVALID, None),
        (OverflowError("x"), Code.INVALID, None),
        (Problem(Code.CONFLICT, "x", field="f"), Code.CONFLICT, "f"),
    ],
)
def test_known_exceptions_become_their_problem(error: Exception, code: Code, field: str | None) -> None:
    problem = errors.as_problem(error)
    assert problem is not None
    assert (problem.code, problem.field) == (code, field)


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), IntegrityError("x"), RuntimeError("x")])
def test_other_exceptions_are_mistakes_of_ours(error: Exception, problem_of: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert errors.as_problem(error) is None
    with caplog.at_level(logging.ERROR):
        problem = problem_of(errors.handle(RequestFactory().get("/api/v1/x"), error), 500, "internal")
    assert "x" not in problem["detail"].split()
    assert [record.exc_info[1] for record in caplog.records if record.exc_info] == [error]


def test_a_database_that_is_away_is_told_from_a_mistake(
    caplog: pytest.LogCaptureFixture, problem_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.unavailable._said_at", float("-inf"))
    answer = errors.handle(RequestFactory().get("/api/v1/x"), OperationalError("10.0.0.5 refused"))
    assert "10.0.0.5" not in str(problem_of(answer, 503, "unavailable"))
    assert answer.headers["Retry-After"] == "1"
    assert [(record.levelname, record.exc_info) for record in caplog.records] == [("WARNING", None)]
    assert errors.as_problem(OperationalError("no such table: signalbox_event")) is None


def test_an_app_makes_its_own_exceptions_known(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(Exception):
        pass

    class VeryFull(Full):
        pass

    monkeypatch.setattr(errors, "_TRANSLATIONS", dict(errors._TRANSLATIONS))
    errors.translate(Full, lambda error: Problem(Code.CONFLICT, f"Full: {error}"))
    problem = errors.as_problem(VeryFull("no room"))
    assert problem is not None
    assert (problem.code, problem.detail) == (Code.CONFLICT, "Full: no room")


@pytest.mark.parametrize(
    ("text", "shown"),
    [("ops", "'ops'"), ("a\nb", "'a\\nb'"), ("\u202eevil", "'\\u202eevil'"), ("\ud800", "'\\ud800'"), (7, "'7'"), ("é", "'é'")],
)
def test_what_a_client_sent_is_quoted_harmlessly(text: object, shown: str) -> None:
    assert errors.quoted(text) == shown


def test_a_detail_does_not_grow_with_what_was_sent() -> None:
    assert len(errors.quoted("x" * 10_000)) < 80
    assert len(Problem(Code.INVALID, "x" * 10_000).detail) == errors.MAX_DETAIL


# What Django answers by itself


@pytest.mark.parametrize(
    ("response", "status", "code"),
    [
        (HttpResponse("<h1>Bad</h1>", status=400), 400, "bad_request"),
        (HttpResponse("<h1>CSRF</h1>", status=403), 403, "forbidden"),
        (HttpResponse("<h1>None</h1>", status=404), 404, "not_found"),
        (HttpResponseNotAllowed(["POST", "GET"]), 405, "method_not_allowed"),
        (HttpResponse("Length", status=411), 411, "bad_request"),
        (HttpResponseServerError("<h1>Traceback</h1>"), 500, "internal"),
        (HttpResponse("Gateway", status=502), 502, "internal"),
    ],
)
def test_pages_of_errors_under_the_api_become_problems(response: HttpResponse, status: int, code: str) -> None:
    answer = errors.problem_answers(lambda request: response)(RequestFactory().get("/api/v1/x"))
    assert (answer.status_code, json.loads(answer.content)["code"]) == (status, code)
    assert b"<h1>" not in answer.content


@pytest.mark.parametrize(
    ("path", "response"),
    [
        ("/inbox/", HttpResponse("<h1>None</h1>", status=404)),
        ("/api/v1/docs", HttpResponse("<h1>API</h1>")),
        ("/api/v1/x", HttpResponse("{}")),
    ],
)
def test_other_answers_stay_as_they_are(path: str, response: HttpResponse) -> None:
    assert errors.problem_answers(lambda request: response)(RequestFactory().get(path)) is response


async def test_answers_of_async_views_become_problems_too() -> None:
    async def view(request: Any) -> HttpResponse:
        return HttpResponse("<h1>None</h1>", status=404)

    answer = await errors.problem_answers(view)(RequestFactory().get("/api/v1/x"))
    assert json.loads(answer.content)["code"] == "not_found"


@pytest.mark.django_db
def test_a_foreign_host_name_is_a_problem_and_no_alarm(client: Any, caplog: pytest.LogCaptureFixture) -> None:
    answer = client.get("/api/v1/openapi.json", headers={"Host": "evil.example"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/problem+json")
