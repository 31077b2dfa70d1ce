"""The pages of the inbox, the bell, and what their buttons post to."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_GET, require_POST

from notifications import actions, inbox, policy, regions, rows, snoozing, undo
from notifications.broadcasts import actions as broadcasts
from notifications.broadcasts.actions import ensure_item, ensure_items
from notifications.errors import WrongState
from notifications.kinds import counts_html, progress_html
from notifications.models import Broadcast, InboxItem
from notifications.rows import Row
from notifications.snoozing import CHOICES

_KEY_LIMIT = 2**63
NEWEST = 5
_KEYS = (
    ("j", "Next"), ("k", "Previous"), ("Enter", "Open"), ("e", "Archive"), ("b", "Snooze"), ("Shift I", "Mark as read"),
    ("Shift U", "Mark as unread"), ("?", "These keys"),
)  # fmt: skip


@login_required
@require_GET
def inbox_page(request: HttpRequest) -> HttpResponse:
    """A person's inbox: tabs, a filter, the newest rows."""
    request.live.read()  # type: ignore[attr-defined]
    context = _inbox(request)
    return render(request, "notifications/inbox.html", context | {"region": _inbox_region(request, context)})


@login_required
@require_GET
def inbox_list(request: HttpRequest) -> HttpResponse:
    """The live region of the inbox: tabs and list, with the positions they are valid at."""
    request.live.read()  # type: ignore[attr-defined]
    return HttpResponse(_inbox_region(request, _inbox(request), outermost=request.GET.get("channel", "")))


@login_required
@require_GET
def inbox_more(request: HttpRequest) -> HttpResponse:
    """The rows after a place in the list, to be put into it."""
    return render(request, "notifications/_more.html", _inbox(request, after=_place(request.GET.get("after", ""))))


def _inbox_region(request: HttpRequest, context: dict[str, Any], *, outermost: str = "") -> SafeString:
    body = render_to_string("notifications/_inbox.html", context, request)
    return regions.nested(request, body, name="inbox", address=context["address"], outermost=outermost)


def _inbox(request: HttpRequest, *, after: tuple[datetime, int] | None = None) -> dict[str, Any]:
    ensure_items(request.user)
    asked = request.GET.get("q", "")[: inbox.MAX_QUERY].replace("\0", "")
    query = inbox.read_query(request.GET.get("tab", "all"), asked)
    found = inbox.page(inbox.listed(request.user, query, now=timezone.now()), after=after)
    shown = [Row.of_item(item) for item in found[: inbox.PAGE]]
    parameters = {"tab": query.tab} | ({"q": asked} if asked else {})
    return {
        "items": mark_safe("".join(rows.item(row) for row in shown)),
        "query": query,
        "asked": asked,
        "tabs": [(name, words, name == query.tab) for name, words in inbox.TABS.items()],
        "unread": shell_counts(request).unread,
        # New arrivals are put into the lists that they belong to, and into no other.
        "list_id": "inbox-list" if query.tab in ("all", "unread") and not query.filters else "inbox-found",
        "address": f"{reverse('inbox-list')}?{urlencode(parameters)}",
        "read_all": f"{reverse('inbox-read-all')}?{urlencode(parameters)}",
        "bulk": _bulk_button(query, parameters),
        "snoozes": CHOICES.items(),
        "keys": _KEYS,
        "more": f"{reverse('inbox-more')}?{urlencode(parameters | {'after': shown[-1].place})}" if len(found) > inbox.PAGE else "",
    }


def _bulk_button(query: inbox.Query, parameters: dict[str, str]) -> tuple[str, str, str]:
    """What is done to the whole list beside reading it: address, words, icon."""
    verb, words, symbol = {
        "archived": ("unarchived", "Move all to the inbox", "archive-restore"),
        "snoozed": ("unsnoozed", "End all snoozes", "alarm-clock-off"),
    }.get(query.tab, ("archived", "Archive all", "archive"))
    return f"{reverse('inbox-all', args=[verb])}?{urlencode(parameters)}", words, symbol


def _place(text: str) -> tuple[datetime, int]:
    """A place in the list as rows carry it. Raises Http404."""
    at, dash, key = text.partition("-")
    if not (dash and at.isascii() and at.isdigit() and key.isascii() and key.isdigit() and len(at) < 18 and len(key) < 19):
        raise Http404
    try:
        return rows.moment(int(at)), int(key)
    except OverflowError:
        raise Http404 from None


@login_required
@require_GET
def item_page(request: HttpRequest, pk: int) -> HttpResponse:
    """One notification in full, and why she got it. Looking at it is reading it."""
    request.live.read()  # type: ignore[attr-defined]
    item = _item(request, pk)
    _read_by_looking(request, pk)
    context = {"notification": item.notification, "row": Row.of_item(item), "why": _why(request.user, item.notification.audience)}
    return render(request, "notifications/item.html", context | {"buttons": _BUTTONS, "snoozes": CHOICES.items()})


_BUTTONS = (("inbox-unread", "Mark as unread", "mail"), ("inbox-archive", "Archive", "archive"))
_WHOLE = {"all": "everybody got it", "staff": "you are on the staff"}


def _why(user: Any, words: list[str]) -> str:
    """Why she got it: the words of the audience that she is meant by."""
    own = {f"group:{name}": f"you are in {name}" for name in user.groups.values_list("name", flat=True)}
    known = own | _WHOLE | {f"user:{user.get_username()}": "it was sent to you"}
    reasons = [known[word] for word in words if word in known]
    permissions = [f"you have the permission {word.removeprefix('perm:')}" for word in words if word.startswith("perm:")]
    channels = [f"you were looking at {word.removeprefix('watching:')}" for word in words if word.startswith("watching:")]
    return f"You got this because {(reasons + permissions + channels or ['you were chosen'])[0]}."


@login_required
@require_GET
def open_item(request: HttpRequest, pk: int, action: int = 0) -> HttpResponse:
    """Go where a notification leads (or one of its buttons, from 1): acting on it is reading it."""
    notification = _item(request, pk).notification
    addresses = [notification.url or reverse("inbox-item", args=[pk]), *(each["url"] for each in notification.actions)]
    if action >= len(addresses):
        raise Http404
    _read_by_looking(request, pk)
    return HttpResponseRedirect(addresses[action])


def _read_by_looking(request: HttpRequest, pk: int) -> None:
    # A browser that fetches ahead has shown it to nobody yet.
    if "prefetch" not in request.headers.get("Sec-Purpose", ""):
        actions.mark_read(request.user, [pk])


def _item(request: HttpRequest, pk: int) -> InboxItem:
    """A person's own item; whatever else is not there."""
    if pk >= _KEY_LIMIT:
        raise Http404
    ensure_items(request.user)
    ensure_item(request.user, pk)
    item = inbox.held(request.user, now=timezone.now()).select_related("notification__sender").filter(notification=pk).first()
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
        change = actions.change(request.user, [pk], what, until=_until(request, what))
        offer = rows.undoable(request.user, change) if what in ("archived", "snoozed") else ""
        return _answer(request, (rows.gone([pk]) if what in _MOVES else _changed(item)) + offer)

    return view


def _until(request: HttpRequest, what: str) -> datetime | None:
    """Until when she wants to put something off. Raises Http404 where she says no such time."""
    if what != "snoozed":
        return None
    until = snoozing.until(request.POST.get("for", ""), now=timezone.now(), zone=snoozing.zone_of(request.user))
    if until is None:
        raise Http404
    return until


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
    change = actions.change_matching(request.user, query, verb, until=_until(request, verb))
    if not request.headers.get("HX-Request"):
        return HttpResponseRedirect(f"{reverse('inbox')}?{request.GET.urlencode()}")
    request.live.read()  # type: ignore[attr-defined]
    offer = rows.undoable(request.user, change) if verb in undo.WORDS else ""
    return HttpResponse(_inbox_region(request, _inbox(request)) + offer)


def read_all(request: HttpRequest) -> HttpResponse:
    """Mark as read whatever the list shows."""
    return change_all(request, "read")


@login_required
@require_POST
def take_back(request: HttpRequest) -> HttpResponse:
    """Undo. What can be undone no more is passed over: the list shows how it stands."""
    change = undo.read(request.user, request.POST.get("token", ""))
    if change is not None:
        actions.undo(request.user, change)
    return _answer(request, rows.UNDONE)


# --- the bell ---


def shell_counts(request: HttpRequest) -> inbox.Counts:
    """What badge and rail say on this page; counted once, after the positions were noted."""
    if not hasattr(request, "_signalbox_counts"):
        request.live.read()  # type: ignore[attr-defined]
        user = str(request.user.pk)
        request._signalbox_counts = inbox.counts([user], now=timezone.now())[user]  # type: ignore[attr-defined]
    return request._signalbox_counts  # type: ignore[attr-defined,no-any-return]


def bell_region(request: HttpRequest, *, outermost: str = "") -> SafeString:
    """The bell with its badge and panel: the live region that every page has."""
    counts = shell_counts(request)
    body = render_to_string("notifications/_bell.html", {"unseen": counts.unseen, "unread": counts.unread}, request)
    return regions.nested(request, body, name="bell", address=reverse("bell"), outermost=outermost)


@login_required
@require_GET
def bell(request: HttpRequest) -> HttpResponse:
    """The bell's region by itself."""
    return HttpResponse(bell_region(request, outermost=request.GET.get("channel", "")))


@login_required
@require_POST
def panel(request: HttpRequest) -> HttpResponse:
    """The newest rows for the panel. Opening it is seeing them."""
    ensure_items(request.user)
    actions.mark_seen(request.user)
    lines = newest_lines(request, size=inbox.PANEL, prefix="b")
    body = render_to_string("notifications/_panel.html", {"lines": lines}, request)
    return HttpResponse(body + counts_html(shell_counts(request)))


@login_required
@require_GET
def newest(request: HttpRequest) -> HttpResponse:
    """The region of Home's newest rows by itself."""
    return HttpResponse(newest_region(request, outermost=request.GET.get("channel", "")))


def newest_region(request: HttpRequest, *, outermost: str = "") -> SafeString:
    """The newest rows of her inbox, live."""
    request.live.read()  # type: ignore[attr-defined]
    ensure_items(request.user)
    body = render_to_string("notifications/_newest.html", {"lines": newest_lines(request, size=NEWEST, prefix="h")}, request)
    return regions.nested(request, body, name="newest", address=reverse("inbox-newest"), outermost=outermost)


def newest_lines(request: HttpRequest, *, size: int, prefix: str) -> SafeString:
    """The newest rows in short, for a list with this prefix of ids."""
    items = inbox.page(inbox.matching(inbox.of(request.user, now=timezone.now()), inbox.Query()), size=size)[:size]
    return mark_safe("".join(rows.line(Row.of_item(item), prefix=prefix) for item in items))


@login_required
@require_POST
def try_it(request: HttpRequest) -> HttpResponse:
    """Home's "Notify me"."""
    actions.notify(
        request.user,
        title="Here it is",
        body="This came the way everything comes: committed, numbered, pushed. The same by curl stands beside the button.",
        category="try",
        url="/inbox/",
        key="try-it",
    )
    return HttpResponse(status=204) if request.headers.get("HX-Request") else HttpResponseRedirect("/")


# --- broadcasts ---


@login_required
@require_GET
def broadcast_progress(request: HttpRequest, pk: int) -> HttpResponse:
    """How far a broadcast is, live, for those who may send."""
    if not policy.may_broadcast(request.user):
        raise PermissionDenied if request.user.is_staff else Http404
    channel = f"broadcast:{pk}"
    request.live.read(channel)  # type: ignore[attr-defined]
    made = Broadcast.objects.select_related("notification", "sender").filter(pk=pk).first() if pk < _KEY_LIMIT else None
    if made is None:
        raise Http404
    about = {"state": made.state, "total": made.total, "written": made.written}
    context = {"broadcast": made, "channel": channel, "progress": progress_html(pk, about), "refetch": request.path}
    # live.js, asking for the region, gets the region.
    return render(request, f"notifications/{'_broadcast' if request.headers.get('Live-Refetch') else 'broadcast'}.html", context)


_STEERING: dict[str, Callable[..., Broadcast]] = {
    "pause": broadcasts.pause,
    "resume": broadcasts.resume,
    "cancel": broadcasts.cancel,
    "withdraw": partial(broadcasts.cancel, withdraw=True),
}


@login_required
@require_POST
def broadcast_steer(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """Pause, resume, cancel, withdraw. Who comes too late is shown how it stands."""
    if not policy.may_broadcast(request.user):
        raise PermissionDenied if request.user.is_staff else Http404
    made = Broadcast.objects.filter(pk=pk).first() if pk < _KEY_LIMIT else None
    if made is None or verb not in _STEERING:
        raise Http404
    try:
        _STEERING[verb](made, by=request.user)
    except WrongState as error:
        messages.warning(request, str(error))
    if not request.headers.get("HX-Request"):
        return HttpResponseRedirect(reverse("admin:signalbox_notifications_broadcast_progress", args=[pk]))
    made.refresh_from_db()
    return HttpResponse(progress_html(pk, {"state": made.state, "total": made.total, "written": made.written}))
