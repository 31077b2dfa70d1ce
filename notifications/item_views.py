"""One notification: its page, where it leads, and what the buttons on rows and over lists post to."""

from collections.abc import Callable
from datetime import datetime

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape
from django.views.decorators.http import require_GET, require_POST

from core.buttons import may_be_pressed
from notifications import actions, inbox, rows, snoozing, undo, ways, why
from notifications.broadcasts.actions import ensure_item, ensure_items
from notifications.kinds import counts_html
from notifications.models import InboxItem
from notifications.rows import Row
from notifications.snoozing import CHOICES
from notifications.views import KEY_LIMIT, inbox_context, inbox_region, shell_counts


@login_required
@require_GET
def item_page(request: HttpRequest, pk: int) -> HttpResponse:
    """One notification in full, and why she got it. Looking at it is reading it."""
    request.live.read()  # type: ignore[attr-defined]
    item = _item(request, pk)
    _read_by_looking(request, pk)
    context = {"notification": item.notification, "row": Row.of_item(item), "why": why.told(request.user, item.notification.audience)}
    item.refresh_from_db(fields=["seen_at", "read_at"])
    context["ways"] = ways.of_item(item, now=timezone.now())
    return render(request, "notifications/item.html", context | {"buttons": _BUTTONS, "snoozes": CHOICES.items()})


_BUTTONS = (("inbox-unread", "Mark as unread", "mail"), ("inbox-archive", "Archive", "archive"))


@login_required
@require_GET
def open_item(request: HttpRequest, pk: int, action: int = 0) -> HttpResponse:
    """Go where a notification leads (or one of its buttons, from 1): acting on it is reading it.

    A button that is pressed leads to the notification's page: there it can be pressed, from a mail too.
    """
    notification, own = _item(request, pk).notification, reverse("inbox-item", args=[pk])
    addresses = [notification.url or own, *(own if each.get("method") == "post" else each["url"] for each in notification.actions)]
    if action >= len(addresses):
        raise Http404
    _read_by_looking(request, pk)
    return HttpResponseRedirect(addresses[action])


@login_required
@require_POST
def press(request: HttpRequest, pk: int, action: int) -> HttpResponse:
    """Press one of a notification's buttons (from 1): the browser posts on to its address, as it posted here. Pressing is reading."""
    buttons = _item(request, pk).notification.actions[:action][action - 1 :] if action else []
    # Asked again: what may be pressed may have changed since it was sent.
    if not buttons or buttons[0].get("method") != "post" or not may_be_pressed(buttons[0]["url"]):
        raise Http404
    actions.mark_read(request.user, [pk])
    return HttpResponseRedirect(buttons[0]["url"], preserve_request=True)


def _read_by_looking(request: HttpRequest, pk: int) -> None:
    # A browser that fetches ahead has shown it to nobody yet.
    if "prefetch" not in request.headers.get("Sec-Purpose", ""):
        actions.mark_read(request.user, [pk])


def _item(request: HttpRequest, pk: int) -> InboxItem:
    """A person's own item; whatever else is not there."""
    if pk >= KEY_LIMIT:
        raise Http404
    ensure_items(request.user)
    ensure_item(request.user, pk)
    item = inbox.held(request.user, now=timezone.now()).select_related("notification__sender", "user").filter(notification=pk).first()
    if item is None:
        raise Http404
    return item


# --- buttons ---

_VERBS = ("read", "unread", "archived", "unarchived", "snoozed", "unsnoozed")
_MOVES = ("archived", "unarchived", "snoozed", "unsnoozed")  # take a row out of the list that it stands in


def _button(what: str) -> Callable[..., HttpResponse]:
    """The view of a button on a row."""

    @login_required
    @require_POST
    def view(request: HttpRequest, pk: int) -> HttpResponse:
        item = _item(request, pk)
        try:
            change = actions.change(request.user, [pk], what, until=_until(request, what))
        except snoozing.BadTime as error:
            return _bad_time(request, error, of="snooze")
        offer = rows.undoable(request.user, change) if what in _MOVES else ""
        return _answer(request, (rows.gone([pk]) if what in _MOVES else _changed(item)) + offer)

    return view


def _until(request: HttpRequest, what: str) -> datetime | None:
    """Until when she wants to put something off. Raises BadTime for a time of her own that cannot be, Http404 for no such choice."""
    if what != "snoozed":
        return None
    now, choice = timezone.now(), request.POST.get("for", "")
    # Her nine o'clock, and what she types, is the time on the clock before her.
    zone = snoozing.zone_known(request.POST.get("zone", "")[:64]) or snoozing.zone_of(request.user)
    if choice == "own":
        return snoozing.typed(request.POST.get("at", "")[:32], now=now, zone=zone)
    until = snoozing.until(choice, now=now, zone=zone)
    if until is None:
        raise Http404
    return until


def _bad_time(request: HttpRequest, error: snoozing.BadTime, *, of: str) -> HttpResponse:
    """Say so in the dialog that asked; without htmx, on a page."""
    if not request.headers.get("HX-Request"):
        return render(request, "notifications/bad_time.html", {"error": error}, status=422)
    return HttpResponse(f'<hx-partial hx-target="#{of}-error" hx-swap="innerHTML">{escape(str(error))}</hx-partial>', status=422)


def _changed(item: InboxItem) -> str:
    """What a button's own page is answered: the same that her other pages are pushed."""
    item.refresh_from_db(fields=["read_at", "archived_at", "seen_at"])
    return rows.replaced([Row.of_item(item)])


def _answer(request: HttpRequest, fragment: str) -> HttpResponse:
    """The fragment with the counts for htmx; without it, back to the inbox."""
    if not request.headers.get("HX-Request"):
        return HttpResponseRedirect(reverse("inbox"))
    return HttpResponse(fragment + counts_html(shell_counts(request)))


read = _button("read")
unread = _button("unread")
archive = _button("archived")
unarchive = _button("unarchived")
snooze = _button("snoozed")
unsnooze = _button("unsnoozed")


@login_required
@require_POST
def snooze_chosen(request: HttpRequest) -> HttpResponse:
    """The one dialog of the page: the item is in the form."""
    pk = request.POST.get("id", "")
    if not (pk.isascii() and pk.isdigit() and len(pk) < 20):
        raise Http404
    return snooze(request, int(pk))


@login_required
@require_POST
def change_all(request: HttpRequest, verb: str) -> HttpResponse:
    """Do it to whatever the list shows: the tab and filter of the address it is posted to."""
    if verb not in _VERBS:
        raise Http404
    query = inbox.read_query(request.GET.get("tab", "all"), request.GET.get("q", ""))
    ensure_items(request.user)
    try:
        change = actions.change_matching(request.user, query, verb, until=_until(request, verb))
    except snoozing.BadTime as error:
        return _bad_time(request, error, of="snooze-all")
    if not request.headers.get("HX-Request"):
        return HttpResponseRedirect(f"{reverse('inbox')}?{request.GET.urlencode()}")
    request.live.read()  # type: ignore[attr-defined]
    offer = rows.undoable(request.user, change) if verb in undo.WORDS else ""
    return HttpResponse(inbox_region(request, inbox_context(request)) + offer)


def read_all(request: HttpRequest) -> HttpResponse:
    """Mark as read whatever the list shows."""
    return change_all(request, "read")


@login_required
@require_POST
def take_back(request: HttpRequest) -> HttpResponse:
    """Undo, and say how many were taken back. What can be undone no more is passed over: the list shows how it stands."""
    change = undo.read(request.user, request.POST.get("token", ""))
    return _answer(request, rows.undone(actions.undo(request.user, change) if change else 0))
