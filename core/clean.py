"""Bad input that meets no field of a form: NUL in an address, bodies that are no form or too large. 400 or its kin, and no traceback."""

from collections.abc import Callable, Iterator

from django.db import DataError
from django.http import HttpRequest, HttpResponse, QueryDict
from django.template.loader import render_to_string

from core.errors import Code, Problem, answer
from core.http import MAX_BODY
from core.ours import is_ours

API = "/api/"


def _page(status: int) -> Callable[..., HttpResponse]:
    def handler(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
        return HttpResponse(render_to_string(f"{status}.html", request=request), status=status)

    return handler


# Django's own look for the token of a form, although ours show none: a body that cannot be read made a 500 of every 404.
malformed, not_yours, not_there = _page(400), _page(403), _page(404)


def too_large(path: str) -> HttpResponse:
    """The answer to a body over MAX_BODY, which nobody read to its end."""
    if path.startswith(API):
        return answer(Problem(Code.TOO_LARGE, f"A body is at most {MAX_BODY} bytes, and much less at most addresses."))
    return HttpResponse("The request is too large.\n", status=413, content_type="text/plain")


def only_text_cookies(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware, before the session's: cookies that hold NUL (they may spell it "\\000") are none."""

    def middleware(request: HttpRequest) -> HttpResponse:
        for name in [name for name, value in request.COOKIES.items() if "\0" in value or "\0" in name]:
            del request.COOKIES[name]
        return get_response(request)

    return middleware


def only_text(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: a view of ours that broke on a request with NUL is answered 400. Most say themselves what is wrong with a field."""

    def middleware(request: HttpRequest) -> HttpResponse:
        return get_response(request)

    def process_exception(request: HttpRequest, error: Exception) -> HttpResponse | None:
        # Postgres' driver raises ValueError, the server itself DataError.
        if isinstance(error, ValueError | DataError) and is_ours(request) and any("\0" in text for text in _texts(request)):
            return malformed(request, error)
        return None

    middleware.process_exception = process_exception  # type: ignore[attr-defined]
    return middleware


def _texts(request: HttpRequest) -> Iterator[str]:
    yield request.path_info
    for form in (request.GET, request.POST):
        yield from _of(form)


def _of(form: QueryDict) -> Iterator[str]:
    for name, values in form.lists():
        yield name
        yield from (str(value) for value in values)
