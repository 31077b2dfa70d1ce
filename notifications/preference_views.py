"""The page on which a person says how she wants to be told, and the link in a mail that says "no more"."""

from collections.abc import Callable
from datetime import time
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from core.models import Profile
from notifications import actions, muting, preferences, rows, unsubscribing
from notifications.errors import BadNotification
from notifications.models import Mute, Priority, PushSubscription, QuietHours, Webhook


@login_required
@require_GET
def page(request: HttpRequest) -> HttpResponse:
    """Categories by ways, quiet hours, what she has muted, her webhook and devices."""
    return _page(request)


def _page(request: HttpRequest, *, error: BadNotification | None = None) -> HttpResponse:
    request.live.read()  # type: ignore[attr-defined]
    me: Any = request.user
    known, muted = preferences.mutable(me), list(Mute.objects.filter(user=me).order_by("channel"))
    names = dict(known)
    context = {
        "lines": preferences.matrix(me),
        "ways": preferences.ways(),
        "quiet": QuietHours.objects.filter(user=me).first(),
        "zone": Profile.objects.filter(user=me).values_list("time_zone", flat=True).first() or "UTC",
        "zones": preferences.time_zones(),
        "mutes": [(mute, _words(names.get(mute.channel, mute.channel))) for mute in muted],
        "mutable": [(name, _words(name)) for channel, name in known if channel not in {mute.channel for mute in muted}],
        "levels": Mute.LEVELS,
        "webhook": Webhook.objects.filter(user=me).first(),
        "shapes": Webhook.SHAPES,
        "devices": PushSubscription.objects.filter(user=me).order_by("-created_at"),
        "error": error,
        "saved": error is None and "saved" in request.GET,
        "tested": int(tested) if (tested := request.GET.get("tested", "")).isascii() and tested.isdigit() and len(tested) < 19 else 0,
    }
    return render(request, "notifications/preferences.html", context, status=422 if error else 200)


def _words(name: str) -> str:
    """A channel as the page names it: "Room: lobby"."""
    kind, _, key = name.partition(":")
    return f"{kind.capitalize()}: {key}"


def _posts(act: Callable[[HttpRequest], None], *, section: str) -> Callable[..., HttpResponse]:
    """The view of a form on the page: does it and leads back to its section, or shows the page again with what was wrong."""

    @login_required
    @require_POST
    def view(request: HttpRequest) -> HttpResponse:
        try:
            act(request)
        except BadNotification as error:
            return _page(request, error=error)
        return HttpResponseRedirect(f"{reverse('preferences')}?saved=1#{section}")

    return view


@login_required
@require_POST
def choose(request: HttpRequest) -> HttpResponse:
    """One cell of the table (with htmx), or all of it."""
    cell, on = request.POST.get("cell"), request.POST.getlist("on")
    if cell is None:
        preferences.choose_all(request.user, on)
        return HttpResponseRedirect(reverse("preferences"))
    category, _, transport = cell.rpartition("/")
    try:
        preferences.choose(request.user, category, transport, enabled=cell in on)
    except BadNotification as error:
        return HttpResponse(str(error), status=422, content_type="text/plain; charset=utf-8")
    return render(request, "notifications/_saved.html")


def _quiet(request: HttpRequest) -> None:
    if request.POST.get("do") == "end":
        actions.end_quiet_hours(request.user)
        return
    start, end = _time_of_day(request, "start"), _time_of_day(request, "end")
    actions.set_quiet_hours(request.user, start, end, time_zone=request.POST.get("time_zone", ""))


def _time_of_day(request: HttpRequest, field: str) -> time:
    text = request.POST.get(field, "")
    try:
        if not (text.isascii() and len(text) in (5, 8)):
            raise ValueError
        made = time.fromisoformat(text)
    except ValueError:
        raise BadNotification("A time of day is written like 22:00.", field=field) from None
    return made.replace(second=0)


def _mute(request: HttpRequest) -> None:
    channel, level = request.POST.get("channel", ""), request.POST.get("level", "")
    if level == muting.EVERYTHING:
        actions.unmute(request.user, channel)
    else:
        actions.mute(request.user, channel, level)


def _webhook(request: HttpRequest) -> None:
    if request.POST.get("do") == "remove":
        preferences.remove_webhook(request.user)
    else:
        preferences.set_webhook(request.user, request.POST.get("url", "").strip(), request.POST.get("shape", ""))


@login_required
@require_POST
def send_test(request: HttpRequest) -> HttpResponse:
    """Tell her something every way that she has switched on, and where to see what became of it."""
    sent = actions.notify(
        request.user,
        title="A test of all ways",
        body="It went every way that is on for “Everything else”. Below stands what became of each.",
        priority=Priority.HIGH,
        key="ways-test",
    )
    return HttpResponseRedirect(f"{reverse('preferences')}?tested={sent.id}")


quiet_hours = _posts(_quiet, section="quiet")
_mute_by_form = _posts(_mute, section="muted")


@login_required
@require_POST
def mute(request: HttpRequest) -> HttpResponse:
    """The form of this page, and the button on the pages of rooms and boards, which can be taken back."""
    if not request.headers.get("HX-Request"):
        return _mute_by_form(request)
    try:
        channel = preferences.readable(request.user, request.POST.get("channel", ""))
        was = muting.level_of(request.user, channel)
        _mute(request)
    except BadNotification as error:
        return HttpResponse(str(error), status=422, content_type="text/plain; charset=utf-8")
    level = request.POST["level"]
    said = rows.undone(1) if request.POST.get("do") == "undo" else muting.undoable(channel, level, was=was)
    return HttpResponse(muting.fragment(channel, level) + said)


@login_required
@require_GET
def muted(request: HttpRequest) -> HttpResponse:
    """The region of that button by itself."""
    request.live.read()  # type: ignore[attr-defined]
    try:
        return HttpResponse(muting.region(request, preferences.readable(request.user, request.GET.get("channel", ""))))
    except BadNotification:
        raise Http404 from None


webhook = _posts(_webhook, section="hook")


@login_required
@require_POST
def remove_device(request: HttpRequest, pk: int) -> HttpResponse:
    """Let one of her browsers have nothing pushed any more; a stranger's is not there."""
    me: Any = request.user
    if pk >= 2**63 or not PushSubscription.objects.filter(pk=pk, user=me).delete()[0]:
        raise Http404
    return HttpResponseRedirect(f"{reverse('preferences')}?saved=1#devices")


@csrf_exempt  # RFC 8058: mail programs post it by themselves, from anywhere; the signed link is what they know
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """The link in a mail. GET asks, so that a program that looks at links changes nothing; POST does it, and can take it back."""
    subscription = unsubscribing.read(token)
    if subscription is None:
        raise Http404
    fixed, done = subscription.transport in subscription.category.mandatory, ""
    if request.method == "POST" and not fixed:
        back = request.POST.get("do") == "back"
        done = "back" if back else "ended"
        (unsubscribing.begin_again if back else unsubscribing.end)(subscription)
    context = {"subscription": subscription, "done": done, "fixed": fixed}
    response = render(request, "notifications/unsubscribe.html", context)
    # The address is the key: it goes into no history of another site, and no search engine keeps it.
    response.headers["Referrer-Policy"], response.headers["X-Robots-Tag"] = "no-referrer", "noindex"
    return response
