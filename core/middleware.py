"""Security headers on every answer, no copies of private pages, watchers by any name, and the positions that live regions start from."""

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve
from django.utils.decorators import sync_and_async_middleware

from core.ours import is_ours

CSP = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


def _secure(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    if not is_ours(request):
        return response
    response.headers.setdefault("Content-Security-Policy", CSP)
    if _is_private(request):
        response.headers.setdefault("Cache-Control", "no-store")
    return response


def _is_private(request: HttpRequest) -> bool:
    """Whether this page asked for whom it is, and it is somebody: no cache keeps it, nor a browser that others use after her."""
    known = getattr(request, "_cached_user", None) or getattr(request, "_acached_user", None)
    return bool(known and known.is_authenticated)


@sync_and_async_middleware
def security_headers(get_response: Callable[[HttpRequest], HttpResponse | Awaitable[HttpResponse]]):  # type: ignore[no-untyped-def]
    """Put the strict CSP on every answer of ours, the admin's and the API docs' included, and `no-store` on what is somebody's own."""
    if iscoroutinefunction(get_response):

        async def middleware(request: HttpRequest) -> HttpResponse:
            return _secure(request, await get_response(request))

        markcoroutinefunction(middleware)
        return middleware
    return lambda request: _secure(request, get_response(request))  # type: ignore[arg-type]


WATCHED = ("/healthz", "/readyz", "/metrics")


def _watched(request: HttpRequest) -> HttpRequest:
    """The request; where it is a watcher's, its host is that of BASE_URL whatever it says. None of these answers depends on it."""
    if request.path_info in WATCHED and _is_our_health(request.path_info):
        request.get_host = lambda: urlsplit(settings.BASE_URL).netloc  # type: ignore[method-assign]
    return request


def _is_our_health(path: str) -> bool:
    """Whether our own view answers there; in another project it may be one of theirs, which may well use the host."""
    try:
        return resolve(path).func.__module__ == "core.health"
    except Resolver404:
        return False


@sync_and_async_middleware
def watchers(get_response: Callable[[HttpRequest], HttpResponse | Awaitable[HttpResponse]]):  # type: ignore[no-untyped-def]
    """Answer whoever watches this process under any name of it: a container's health check asks 127.0.0.1, Prometheus an address."""
    if iscoroutinefunction(get_response):

        async def middleware(request: HttpRequest) -> HttpResponse:
            answer: HttpResponse = await get_response(_watched(request))
            return answer

        markcoroutinefunction(middleware)
        return middleware
    return lambda request: get_response(_watched(request))


def live_positions(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Give the request `request.live`, which reads positions (see core.live). A view asks it before it reads its data."""
    from core.live import LivePositions

    def middleware(request: HttpRequest) -> HttpResponse:
        request.live = LivePositions(request)  # type: ignore[attr-defined]
        return get_response(request)

    return middleware
