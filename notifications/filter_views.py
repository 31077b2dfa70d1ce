"""The page of a person's own filters of the inbox: keep one under a name, rename it, delete it."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods

from notifications import actions, inbox
from notifications.actions.filters import MOST, NAME
from notifications.errors import BadNotification
from notifications.models import SavedFilter


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def filters(request: HttpRequest) -> HttpResponse:
    """GET with `tab` and `q`: the form that keeps this filter, above those that she has. POST: save, rename or delete."""
    request.live.read()  # type: ignore[attr-defined]
    if request.method != "POST":
        return _page(request, request.GET)
    try:
        return _do(request)
    except BadNotification as error:
        return _page(request, request.POST, error=error)


def _do(request: HttpRequest) -> HttpResponse:
    said = request.POST
    if said.get("do") == "save":
        made = actions.save_filter(request.user, said.get("name", ""), tab=said.get("tab", "all"), q=said.get("q", ""))
        return HttpResponseRedirect(address_of(made))
    if said.get("do") == "rename":
        found = actions.rename_filter(request.user, _key(said.get("id", "")), said.get("name", ""))
    else:
        found = said.get("do") == "delete" and actions.delete_filter(request.user, _key(said.get("id", "")))
    if not found:
        raise Http404
    return HttpResponseRedirect(reverse("inbox-filters"))


def _key(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Http404
    return int(text)


def _page(request: HttpRequest, said: Any, *, error: BadNotification | None = None) -> HttpResponse:
    mine = list(SavedFilter.objects.filter(user=request.user).order_by("pk"))  # type: ignore[misc]
    q = said.get("q", "")[: inbox.MAX_QUERY].replace("\0", "")
    context = {
        "q": q,
        "tab": inbox.read_query(said.get("tab", "all"), q).tab,
        "name": said.get("name", "")[:NAME] if said.get("do") == "save" else "",
        "mine": [(one, address_of(one)) for one in mine],
        "full": len(mine) >= MOST,
        "most": MOST,
        "error": error,
    }
    return render(request, "notifications/filters.html", context, status=422 if error else 200)


def address_of(one: SavedFilter) -> str:
    """Where a filter leads: the inbox, narrowed so."""
    return f"{reverse('inbox')}?{urlencode({'tab': one.tab, 'q': one.q})}"
