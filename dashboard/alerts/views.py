"""The alerts of a widget: who may see its board sees how they stand; who may edit it acknowledges, mutes and changes rules."""

from datetime import timedelta
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from core.errors import Problem
from dashboard import policy, values
from dashboard.alerts import actions, audience, reading, shown
from dashboard.alerts.forms import SEVERITIES, RuleForm
from dashboard.models import AlertRule, Role, Widget

MUTES = {"60": "for an hour", "480": "for 8 hours", "1440": "for a day", "10080": "for a week"}


@never_cache
@require_GET
def alerts(request: HttpRequest, slug: str, widget: str) -> HttpResponse:
    """How a widget's rules stand."""
    request.live.read()  # type: ignore[attr-defined]
    found = policy.widget_for_reader(request.user, slug, widget)
    may_edit = policy.level_of(request.user, found.dashboard) >= Role.Level.EDIT
    rules = [_shown(rule) for rule in _rules(found).order_by("pk")]
    return render(request, "dashboard/alerts.html", {"widget": found, "slug": slug, "rules": rules, "may_edit": may_edit, "mutes": MUTES})


def _rules(widget: Widget) -> Any:
    return AlertRule.objects.filter(widget=widget).select_related("widget", "acknowledged_by")


def _shown(rule: AlertRule) -> dict[str, Any]:
    standing, now = reading.standing_of(rule), timezone.now()
    return {
        "rule": rule,
        "sign": shown.one(shown.facts(rule)),
        "limit": reading.limit(rule),
        "value": reading.newest(rule),
        "since": values.written(rule.since) if rule.since and rule.enabled else "",
        "late": values.written(rule.late_at) if rule.late_at else "",
        "fires": standing.is_firing,
        "flaps": standing.flaps(values.microseconds(now)),
        "muted": values.written(values.microseconds(rule.muted_until)) if rule.muted_until and reading.is_muted(rule, now) else "",
        "loud": dict(SEVERITIES)[rule.severity].split(":")[0],
        "told": ", ".join(rule.audience or audience.USUAL),
    }


@login_required
@require_POST
def acknowledge(request: HttpRequest, slug: str, widget: str, pk: int) -> HttpResponse:
    """Say that one has taken care of it."""
    actions.acknowledge(_rule(request, slug, widget, pk).pk, by=request.user, now=timezone.now())
    return redirect(_address(slug, widget))


@login_required
@require_POST
def mute(request: HttpRequest, slug: str, widget: str, pk: int) -> HttpResponse:
    """`minutes`: tell nobody for so long; 0: tell again."""
    rule, minutes, now = _rule(request, slug, widget, pk), request.POST.get("minutes", ""), timezone.now()
    if minutes not in {"0", *MUTES}:
        raise Http404
    actions.mute(rule.pk, until=now + timedelta(minutes=int(minutes)) if int(minutes) else None, now=now)
    return redirect(_address(slug, widget))


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, slug: str, widget: str, pk: int | None = None) -> HttpResponse:
    """One rule's form; without `pk` it makes one."""
    request.live.read()  # type: ignore[attr-defined]
    rule = AlertRule(widget=_widget(request, slug, widget)) if pk is None else _rule(request, slug, widget, pk)
    seen = _seen(request, rule.widget.revision)
    form = RuleForm(request.POST or None, rule=rule, by=request.user)
    status = 200
    if request.method == "POST":
        status = _saved(form, rule, seen) if form.is_valid() else 422
        if status == 302:
            return redirect(_address(slug, widget))
    return render(request, "dashboard/alert.html", {"form": form, "rule": rule, "widget": rule.widget, "slug": slug}, status=status)


def _saved(form: RuleForm, rule: AlertRule, seen: int) -> int:
    """Save; the status to answer with. What stands against it is said in the form."""
    try:
        actions.save_rule(form.onto(rule), seen=seen)
    except ValidationError as wrong:
        form.add_error(None, wrong.messages)
        return 422
    except Problem as problem:
        form.add_error(None, problem.detail)
        return 409
    return 302


@login_required
@require_POST
def remove(request: HttpRequest, slug: str, widget: str, pk: int) -> HttpResponse:
    """Delete a rule."""
    actions.remove_rule(_rule(request, slug, widget, pk))
    return redirect(_address(slug, widget))


def _widget(request: HttpRequest, slug: str, widget: str) -> Widget:
    board = policy.dashboard_for_editor(request.user, slug)
    found = board.widgets.filter(slug=widget).select_related("dashboard").first()
    if found is None:
        raise Http404
    return found


def _rule(request: HttpRequest, slug: str, widget: str, pk: int) -> AlertRule:
    found: AlertRule | None = _rules(_widget(request, slug, widget)).filter(pk=pk).first() if pk < 2**63 else None
    if found is None:
        raise Http404
    return found


def _seen(request: HttpRequest, otherwise: int) -> int:
    text = request.POST.get("revision", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else otherwise


def _address(slug: str, widget: str) -> str:
    return f"/dashboards/{slug}/{widget}/alerts/"
