"""What the numbering leaves for the judge, in its own transaction: which new values each rule has to see. Short: channels are locked."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import Q

from core import jobs
from core.delivery.channel import Event
from dashboard.alerts.machine import Condition
from dashboard.models import AlertDue, AlertRule

JOB = "judge_alerts"
_SILENCE = (Condition.NO_DATA, Condition.STALE)


def note_numbered_locked(events: Sequence[Event]) -> None:
    """Leave a due row for each rule and each stretch of values that these events tell of. One query where a board has no rules."""
    stretches = {_stretch(event) for event in events if "samples" in event.data}
    if not stretches:
        return
    rules = _rules({widget for widget, *_ in stretches})
    due = [
        AlertDue(rule_id=pk, series=series, first=first, last=last)
        for widget, name, series, first, last in sorted(stretches)
        for pk, wanted in rules.get(widget, ())
        if wanted in ("", name)
    ]
    if due:
        AlertDue.objects.bulk_create(due)
        jobs.wake(JOB)


def _stretch(event: Event) -> tuple[int, str, int, int, int]:
    first, last = event.data["samples"]
    return int(event.key.split("/", 1)[0]), event.data["series"], event.data["line"], first, last


def _rules(widgets: Iterable[int]) -> dict[int, list[tuple[int, str]]]:
    # Silence that nobody speaks of needs no value to be judged: its own time comes.
    waiting = AlertRule.objects.filter(widget__in=widgets, enabled=True).exclude(Q(condition__in=_SILENCE, state="ok"))
    found: dict[int, list[tuple[int, str]]] = {}
    rows: Any = waiting.values_list("widget", "pk", "series")
    for widget, pk, series in rows:
        found.setdefault(widget, []).append((pk, series))
    return found
