"""What the numbering leaves for the judge, in its own transaction: which new values each rule has to see. Short: channels are locked."""

from collections.abc import Iterable, Iterator, Sequence

from django.db import connections, router

from core import jobs
from core.delivery.channel import Event
from dashboard.alerts.machine import Condition
from dashboard.models import AlertDue, AlertRule

JOB = "judge_alerts"
_OF_VALUES = ("widget.value", "series.changed")
_SILENCE = (Condition.NO_DATA, Condition.STALE)


def note_numbered_locked(events: Sequence[Event]) -> None:
    """Leave a due row for each rule and each stretch of values that these events tell of. One query where a board has no rules."""
    told = [event for event in events if event.type in _OF_VALUES]
    rules = _rules({_widget(event) for event in told}) if told else {}
    stretches = set(_stretches(event for event in told if _widget(event) in rules))
    due = [
        AlertDue(rule_id=pk, series=series, first=first, last=last)
        for widget, name, series, first, last in sorted(stretches)
        for pk, wanted in rules[widget]
        if wanted in ("", name)
    ]
    if due:
        AlertDue.objects.bulk_create(due)
        jobs.wake(JOB)


def _stretches(events: Iterable[Event]) -> Iterator[tuple[int, str, int, int, int]]:
    for event in events:
        data = event.data
        if "samples" in data:
            yield _widget(event), data["series"], data["line"], *data["samples"]


def _widget(event: Event) -> int:
    return int(event.key.split("/", 1)[0])


def _rules(widgets: Iterable[int]) -> dict[int, list[tuple[int, str]]]:
    asked, found = list(widgets), dict[int, list[tuple[int, str]]]()
    with connections[router.db_for_write(AlertDue)].cursor() as cursor:
        cursor.execute(_ASKING.format(", ".join(["%s"] * len(asked))), [*asked, *_SILENCE])
        for widget, pk, series in cursor.fetchall():
            found.setdefault(widget, []).append((pk, series))
    return found


# In SQL, as all that each value costs (dashboard.store). Silence that nobody speaks of needs no value to be judged: its own time comes.
_ASKING = (
    f"SELECT widget_id, id, series FROM {AlertRule._meta.db_table} "
    "WHERE widget_id IN ({}) AND enabled AND NOT (condition IN (%s, %s) AND state = 'ok')"
)
