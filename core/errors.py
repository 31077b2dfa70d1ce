"""The closed list of errors that a client of the API can meet, and the one place where they become answers: docs/reference/api.md.

Raise `Problem(Code.X, "what was wrong, what would have been right", field=..., allowed=...)` anywhere below an API operation; what was
written before it is rolled back. Exceptions of an app's own are made known by `translate()` in its `AppConfig.ready`.
"""

import json
import logging
from collections.abc import Awaitable, Callable, Iterable
from enum import Enum
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation, ValidationError
from django.core.signals import got_request_exception
from django.db import DataError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware
from django.views.decorators.csrf import csrf_exempt
from ninja.errors import AuthenticationError, HttpError
from ninja.errors import ValidationError as NinjaValidationError

from core.delivery.channel import BadChannel, UnknownKind
from core.delivery.payload import BadPayload
from core.delivery.position import BadPosition
from core.delivery.publishing import Unpublishable
from core.ours import is_ours
from core.unavailable import is_away, note

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
PREFIX = "/api/"
DOCS = "/api/v1/docs"
MAX_DETAIL = 600


class Code(Enum):
    """Every error there is: its status, its title, and whether the same request may succeed later."""

    BAD_REQUEST = 400, "This is not a request that can be read", False
    UNAUTHENTICATED = 401, "A valid token is needed", False
    FORBIDDEN = 403, "You may not do this", False
    SCOPE_MISSING = 403, "The token's scopes do not cover this", False
    NOT_FOUND = 404, "There is no such thing, or not for you", False
    METHOD_NOT_ALLOWED = 405, "This address does not take this method", False
    CONFLICT = 409, "This clashes with what is there", False
    KEY_REUSED = 409, "The Idempotency-Key was used for another request", False
    IN_FLIGHT = 409, "The first request with this Idempotency-Key has not ended", True
    TOO_LARGE = 413, "The body is too large", False
    INVALID = 422, "The request is not valid", False
    AMBIGUOUS = 422, "The name means several things", False
    BAD_JSON = 422, "The body is not JSON", False
    NOT_TEXT = 422, "The text cannot be carried", False
    CONTENT_TYPE = 422, "The body's content type is not taken here", False
    TOO_MANY = 429, "Too many requests", True
    INTERNAL = 500, "Something broke on our side", True
    UNAVAILABLE = 503, "Not available just now", True

    def __init__(self, status: int, title: str, temporary: bool) -> None:
        self.status, self.title, self.temporary = status, title, temporary

    @property
    def code(self) -> str:
        return self.name.lower()


class Problem(Exception):
    """One error on its way to a client. `detail` says what was wrong and what would be right; `allowed` names what would do."""

    def __init__(
        self, code: Code, detail: str, *, field: str | None = None, allowed: Iterable[str] = (), retry_after: float | None = None
    ) -> None:
        super().__init__(detail)
        self.code, self.field, self.allowed = code, field, list(allowed)
        self.detail = detail if len(detail) <= MAX_DETAIL else f"{detail[: MAX_DETAIL - 3]}..."
        self.retry_after = retry_after if retry_after is not None or not code.temporary else 1


def quoted(text: object, *, most: int = 60) -> str:
    """What a client sent, as it may stand in a detail: cut short, with whatever is not printable escaped."""
    shown = str(text)
    return ascii(shown if len(shown) <= most else shown[:most] + "...") if not shown.isprintable() else repr(shown[:most])


# --- exceptions that are not Problems yet ---

Translation = Callable[[Exception], Problem]


def _validation(error: Exception) -> Problem:
    assert isinstance(error, NinjaValidationError)
    shown = [(_field(item), _sentence(item)) for item in error.errors[:3]]
    more = len(error.errors) - len(shown)
    sentences = [f"{field} {text}" if text.startswith("is ") else f"{field}: {text}" for field, text in shown]
    detail = "; ".join(sentences) + (f"; and {more} more." if more else ".")
    return Problem(Code.INVALID, detail, field=shown[0][0] or None, allowed=_allowed(error.errors[0]))


def _field(item: dict[str, Any]) -> str:
    source, *path = item.get("loc") or ("",)
    # ninja names a JSON body after the function's parameter: body.payload.value is what the client calls value.
    named: list[Any] = path[1:] if source in {"body", "form"} and len(path) > 1 else path
    return ".".join(str(part) for part in named)[:120]


def _sentence(item: dict[str, Any]) -> str:
    ours = {"missing": "is needed", "extra_forbidden": "is no field of this body"}.get(str(item.get("type")))
    return ours or str(item.get("msg", "is not valid")).removeprefix("Value error, ").rstrip(".")


def _allowed(item: dict[str, Any]) -> list[str]:
    expected = str(item.get("ctx", {}).get("expected", ""))
    return [word.strip(" '") for word in expected.replace(" or ", ",").split(",") if word.strip(" '")]


def _http(error: Exception) -> Problem:
    assert isinstance(error, HttpError)
    if isinstance(error.__cause__, Problem):
        return error.__cause__
    return Problem(of_status(error.status_code), str(error))


def _django_validation(error: Exception) -> Problem:
    assert isinstance(error, ValidationError)
    field = next(iter(error.message_dict), None) if hasattr(error, "error_dict") else None
    return Problem(Code.INVALID, " ".join(error.messages), field=None if field == "__all__" else field)


def _always(code: Code, detail: str, *, field: str | None = None) -> Translation:
    return lambda error: Problem(code, detail, field=field)


def _saying(code: Code, *, field: str | None = None) -> Translation:
    return lambda error: Problem(code, str(error), field=field)


def _away(error: Exception) -> Problem:
    note(error)
    return Problem(Code.UNAVAILABLE, "The database is busy or away. Nothing was stored; send it again.")


def _logged(code: Code, detail: str) -> Translation:
    def translation(error: Exception) -> Problem:
        logger.warning("The database refused: %s", type(error).__name__)
        return Problem(code, detail)

    return translation


_TRANSLATIONS: dict[type[Exception], Translation] = {
    NinjaValidationError: _validation,
    AuthenticationError: _always(Code.UNAUTHENTICATED, "Send a token: Authorization: Bearer sbx_..."),
    HttpError: _http,
    Http404: _always(Code.NOT_FOUND, "There is nothing here, or nothing that you may see."),
    PermissionDenied: _always(Code.FORBIDDEN, "You may see this, but not change it."),
    ValidationError: _django_validation,
    RequestDataTooBig: _always(Code.TOO_LARGE, "The body is too large."),
    UnreadablePostError: _always(Code.BAD_REQUEST, "The body broke off."),
    SuspiciousOperation: _always(Code.BAD_REQUEST, "The request is malformed."),
    BadChannel: _saying(Code.INVALID, field="channel"),
    UnknownKind: _saying(Code.NOT_FOUND, field="channel"),
    Unpublishable: _saying(Code.INVALID),
    BadPayload: _saying(Code.INVALID),
    BadPosition: _saying(Code.INVALID, field="since"),
    DataError: _logged(Code.INVALID, "The database cannot store such a value."),
    OverflowError: _logged(Code.INVALID, "A number is too large."),
}


def translate(exception: type[Exception], translation: Translation) -> None:
    """Say how an app's own exception becomes a Problem. Subclasses follow, unless they are named themselves."""
    _TRANSLATIONS[exception] = translation


def as_problem(error: Exception) -> Problem | None:
    """The Problem that an exception means, or None when it is a mistake of ours."""
    if isinstance(error, Problem):
        return error
    if is_away(error):
        return _away(error)
    for cls in type(error).__mro__:
        if cls in _TRANSLATIONS:
            return _TRANSLATIONS[cls](error)
    return None


def of_status(status: int) -> Code:
    """The plainest code of a status."""
    plain = {403: Code.FORBIDDEN, 409: Code.CONFLICT, 422: Code.INVALID}
    same = [code for code in Code if code.status == status]
    return plain.get(status) or (same[0] if same else Code.INTERNAL if status >= 500 else Code.BAD_REQUEST)


# --- answers ---


def body_of(problem: Problem) -> dict[str, object]:
    """What a client reads: the members of RFC 9457, and ours."""
    return {
        "type": f"{DOCS}#{problem.code.code}",
        "title": problem.code.title,
        "status": problem.code.status,
        "code": problem.code.code,
        "field": problem.field,
        "detail": problem.detail,
        "allowed": problem.allowed,
    }


def answer(problem: Problem) -> HttpResponse:
    """The HTTP answer for a problem."""
    response = HttpResponse(json.dumps(body_of(problem)), status=problem.code.status, content_type=MEDIA_TYPE)
    response.headers["Cache-Control"] = "no-store"
    if problem.retry_after is not None:
        response.headers["Retry-After"] = str(max(1, -int(-problem.retry_after // 1)))
    if problem.code.status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="Signalbox"'
    return response


def handle(request: HttpRequest, error: Exception) -> HttpResponse:
    """Answer any exception of an operation. What is a mistake of ours is logged with its traceback and told without."""
    problem = as_problem(error)
    if problem is None:
        logger.error("An API operation broke: %s %s", request.method, request.path, exc_info=error)
        got_request_exception.send(sender=None, request=request)
        problem = Problem(Code.INTERNAL, "This is our mistake, and it is logged. Nothing was stored.")
    return answer(problem)


@csrf_exempt
def unknown_path(request: HttpRequest) -> HttpResponse:
    """What every address under /api/ answers that no operation has."""
    return answer(_no_address(request))


def _no_address(request: HttpRequest) -> Problem:
    return Problem(Code.NOT_FOUND, f"There is no address {quoted(request.path)} in this API. All of them: {DOCS}")


def _as_problem_answer(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    if not request.path.startswith(PREFIX) or response.status_code < 400 or response.headers.get("Content-Type") == MEDIA_TYPE:
        return response
    if not is_ours(request):
        return response
    made = answer(_problem_of(request, response))
    made.status_code = response.status_code
    if "Allow" in response.headers:
        made.headers["Allow"] = response.headers["Allow"]
    return made


def _problem_of(request: HttpRequest, response: HttpResponseBase) -> Problem:
    """The problem that an answer of Django's or ninja's own means."""
    if response.status_code == 404:
        return _no_address(request)
    if response.status_code == 405:
        methods = sorted(method.strip() for method in response.headers["Allow"].split(","))
        return Problem(Code.METHOD_NOT_ALLOWED, f"{request.method} does nothing here; use {', '.join(methods)}.", allowed=methods)
    return Problem(of_status(response.status_code), "The request was refused before it reached the API.")


@sync_and_async_middleware
def problem_answers(get_response: Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]):  # type: ignore[no-untyped-def]
    """See to it that every error under /api/ is a problem, also those that Django makes before or around an operation."""
    if iscoroutinefunction(get_response):

        async def middleware(request: HttpRequest) -> HttpResponseBase:
            return _as_problem_answer(request, await get_response(request))

        markcoroutinefunction(middleware)
        return middleware
    return lambda request: _as_problem_answer(request, get_response(request))  # type: ignore[arg-type]
