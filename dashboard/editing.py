"""Making and changing boards: forms with a preview that follows them; order and size by fields and by keyboard; roles and share links."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from core.errors import Problem
from dashboard import actions, boards, policy, widgets
from dashboard.actions import Place
from dashboard.forms import BoardForm, LinkForm, RoleForm, WidgetForm
from dashboard.models import Dashboard, Role, ShareLink, Source, Widget

Form = BoardForm | WidgetForm


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new_board(request: HttpRequest) -> HttpResponse:
    """Make a board, whose owner one then is."""
    request.live.read()  # type: ignore[attr-defined]
    form = BoardForm(request.POST or None)
    owner: Any = request.user
    board = Dashboard(owner=owner)
    if form.is_valid() and _saved(form, lambda: actions.save_dashboard(form.onto(board))):
        return redirect(f"/dashboards/{board.slug}/edit/")
    return render(request, "dashboard/new.html", {"form": form}, status=_status(form))


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def edit_board(request: HttpRequest, slug: str) -> HttpResponse:
    """A board's own settings, and its widgets in order."""
    request.live.read()  # type: ignore[attr-defined]
    board = policy.dashboard_for_editor(request.user, slug)
    sent, seen, address = request.POST.dict(), _seen(request, board.revision), board.slug
    if sent and policy.level_of(request.user, board) < Role.Level.MANAGE:
        sent["access"] = board.access  # who may look is not an editor's to say
    form = BoardForm(sent or None, board=board)
    if form.is_valid() and _saved(form, lambda: actions.save_dashboard(form.onto(board), seen=seen)):
        return redirect(board)
    return render(request, "dashboard/edit.html", _edited(request, Dashboard.objects.get(pk=board.pk), form, address), status=_status(form))


def _edited(request: HttpRequest, board: Dashboard, form: BoardForm, slug: str) -> dict[str, Any]:
    kinds = [(kind.name, kind.title) for kind in widgets.KINDS.values()]
    rows = list(board.widgets.all())
    manages = policy.level_of(request.user, board) >= Role.Level.MANAGE
    return {"board": board, "slug": slug, "form": form, "kinds": kinds, "rows": rows, "manages": manages}


@login_required
@require_POST
def order(request: HttpRequest, slug: str) -> HttpResponse:
    """Place and size of all widgets at once: `order-12`, `columns-12`, `rows-12`; or `move=12:up`, `move=12:down`."""
    board = policy.dashboard_for_editor(request.user, slug)
    shown = list(board.widgets.all())
    try:
        places = sorted((_place(request, widget) for widget in shown), key=lambda place: place.order)
        moved = _moved(places, request.POST.get("move", ""))
        numbered = [Place(place.widget, number, place.columns, place.rows) for number, place in enumerate(moved)]
        actions.layout(board, numbered, seen=_seen(request, board.revision))
    except (ValueError, ValidationError, Problem) as wrong:
        request.live.read()  # type: ignore[attr-defined]
        form = BoardForm(None, board=board)
        said = wrong.detail if isinstance(wrong, Problem) else "A place is a whole number, a width 1 to 12, a height 1 to 8."
        now = _edited(request, Dashboard.objects.get(pk=board.pk), form, slug)
        return render(request, "dashboard/edit.html", now | {"wrong": said}, status=409 if isinstance(wrong, Problem) else 422)
    return redirect(f"/dashboards/{slug}/edit/#widgets")


def _place(request: HttpRequest, widget: Widget) -> Place:
    def number(name: str) -> int:
        return int(request.POST.get(f"{name}-{widget.pk}", str(getattr(widget, name)))[:6])

    return Place(widget.pk, number("order"), number("columns"), number("rows"))


def _moved(places: list[Place], move: str) -> list[Place]:
    which, _, where = move.partition(":")
    at = next((at for at, place in enumerate(places) if str(place.widget) == which), None)
    if at is not None and where in {"up", "down"}:
        places.insert(max(0, at + (-1 if where == "up" else 1)), places.pop(at))
    return places


# --- widgets ---


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def edit_widget(request: HttpRequest, slug: str, widget: str) -> HttpResponse:
    """One widget's form; `new` with `?kind=` makes one."""
    request.live.read()  # type: ignore[attr-defined]
    found = _widget(request, slug, widget)
    form, seen = WidgetForm(request.POST or None, widget=found), _seen(request, found.revision)
    if "ask" in request.POST:
        form.forget_errors()
        return render(request, "dashboard/_widget_form.html", {"widget": found, "form": form, "slug": slug})
    if form.is_valid() and _saved(form, lambda: _save(form, found, seen)):
        return redirect(found.dashboard)
    return render(request, "dashboard/widget.html", _shown(found, form, slug), status=_status(form))


@login_required
@require_POST
def preview(request: HttpRequest, slug: str, widget: str) -> HttpResponse:
    """The tile as the form has it now; nothing is saved."""
    found = _widget(request, slug, widget)
    form = WidgetForm(request.POST, widget=found)
    if not form.is_valid():
        return render(request, "dashboard/_preview.html", {"form": form})
    return render(request, "dashboard/_preview.html", _shown(form.onto(found), form, slug))


def _shown(widget: Widget, form: WidgetForm, slug: str) -> dict[str, Any]:
    has_values = bool(widget.pk) and widget.series.exists()
    now = timezone.now()
    tile = boards.tiles([widget], now=now)[0] if has_values else boards.example(widget, now=now)
    return {
        "widget": widget,
        "form": form,
        "tile": tile,
        "slug": slug,
        "here": f"/dashboards/{slug}/edit/{widget.slug if widget.pk else 'new'}/",
    }


def _widget(request: HttpRequest, slug: str, widget: str) -> Widget:
    board = policy.dashboard_for_editor(request.user, slug)
    found: Widget | None = None
    if widget != "new":
        found = board.widgets.filter(slug=widget).select_related("dashboard", "source").first()
    elif kind := widgets.KINDS.get(request.GET.get("kind", "stat")):
        last = board.widgets.order_by("-order").values_list("order", flat=True).first()
        place = 0 if last is None else last + 1
        found = Widget(dashboard=board, kind=kind.name, title=kind.title, columns=kind.size[0], rows=kind.size[1], order=place)
    if found is None or found.kind not in widgets.KINDS:
        raise Http404
    return found


def _save(form: WidgetForm, widget: Widget, seen: int) -> None:
    with transaction.atomic():
        actions.save_widget(form.onto(widget), seen=seen if widget.pk else None)
        kind, config = form.cleaned_data["source"], form.cleaned_data["source_config"]
        now = Source.objects.filter(widget=widget).first()
        if not kind:
            Source.objects.filter(widget=widget).delete()
            actions.show_trouble(widget, "")
        elif now is None or (now.kind, now.config) != (kind, config):
            source = now or Source(widget=widget)
            source.kind, source.config = kind, config
            actions.save_source(source)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def remove_widget(request: HttpRequest, slug: str, widget: str) -> HttpResponse:
    """Ask, then delete a widget with its history."""
    request.live.read()  # type: ignore[attr-defined]
    found = _widget(request, slug, widget)
    if not found.pk:
        raise Http404
    if request.method == "POST":
        actions.remove_widget(found)
        return redirect(f"/dashboards/{slug}/edit/")
    return render(request, "dashboard/remove.html", {"what": found.title, "back": f"/dashboards/{slug}/edit/"})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def remove_board(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask, then delete a board with all its widgets."""
    request.live.read()  # type: ignore[attr-defined]
    board = policy.dashboard_for_editor(request.user, slug, level=Role.Level.MANAGE)
    if request.method == "POST":
        board.delete()
        return redirect("/dashboards/")
    return render(request, "dashboard/remove.html", {"what": board.title, "back": f"/dashboards/{slug}/edit/"})


# --- roles and share links ---


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def share(request: HttpRequest, slug: str) -> HttpResponse:
    """Who has which role, and the public addresses. `do`: role, unrole, link, revoke."""
    request.live.read()  # type: ignore[attr-defined]
    board = policy.dashboard_for_editor(request.user, slug, level=Role.Level.MANAGE)
    asked = request.POST.get("do", "")
    role, link, made = RoleForm(request.POST if asked == "role" else None), LinkForm(request.POST if asked == "link" else None), ""
    if role.is_valid():
        _give(board, role.cleaned_data["who"], role.cleaned_data["level"])
    elif link.is_valid():
        ends = timezone.now() + link.lifetime if link.lifetime else None
        made = f"{settings.BASE_URL}/d/{actions.make_link(board, by=request.user, expires_at=ends)[1]}/"
    elif asked == "unrole":
        _taken(board.roles, request).delete()
    elif asked == "revoke":
        actions.revoke_link(_taken(board.share_links, request), now=timezone.now())
    if asked and not (made or role.errors or link.errors):
        return redirect(request.path)
    open_links = ShareLink.objects.filter(dashboard=board, revoked_at=None).select_related("created_by").order_by("-pk")
    context = {"board": board, "role": role, "link": link, "made": made, "links": open_links, "now": timezone.now()}
    return render(request, "dashboard/share.html", context | {"roles": board.roles.select_related("user", "group")}, status=_status(role))


def _give(board: Dashboard, who: Any, level: int) -> None:
    holder = {"group": who} if isinstance(who, Group) else {"user": who}
    Role.objects.update_or_create(dashboard=board, **holder, defaults={"level": level})


def _taken(rows: Any, request: HttpRequest) -> Any:
    pk = request.POST.get("pk", "")
    row = rows.filter(pk=pk).first() if pk.isascii() and pk.isdigit() and len(pk) < 19 else None
    if row is None:
        raise Http404
    return row


# --- small things ---


def _saved(form: Form, save: Callable[[], object]) -> bool:
    """Save; what stands against it is said in the form."""
    try:
        save()
    except ValidationError as wrong:
        form.add_error(None, wrong if not hasattr(wrong, "error_dict") else [m for found in wrong.message_dict.values() for m in found])
    except Problem as problem:
        form.add_error(None, problem.detail)
        form.clashed = True  # type: ignore[union-attr]
    return not form.errors


def _status(form: Any) -> int:
    if not form.errors:
        return 200
    return 409 if getattr(form, "clashed", False) else 422


def _seen(request: HttpRequest, otherwise: int) -> int:
    """The revision that the form was made from."""
    text = request.POST.get("revision", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else otherwise
