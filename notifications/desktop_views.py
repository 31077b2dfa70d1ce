"""Desktop notifications of a browser: its service worker, its settings, a test, and what is still waiting to be read."""

from pathlib import Path

from django.contrib.auth.decorators import login_required
from django.contrib.staticfiles import finders
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST, require_safe

from notifications import actions, inbox
from notifications.models import Priority

MOST_ASKED = 100


@require_safe
def service_worker(request: HttpRequest) -> HttpResponse:
    """The service worker, at the root: its scope is the folder that it comes from. Never from a cache: a new one takes over at once."""
    found = finders.find("notifications/sw.js")
    if not isinstance(found, str):
        raise Http404
    return HttpResponse(
        Path(found).read_bytes(),
        content_type="text/javascript; charset=utf-8",
        headers={"Cache-Control": "no-cache", "Service-Worker-Allowed": "/", "X-Content-Type-Options": "nosniff"},
    )


@login_required
@require_GET
def device(request: HttpRequest) -> HttpResponse:
    """Whether this browser shows notifications on the desktop."""
    request.live.read()  # type: ignore[attr-defined]
    return render(request, "notifications/device.html")


@login_required
@require_POST
def send_test(request: HttpRequest) -> HttpResponse:
    """Tell her something urgent, the way everything comes: if her desktop shows it, it shows the rest."""
    actions.notify(
        request.user,
        title="This is a test",
        body="It came to every page you have open, and to the desktop of each browser where you turned that on.",
        priority=Priority.HIGH,
        category="try",
        key="desktop-test",
    )
    return HttpResponse(status=204) if request.headers.get("HX-Request") else HttpResponseRedirect(reverse("device"))


@login_required
@require_GET
def waiting(request: HttpRequest) -> HttpResponse:
    """Which of these of hers are still unread: a desktop that was not listening closes the others."""
    ids = [int(text) for text in request.GET.getlist("id")[:MOST_ASKED] if text.isascii() and text.isdigit() and len(text) < 19]
    return JsonResponse({"waiting": inbox.unread_among(request.user, ids, now=timezone.now())})
