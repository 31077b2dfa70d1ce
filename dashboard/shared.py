"""Boards opened by a share link, `/d/<token>/`: read-only, live, without signing in. What is not open looks like what is not there."""

from typing import Any, TypeVar

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from core.delivery import tickets
from dashboard import boards, policy, views
from dashboard.models import Widget

Answer = TypeVar("Answer", bound=HttpResponseBase)


@never_cache
@require_GET
def page(request: HttpRequest, token: str) -> HttpResponse:
    """The board, live; `?kiosk=1`: without the bar."""
    context = _region(request, token)
    more = {"shared": True, "ticket": f"/d/{token}/ticket/", "kiosk": request.GET.get("kiosk") == "1", "build": views.build()}
    return _private(render(request, "dashboard/board.html", context | more))


@never_cache
@require_GET
def region(request: HttpRequest, token: str) -> HttpResponse:
    """The region alone, for pages that take it anew."""
    return _private(render(request, "dashboard/_board.html", _region(request, token)))


def _region(request: HttpRequest, token: str) -> dict[str, Any]:
    pk = policy.link_for_guest(token).dashboard_id
    request.live.read(f"dashboard:{pk}")  # type: ignore[attr-defined]
    return {"board": boards.board(pk, now=timezone.now(), base=f"/d/{token}"), "refetch": f"/d/{token}/board/"}


@never_cache
@require_POST
def ticket(request: HttpRequest, token: str) -> JsonResponse:
    """What the page hands in with its next connect; good for a minute."""
    return JsonResponse({"ticket": tickets.make(f"dashboard:{policy.link_for_guest(token).pk}")})


@never_cache
@require_GET
def points(request: HttpRequest, token: str, widget: str) -> HttpResponse:
    """As views.points, for a chart of the shared board."""
    return views.points_of(request, _widget(token, widget))


@never_cache
@require_GET
def table(request: HttpRequest, token: str, widget: str) -> HttpResponse:
    """As views.table, for a widget of the shared board."""
    request.live.read()  # type: ignore[attr-defined]
    return _private(views.table_of(request, _widget(token, widget), base=f"/d/{token}"))


@never_cache
@require_GET
def export(request: HttpRequest, token: str, widget: str) -> HttpResponseBase:
    """As views.export, for a widget of the shared board."""
    return _private(views.export_of(_widget(token, widget)))


def _widget(token: str, slug: str) -> Widget:
    found = policy.link_for_guest(token).dashboard.widgets.filter(policy.at_address(slug)).select_related("dashboard").first()
    if found is None:
        raise Http404
    return found


def _private(response: Answer) -> Answer:
    # The address is the key: it must not travel on in a Referer or into a search engine.
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["X-Robots-Tag"] = "noindex"
    return response
