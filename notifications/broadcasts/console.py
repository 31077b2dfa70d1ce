"""The console's pages: compose, its preview and its count, a broadcast's progress and what steers it. For who may send broadcasts."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from notifications import policy, rows, texts
from notifications.audiences import Audience
from notifications.broadcasts import actions, progress
from notifications.broadcasts.compose import Compose
from notifications.broadcasts.showing import grouped, progress_html
from notifications.errors import BadNotification, WrongState
from notifications.models import Broadcast, Notification, Priority, Recurrence
from notifications.rows import Row

SAMPLE = 10
_NOT_WHOM = {"title", "body", "url", "priority", "send_at", "repeats", "zone"}
_KEY_LIMIT = 2**63
_ADMIN = "admin:signalbox_notifications_broadcast"


def check(request: HttpRequest) -> None:
    """Let in who may send broadcasts; for everybody else of the staff it is forbidden, for strangers not there."""
    if not policy.may_broadcast(request.user):
        raise PermissionDenied if getattr(request.user, "is_staff", False) else Http404


def compose(request: HttpRequest, context: Mapping[str, Any], sent: Callable[[Broadcast], None]) -> HttpResponse:
    """The page that composes; a sent one leads to its progress."""
    check(request)
    request.live.read()  # type: ignore[attr-defined]
    form = Compose(request.POST or None, request.FILES or None, sender=request.user)
    if request.method == "POST" and form.is_valid():
        try:
            if "_test" not in request.POST:
                made = form.send(request.user)
                if isinstance(made, Recurrence):
                    messages.success(request, f"“{made.title}” goes out next at {made.next_at:%Y-%m-%d %H:%M} UTC, and again after that.")
                    return HttpResponseRedirect(reverse("admin:signalbox_notifications_recurrence_changelist"))
                sent(made)
                return HttpResponseRedirect(reverse(f"{_ADMIN}_progress", args=[made.pk]))
            form.send_test(request.user)
            messages.success(request, "You have it on your screens, and nobody else.")
        except BadNotification as error:
            # What the actions call deliver_at, this form calls send_at.
            field = {"deliver_at": "send_at"}.get(error.field, error.field)
            form.add_error(field if field in form.fields else None, str(error))
    if form.files and "file" not in form.errors:
        form.add_error("file", "Choose the file again: a page cannot keep it.")
    # Counted without the file, as Send would go from the page that is shown.
    count = _counted(Compose(request.POST, sender=request.user)) if form.is_bound else None
    about = {"form": form, "preview": _preview(request.POST), "count": count}
    return render(request, "notifications/console/compose.html", {**context, **about})


@require_POST
def preview(request: HttpRequest) -> HttpResponse:
    """How it would look: as a toast, a row and a mail."""
    check(request)
    return render(request, "notifications/console/_preview.html", {"preview": _preview(request.POST)})


@require_POST
def count(request: HttpRequest) -> HttpResponse:
    """How many people are meant, ten of them, and what the button says."""
    check(request)
    form = Compose(request.POST, request.FILES, sender=request.user)
    return render(request, "notifications/console/_audience.html", {"count": _counted(form), "swap": True})


def _preview(said: Mapping[str, str]) -> dict[str, Any]:
    try:
        title = texts.line(said.get("title", "") or "Title", field="title", limit=texts.TITLE)
        body = texts.lines(said.get("body", ""), field="body", limit=texts.BODY)
        url = texts.url(said.get("url", ""))
        priority = Priority(int(said.get("priority") or Priority.NORMAL))
    except BadNotification as error:
        return {"wrong": str(error)}
    except ValueError:
        return {"wrong": "There is no such priority."}
    shown = Notification(pk=0, title=title, body=body, url=url, priority=priority, category="broadcast", markdown=True)
    row = Row.of(shown, arrived_at=timezone.now())
    quiet = priority <= Priority.LOW
    return {"said": shown, "toast": "" if quiet else rows.toast(row), "row": rows.item(row)}


def _counted(form: Compose) -> dict[str, Any]:
    form.is_valid()
    meant = form.cleaned_data.get("meant")
    if meant is None:
        wrong = [
            str(error)
            for name, found in form.errors.items()
            if name not in ("title", "body", "url", "send_at", "repeats", "zone")
            for error in found
        ]
        return {"wrong": " ".join(wrong[:3]) or "Choose whom it is for."}
    try:
        return _people(meant)
    except BadNotification as error:
        return {"wrong": str(error)}


def _people(meant: Audience) -> dict[str, Any]:
    people = meant.people()
    total = people.count()
    sample = [user.get_username() for user in people.order_by("pk")[:SAMPLE]]
    return {
        "total": total,
        "words": grouped(total),
        "sample": sample,
        "more": grouped(max(total - len(sample), 0)),
        "shown": meant.shown[:20],
    }


# --- one broadcast ---


@require_GET
def broadcast_progress(request: HttpRequest, pk: int) -> HttpResponse:
    """How far a broadcast is, live."""
    check(request)
    channel = f"broadcast:{pk}"
    request.live.read(channel)  # type: ignore[attr-defined]
    made = _found(pk)
    shown = progress_html(pk, progress.about(made))
    context = {"broadcast": made, "channel": channel, "progress": shown, "refetch": request.path, "trail": progress.trail(made)}
    # live.js, asking for the region, gets the region.
    return render(request, f"notifications/{'_broadcast' if request.headers.get('Live-Refetch') else 'broadcast'}.html", context)


_STEERING: dict[str, Callable[..., Broadcast]] = {
    "pause": actions.pause,
    "resume": actions.resume,
    "cancel": actions.cancel,
    "withdraw": partial(actions.cancel, withdraw=True),
}


@require_POST
def broadcast_steer(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """Pause, resume, cancel, withdraw. Who comes too late is shown how it stands."""
    check(request)
    made = _found(pk)
    if verb not in _STEERING:
        raise Http404
    try:
        _STEERING[verb](made, by=request.user)
    except WrongState as error:
        messages.warning(request, str(error))
    if not request.headers.get("HX-Request"):
        return HttpResponseRedirect(reverse(f"{_ADMIN}_progress", args=[pk]))
    return HttpResponse(progress_html(pk, progress.about(_found(pk))))


def _found(pk: int) -> Broadcast:
    made = Broadcast.objects.select_related("notification", "sender").filter(pk=pk).first() if pk < _KEY_LIMIT else None
    if made is None:
        raise Http404
    return made
