"""How far a background task is (core.progress) as the value of a widget; where it failed, the tile says why."""

import logging

from django.db import transaction

from core.errors import Problem
from core.progress import Report
from dashboard import actions, store
from dashboard.models import Widget

logger = logging.getLogger(__name__)


def show(report: Report) -> None:
    """Record a report as its widget's value. What cannot be shown is logged: no task fails for that."""
    if not report.widget:
        return
    try:
        with transaction.atomic():
            _record(report)
    except Problem as error:
        logger.warning("The progress of %s cannot be shown: %s", report.key, error.detail)


def _record(report: Report) -> None:
    target = store.targets([report.widget])[report.widget]
    # Of a progress bar the total is a setting: what is done is shown as a part of it. Other widgets show the number itself.
    value = report.part * float((target.config or {}).get("total", 100)) if target.kind == "progress" else report.done
    said = {"running": report.label, "done": report.label or "Done", "failed": report.label or "Failed"}[report.state]
    actions.record(report.widget, round(value, 3), label=said[:80])
    if report.news:
        widget = Widget.objects.get(pk=target.pk)
        actions.show_trouble(widget, report.label or "Failed." if report.state == "failed" else "")
