"""The pages of boards. Positions first, data after; what somebody may not see is not there."""

import csv
import hashlib
import heapq
from collections.abc import Callable, Iterator
from functools import cache
from itertools import chain, islice
from operator import itemgetter
from typing import Any

from django.contrib.auth.decorators import login_required
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import get_language
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from core import errors
from core.delivery import presence
from core.errors import Code, Problem
from core.places import source_folders
from core.shared import Shared
from dashboard import boards, history, home, policy, summaries, values, widgets
from dashboard.models import Dashboard, Favourite, Role, Sample, Widget
from dashboard.widgets.figures import exact

MOST_BOARDS = 200
TABLE_ROWS = 500
TABLE_HOURS = 31 * 24  # older than those, by their means
WIDTHS = (50, 4000)
MOST_POINTS = 50_000

_refetched: Shared[str] = Shared()


@require_GET
def board_list(request: HttpRequest) -> HttpResponse:
    """The boards that this person, or a guest, may see; `?q=` narrows."""
    request.live.read()  # type: ignore[attr-defined]
    query = request.GET.get("q", "").replace("\0", "").strip()[:100]
    rows = _found(policy.visible_dashboards(request.user), query)
    starred = Favourite.objects.filter(dashboard=OuterRef("pk"), user=request.user.pk)
    rows = rows.annotate(starred=Exists(starred), widget_count=Count("widgets")).order_by("-starred", "title", "pk")
    return render(request, "dashboard/list.html", {"rows": rows[:MOST_BOARDS], "query": query})


def _found(rows: QuerySet[Dashboard], query: str) -> QuerySet[Dashboard]:
    for word in query.split()[:8]:
        rows = rows.filter(Q(title__icontains=word) | Q(description__icontains=word) | Q(slug__icontains=word))
    return rows


@never_cache
@require_GET
def board_page(request: HttpRequest, slug: str) -> HttpResponse:
    """A board, live. `?kiosk=1`: without the shell around it."""
    watching = _watching(request, policy.dashboard_for_reader(request.user, slug))
    shown = _live_board(request, slug)
    starred = Favourite.objects.filter(dashboard=shown.dashboard, user=request.user.pk).exists()
    kiosk = {"kiosk": request.GET.get("kiosk") == "1", "build": build()}
    rights = {"starred": starred, "may_edit": policy.level_of(request.user, shown.dashboard) >= Role.Level.EDIT}
    return render(request, "dashboard/board.html", _region(shown) | kiosk | rights | {"watching": watching})


@never_cache
@require_GET
def board_watching(request: HttpRequest, slug: str) -> HttpResponse:
    """Who watches a board, alone, for pages that take it anew."""
    watching = _watching(request, policy.dashboard_for_reader(request.user, slug))
    return render(request, "dashboard/_watching.html", {"watching": watching})


def _watching(request: HttpRequest, dashboard: Dashboard) -> dict[str, Any] | None:
    """The people on a board; guests are not told of them."""
    if not request.user.is_authenticated:
        return None
    channel = f"presence:dashboard.{dashboard.pk}"
    request.live.read(channel)  # type: ignore[attr-defined]
    people = [{"name": who, "id": presence.face_id(who), "letter": who[:1].upper()} for who in presence.people(dashboard.channel)]
    return {"channel": channel, "refetch": f"/dashboards/{dashboard.pk}/watching/", "people": people}


@cache
def build() -> str:
    """What this process was started from: a kiosk that meets another after a deploy loads itself anew."""
    files = sorted(path for folder in source_folders() for path in folder.rglob("*") if path.suffix in {".html", ".css", ".js", ".py"})
    known = "".join(f"{path.name}{path.stat().st_size}{path.stat().st_mtime_ns}" for path in files)
    return hashlib.sha256(known.encode()).hexdigest()[:12]


@never_cache
@require_GET
def board_region(request: HttpRequest, slug: str) -> HttpResponse:
    """The region of a board alone, for pages that take it anew; a crowd of them at once is one rendering."""
    if "Live-Refetch" not in request.headers:
        return render(request, "dashboard/_board.html", _region(_live_board(request, slug)))
    pk = policy.dashboard_for_reader(request.user, slug).pk
    request.live.read(f"dashboard:{pk}")  # type: ignore[attr-defined]
    at = request.live.position(f"dashboard:{pk}")  # type: ignore[attr-defined]

    def rendered() -> str:
        return render_to_string("dashboard/_board.html", _region(boards.board(pk, now=timezone.now())), request=request)

    return HttpResponse(_refetched.get((pk, at, get_language()), rendered))


def _live_board(request: HttpRequest, slug: str) -> boards.Board:
    pk = policy.dashboard_for_reader(request.user, slug).pk
    # The position before everything that the region shows, so the board itself is read again after it.
    request.live.read(f"dashboard:{pk}")  # type: ignore[attr-defined]
    return boards.board(pk, now=timezone.now())


def _region(shown: boards.Board) -> dict[str, Any]:
    return {"board": shown, "refetch": f"/dashboards/{shown.dashboard.pk}/board/"}


@never_cache
@require_GET
def widget_tile(request: HttpRequest, slug: str, widget: str) -> HttpResponse:
    """One widget as `{% live_widget %}` shows it, for pages that take it anew."""
    pk = policy.widget_for_reader(request.user, slug, widget).pk
    return render(request, "dashboard/_live_widget.html", live_tile(request, Widget.objects.get(pk=pk)))


def live_tile(request: HttpRequest, widget: Widget) -> dict[str, Any]:
    """What `_live_widget.html` shows; reads the position first."""
    channel = f"dashboard:{widget.dashboard_id}"
    request.live.read(channel)  # type: ignore[attr-defined]
    (tile,) = boards.tiles(Widget.objects.filter(pk=widget.pk).select_related("dashboard"), now=timezone.now())
    return {"request": request, "channel": channel, "tile": tile, "refetch": f"{tile.lasting}/tile/"}


@never_cache
@require_GET
def board_mini(request: HttpRequest, slug: str) -> HttpResponse:
    """A board in small, as the home page shows it, for pages that take it anew."""
    chosen = policy.dashboard_for_reader(request.user, slug)
    (mini,) = home.minis(request, [chosen])["minis"]
    return render(request, "dashboard/_mini.html", {"mini": mini})


@login_required
@require_POST
def favourite(request: HttpRequest, slug: str) -> HttpResponse:
    """Star a board (`starred=1`) or no longer (`starred=0`)."""
    dashboard = policy.dashboard_for_reader(request.user, slug)
    starred = request.POST.get("starred") == "1"
    mine: dict[str, Any] = {"user_id": request.user.pk, "dashboard": dashboard}
    if starred:
        Favourite.objects.get_or_create(**mine)
    else:
        Favourite.objects.filter(**mine).delete()
    if not request.htmx:  # type: ignore[attr-defined]
        return redirect(dashboard)
    return render(request, "dashboard/_star.html", {"dashboard": dashboard, "starred": starred})


# --- what is kept of one widget ---


@never_cache
@require_GET
def points(request: HttpRequest, slug: str, widget: str) -> HttpResponse:
    """A stretch of a widget's history for a chart; the answer's shape is at the head of core/static/core/charts.js."""
    return points_of(request, policy.widget_for_reader(request.user, slug, widget))


def points_of(request: HttpRequest, found: Widget) -> HttpResponse:
    try:
        start, end, width = _span(request)
    except Problem as problem:
        return errors.answer(problem)
    names = dict(found.series.values_list("pk", "name"))
    width = min(width, MOST_POINTS // max(1, len(names)))
    return JsonResponse(boards.answer(history.stretch(list(names), start=start, end=end, width=width), names))


def _span(request: HttpRequest) -> tuple[int, int, int]:
    """`from`, `to` (unix seconds; default: the last 15 minutes) and `width` (pixels). Raises Problem."""
    now = values.microseconds(timezone.now())
    end = _time(request, "to", now)
    start = _time(request, "from", end - 900 * history.SECOND)
    if start > end:
        raise Problem(Code.INVALID, "`from` lies after `to`.", field="from")
    least, most = WIDTHS
    width = request.GET.get("width", "800")
    if not (width.isascii() and width.isdigit() and len(width) <= 6):
        raise Problem(Code.INVALID, f"`width` is a number of pixels from {least} to {most}.", field="width")
    return max(start, 0), end, min(most, max(least, int(width)))


def _time(request: HttpRequest, field: str, default: int) -> int:
    text = request.GET.get(field)
    if text is None:
        return default
    try:
        seconds = float(text if text.isascii() and len(text) <= 30 and "_" not in text else "-")
        if not abs(seconds) < 1e11:
            raise ValueError
    except ValueError:
        raise Problem(Code.INVALID, f"`{field}` is a time in unix seconds.", field=field) from None
    return round(seconds * history.SECOND)


@never_cache
@require_GET
def table(request: HttpRequest, slug: str, widget: str) -> HttpResponse:
    """The newest values of a widget as a table, and the means of the hours before: what a chart shows, for those who do not see it."""
    request.live.read()  # type: ignore[attr-defined]
    found = policy.widget_for_reader(request.user, slug, widget)
    return table_of(request, found, base=f"/dashboards/{slug}")


def table_of(request: HttpRequest, found: Widget, *, base: str) -> HttpResponse:
    newest = list(_samples(found)[: TABLE_ROWS + 1])
    before = newest[TABLE_ROWS - 1][0] if len(newest) > TABLE_ROWS else None
    hours = islice(summaries.older(found, spans=(3600,), before=before), TABLE_HOURS)
    told = _told(found)
    rows = [
        {"at": values.written(at), "series": name or "value", "value": words or exact(value), "label": label if label != words else ""}
        for at, name, value, label, data in chain(newest[:TABLE_ROWS], hours)
        for words in [told(label, data)]
    ]
    columns = {
        "summed": len(rows) > len(newest[:TABLE_ROWS]),
        "several": len({row["series"] for row in rows}) > 1,
        "labelled": any(row["label"] for row in rows),
        "worded": any(told(label, data) for *_, label, data in newest[:1]),
    }
    return render(request, "dashboard/table.html", {"widget": found, "rows": rows, "base": base} | columns)


def _samples(widget: Widget) -> QuerySet[Sample, tuple[int, str, float, str, Any]]:
    return Sample.objects.filter(series__widget=widget).order_by("-at", "-pk").values_list("at", "series__name", "value", "label", "data")


def _told(widget: Widget) -> Callable[[str, Any], str]:
    """How a value of this widget is said where its number alone says nothing."""
    kind = widgets.KINDS.get(widget.kind)
    return kind.told if kind else lambda label, data: ""


class _Echo:
    """A file for csv that gives back what is written."""

    def write(self, text: str) -> str:
        return text


@require_GET
def export(request: HttpRequest, slug: str, widget: str) -> StreamingHttpResponse:
    """All values that are kept of a widget, newest first, and the means of what was before them."""
    return export_of(policy.widget_for_reader(request.user, slug, widget))


def export_of(found: Widget) -> StreamingHttpResponse:
    response = StreamingHttpResponse(_lines(found), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{found.dashboard.slug}-{found.slug}.csv"'
    return response


def _lines(widget: Widget) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(["time", "series", "value", "label"])
    samples, told = _samples(widget).iterator(chunk_size=2000), _told(widget)
    for at, name, value, label, data in heapq.merge(samples, summaries.older(widget), key=itemgetter(0), reverse=True):
        yield writer.writerow([values.written(at), _harmless(name), _harmless(told(label, data)) or repr(value), _harmless(label)])


def _harmless(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.lstrip()[:1] in {"=", "+", "-", "@"} else text
