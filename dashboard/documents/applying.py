"""A board made to be as a document says: what differs is saved, what the document does not name goes. All of it or nothing."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec
from django.core.exceptions import ValidationError
from django.db import router, transaction

from core.errors import Code, Problem
from dashboard import actions, sources, widgets
from dashboard.actions import Place
from dashboard.alerts import actions as alerts
from dashboard.alerts import audience, reading
from dashboard.alerts.machine import Condition
from dashboard.documents.lines import Document
from dashboard.documents.shape import SEVERITIES, AlertText, BoardText, SourceText, WidgetText, of_board
from dashboard.models import AlertRule, Dashboard, Source, Widget, check_slug

_UNKNOWN = re.compile(r"unknown field `(.+?)`")
_NEEDS = {"above": ("high",), "below": ("low",), "outside": ("low", "high"), "no_data": ("pending",), "stale": ()}
_PLAIN = ("kind", "title", "columns", "rows", "interval", "grace", "keep", "config")


def checked(document: Document) -> BoardText:
    """The board that a document describes. Raises Problem (422) that names the line, or the path where there are no lines."""
    try:
        board = msgspec.convert(document.value, BoardText)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `")
        path = path.rstrip("`") or "$"
        unknown = _UNKNOWN.search(what)
        raise _problem(document, f"{path}.{unknown[1]}" if unknown else path, f"{what}.") from None
    _check_board(document, board)
    return board


def apply(board: Dashboard, wanted: BoardText, document: Document) -> Dashboard:
    """Save what differs. Raises Problem: what does not fit (422, with its line), or somebody saved it meanwhile (409)."""
    with transaction.atomic(using=router.db_for_write(Dashboard)):
        if board.pk:
            _check_revision_locked(board, wanted)
        for name in ("title", "description", "access"):
            setattr(board, name, getattr(wanted, name))
        actions.save_dashboard(board)
        known = {widget.slug: widget for widget in board.widgets.select_related("source", "dashboard")}
        for slug in known.keys() - {one.slug for one in wanted.widgets}:
            actions.remove_widget(known.pop(slug))
        places = []
        for number, one in enumerate(wanted.widgets):
            with _at(document, f"$.widgets[{number}]"):
                widget = _saved(known.get(one.slug) or Widget(dashboard=board, slug=one.slug, order=number), one)
            places.append(Place(widget.pk, number, one.columns, one.rows))
        actions.layout(board, places)
    return board


def _check_revision_locked(board: Dashboard, wanted: BoardText) -> None:
    # Locked, so that of two who send at once the second is told.
    Dashboard.objects.select_for_update(no_key=True).get(pk=board.pk)
    if wanted.revision is not None and wanted.revision != (now := of_board(board).revision):
        detail = f"Somebody saved this board meanwhile. Get it anew (its revision is {now}), change that, and send it again."
        raise Problem(Code.CONFLICT, detail, field="revision")


# --- checking ---


def _check_board(document: Document, board: BoardText) -> None:
    seen: dict[str, str] = {}
    for number, widget in enumerate(board.widgets):
        path = f"$.widgets[{number}]"
        _check_widget(document, path, widget)
        if widget.slug in seen:
            raise _problem(document, f"{path}.slug", f"{widget.slug!r} is there twice, first in {seen[widget.slug]}.")
        seen[widget.slug] = _where(document, path)


def _check_widget(document: Document, path: str, widget: WidgetText) -> None:
    with _at(document, f"{path}.slug"):
        check_slug(widget.slug)
    with _at(document, f"{path}.kind"):
        _check_known("kind of widget", widget.kind, list(widgets.KINDS))
    kind = widgets.of(widget.kind)
    with _at(document, f"{path}.config"):
        kind.settings(widget.config)
    if widget.source is not None:
        with _at(document, f"{path}.source.kind"):
            _check_known("source", widget.source.kind, list(sources.KINDS))
        with _at(document, f"{path}.source.config"):
            sources.KINDS[widget.source.kind].settings(widget.source.config, kind)
    for number, alert in enumerate(widget.alerts):
        _check_alert(document, f"{path}.alerts[{number}]", alert, widget)


def _check_known(what: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise Problem(Code.INVALID, f"There is no {what} {name[:60]!r}; there is {', '.join(sorted(known))}.")


def _check_alert(document: Document, path: str, alert: AlertText, widget: WidgetText) -> None:
    with _at(document, f"{path}.audience"):
        audience.checked(alert.audience)
    for name in _NEEDS[alert.condition]:
        if getattr(alert, name) is None or (name == "pending" and not alert.pending):
            raise _problem(document, path, f"An alert for {alert.condition!r} needs `{name}`.")
    if alert.condition == "outside" and (alert.low or 0) >= (alert.high or 0):
        raise _problem(document, f"{path}.high", "`high` lies above `low`.")
    silent = alert.condition in (Condition.NO_DATA, Condition.STALE)
    if not silent and not reading.has_numbers(widget.kind):
        raise _problem(document, f"{path}.condition", f"A {widget.kind} has no numbers: an alert on it is for no_data or stale.")


# --- saving ---


def _saved(widget: Widget, wanted: WidgetText) -> Widget:
    if widget.pk and widget.kind != wanted.kind:
        raise Problem(Code.INVALID, f"{widget.slug!r} is a {widget.kind} here, with its history: give the {wanted.kind} another slug.")
    before = [*(getattr(widget, name) for name in _PLAIN), widget.state == Widget.State.PAUSED]
    after = [*(getattr(wanted, name) for name in _PLAIN), wanted.paused]
    if not widget.pk or before != after:
        for name in _PLAIN:
            setattr(widget, name, getattr(wanted, name))
        if before[-1] != wanted.paused:
            widget.state, widget.error = Widget.State.PAUSED if wanted.paused else Widget.State.OK, ""
        actions.save_widget(widget)
    _save_source(widget, wanted.source)
    _save_alerts(widget, wanted.alerts)
    return widget


def _save_source(widget: Widget, wanted: SourceText | None) -> None:
    now = Source.objects.filter(widget=widget).first()
    if wanted is None:
        if now is not None:
            now.delete()
            actions.show_trouble(widget, "")
    elif now is None or (now.kind, now.config) != (wanted.kind, wanted.config):
        source = now or Source(widget=widget)
        source.kind, source.config = wanted.kind, wanted.config
        actions.save_source(source)


def _save_alerts(widget: Widget, wanted: Sequence[AlertText]) -> None:
    """Rules are known by their names, the first of a name being the first."""
    known: dict[str, list[AlertRule]] = {}
    for rule in AlertRule.objects.filter(widget=widget).order_by("pk"):
        known.setdefault(rule.name, []).append(rule)
    for one in wanted:
        named = known.get(one.name)
        rule = named.pop(0) if named else AlertRule(widget=widget)
        if _change(rule, one) or not rule.pk:
            alerts.save_rule(rule)
    for rule in (rule for rules in known.values() for rule in rules):
        alerts.remove_rule(rule)


def _change(rule: AlertRule, wanted: AlertText) -> bool:
    """Let a rule be as it is wanted. Whether that is a change."""
    values = {
        "name": wanted.name, "condition": wanted.condition, "low": wanted.low, "high": wanted.high, "series": wanted.series,
        "pending_seconds": wanted.pending, "recovery_seconds": wanted.recovery, "severity": SEVERITIES.index(wanted.severity) + 1,
        "audience": audience.checked(wanted.audience), "enabled": wanted.enabled,
    }  # fmt: skip
    changed = any(getattr(rule, name) != value for name, value in values.items())
    for name, value in values.items():
        setattr(rule, name, value)
    return changed


# --- saying where ---


@contextmanager
def _at(document: Document, path: str) -> Iterator[None]:
    """What does not fit inside this block is said with the line of this path."""
    try:
        yield
    except Problem as problem:
        if problem.code is not Code.INVALID:
            raise
        raise _problem(document, path, problem.detail, allowed=problem.allowed) from None
    except ValidationError as wrong:
        raise _problem(document, path, " ".join(wrong.messages)) from None


def _where(document: Document, path: str) -> str:
    return f"line {document.line(path)}" if document.lines else path.removeprefix("$").removeprefix(".") or "the body"


def _problem(document: Document, path: str, detail: str, *, allowed: Sequence[str] = ()) -> Problem:
    where = _where(document, path)
    return Problem(
        Code.INVALID, f"{where[0].upper()}{where[1:]}: {detail}", field=path.removeprefix("$.").removeprefix("$"), allowed=allowed
    )
