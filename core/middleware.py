"""Security headers on every answer, and the positions that a page's live regions start from."""

from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware

CSP = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


def _secure(response: HttpResponse) -> HttpResponse:
    response.headers.setdefault("Content-Security-Policy", CSP)
    return response


@sync_and_async_middleware
def security_headers(get_response: Callable[[HttpRequest], HttpResponse | Awaitable[HttpResponse]]):  # type: ignore[no-untyped-def]
    """Put the strict CSP on every answer, the admin's and the API docs' included."""
    if iscoroutinefunction(get_response):

        async def middleware(request: HttpRequest) -> HttpResponse:
            return _secure(await get_response(request))

        markcoroutinefunction(middleware)
        return middleware
    return lambda request: _secure(get_response(request))  # type: ignore[arg-type]


def live_positions(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Give the request `request.live`, which reads positions (see core.live). A view asks it before it reads its data."""
    from core.live import LivePositions

    def middleware(request: HttpRequest) -> HttpResponse:
        request.live = LivePositions(request)  # type: ignore[attr-defined]
        return get_response(request)

    return middleware
