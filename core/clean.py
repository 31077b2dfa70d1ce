"""NUL in an address or a form is 400 and no mistake of ours: Postgres takes it in no text, and no page has a use for it."""

from collections.abc import Callable, Iterator

from django.core.exceptions import BadRequest
from django.db import DataError
from django.http import HttpRequest, HttpResponse, QueryDict
from django.views.defaults import bad_request

from core.ours import is_ours


def only_text(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: a view of ours that broke on a request with NUL is answered 400. Most say themselves what is wrong with a field."""

    def middleware(request: HttpRequest) -> HttpResponse:
        return get_response(request)

    def process_exception(request: HttpRequest, error: Exception) -> HttpResponse | None:
        # Postgres' driver raises ValueError, the server itself DataError.
        if isinstance(error, ValueError | DataError) and is_ours(request) and any("\0" in text for text in _texts(request)):
            return bad_request(request, BadRequest("The request holds NUL."))
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
