"""The inbox and the bell. One notification's page and its buttons: item_views.py."""

from datetime import datetime
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_GET, require_POST

from core.buttons import pressable
from notifications import actions, inbox, preferences, regions, rows
from notifications.broadcasts.actions import ensure_items
from notifications.filter_views import address_of
from notifications.kinds import counts_html
from notifications.models import SavedFilter
from notifications.rows import Row
from notifications.snoozing import CHOICES

KEY_LIMIT = 2**63
NEWEST = 5
_KEYS = (
    ("j", "Next"), ("k", "Previous"), ("Enter", "Open"), ("e", "Archive"), ("b", "Snooze"), ("Shift I", "Mark as read"),
    ("Shift U", "Mark as unread"), ("z", "Undo"), ("/", "Filter"), ("?", "These keys"),
)  # fmt: skip


@login_required
@require_GET
def inbox_page(request: HttpRequest) -> HttpResponse:
    """A person's inbox: tabs, a filter, the newest rows."""
    request.live.read()  # type: ignore[attr-defined]
    context = inbox_context(request)
    return render(request, "notifications/inbox.html", context | {"region": inbox_region(request, context)})


@login_required
@require_GET
def inbox_list(request: HttpRequest) -> HttpResponse:
    """The live region of the inbox: tabs and list, with the positions they are valid at."""
    request.live.read()  # type: ignore[attr-defined]
    return HttpResponse(inbox_region(request, inbox_context(request), outermost=request.GET.get("channel", "")))


@login_required
@require_GET
def inbox_more(request: HttpRequest) -> HttpResponse:
    """The rows after a place in the list, to be put into it."""
    return render(request, "notifications/_more.html", inbox_context(request, after=_place(request.GET.get("after", ""))))


def inbox_region(request: HttpRequest, context: dict[str, Any], *, outermost: str = "") -> SafeString:
    body = render_to_string("notifications/_inbox.html", context, request)
    return regions.nested(request, body, name="inbox", address=context["address"], outermost=outermost)


def inbox_context(request: HttpRequest, *, after: tuple[datetime, int] | None = None) -> dict[str, Any]:
    ensure_items(request.user)
    asked = request.GET.get("q", "")[: inbox.MAX_QUERY].replace("\0", "")
    query = inbox.read_query(request.GET.get("tab", "all"), asked)
    found = inbox.page(inbox.listed(request.user, query, now=timezone.now()), after=after)
    shown = [Row.of_item(item) for item in found[: inbox.PAGE]]
    parameters = {"tab": query.tab} | ({"q": asked} if asked else {})
    saved = _saved(request.user, query.tab, asked)
    is_saved = any(here for _, _, here in saved)
    return {
        "saved": saved,
        "is_saved": is_saved,
        "keep": f"{reverse('inbox-filters')}?{urlencode(parameters)}" if asked and not is_saved else "",
        "items": mark_safe("".join(rows.item(row) for row in shown)),
        "query": query,
        "asked": asked,
        "tabs": [
            (name, words, name == query.tab and not is_saved, getattr(shell_counts(request), name, None))
            for name, words in inbox.TABS.items()
        ],
        # New arrivals are put into the lists that they belong to, and into no other.
        "list_id": "inbox-list" if query.tab not in ("snoozed", "archived") and not query.filters else "inbox-found",
        "address": f"{reverse('inbox-list')}?{urlencode(parameters)}",
        "read_all": f"{reverse('inbox-read-all')}?{urlencode(parameters)}",
        "bulk": _bulk_button(query, parameters),
        "snooze_all": "" if query.tab in ("snoozed", "archived") else f"{reverse('inbox-all', args=['snoozed'])}?{urlencode(parameters)}",
        "snoozes": CHOICES.items(),
        "keys": _KEYS,
        "more": f"{reverse('inbox-more')}?{urlencode(parameters | {'after': shown[-1].place})}" if len(found) > inbox.PAGE else "",
    }


def _saved(user: Any, tab: str, asked: str) -> list[tuple[str, str, bool]]:
    """Her own filters: name, address, and whether it is the one that is shown."""
    shown = (tab, " ".join(asked.split()))
    mine = SavedFilter.objects.filter(user=user).order_by("pk")
    return [(one.name, address_of(one), (one.tab, one.q) == shown) for one in mine]


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
    context = {"unseen": counts.unseen, "unread": counts.unread, "quiet": preferences.quiet_hours(request.user)}
    body = render_to_string("notifications/_bell.html", context, request)
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


@pressable
@login_required
@require_POST
def try_it(request: HttpRequest) -> HttpResponse:
    """Home's "Notify me"; a notification's button may press it too."""
    actions.notify(
        request.user,
        title="Here it is",
        body="This came the way everything comes: committed, numbered, pushed. The same by curl stands beside the button.",
        category="try",
        url="/inbox/",
        key="try-it",
    )
    return HttpResponse(status=204) if request.headers.get("HX-Request") else HttpResponseRedirect("/")
