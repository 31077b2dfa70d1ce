"""Model sources kept live: what changed leaves a dirty row, a worker reads the source anew and records what it found. Design, rule 3.

The source's row stays locked from before the query until what was recorded has committed, and only the dirty rows seen before the query
go: whoever comes later finds his own. Bulk updates, which send no signal, are found by a recount.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import Q
from django.db.models.signals import m2m_changed, post_delete, post_save
from django.utils import timezone

from core import jobs
from core.errors import Problem
from dashboard import actions, history, sources, values, widgets
from dashboard.actions import NewValue
from dashboard.models import Sample, Series, Source, SourceDirty, Widget
from dashboard.sources.base import RECOUNT, Found, Look

logger = logging.getLogger(__name__)

LONGEST_WAIT = timedelta(minutes=10)  # of a source that fails
AT_ONCE = 100
_changed = threading.local()


# --- what leaves a dirty row ---


def connect() -> None:
    """Listen to the models that the settings expose."""
    for label in settings.DASHBOARD_MODELS:
        for signal in (post_save, post_delete):
            signal.connect(_row_changed, sender=label, dispatch_uid=f"signalbox-source-{label.lower()}")
    m2m_changed.connect(_row_changed, dispatch_uid="signalbox-source-m2m")


def _row_changed(sender: Any, instance: Any, model: Any = None, raw: bool = False, **kwargs: Any) -> None:
    # A relation has two ends, and the signal comes once, from whichever end it was changed at: `model` is the other.
    labels = {end._meta.label_lower for end in (instance, model) if end is not None}
    if raw:
        return
    for label in labels & {name.lower() for name in settings.DASHBOARD_MODELS}:
        # Every change registers a hook, since a savepoint that rolls back drops its own; the first to run marks for all.
        _labels().add(label)
        transaction.on_commit(partial(_mark, label), robust=True)


def _labels() -> set[str]:
    if not hasattr(_changed, "labels"):
        _changed.labels = set()
    labels: set[str] = _changed.labels
    return labels


def _mark(label: str) -> None:
    if label in _labels():
        _labels().discard(label)
        if made := SourceDirty.objects.bulk_create(
            SourceDirty(source_id=pk) for pk in Source.objects.filter(subject=label).values_list("pk", flat=True)
        ):
            logger.debug("%d sources of %s are dirty", len(made), label)
            jobs.wake("refresh_sources")


# --- the worker ---


def refresh_now() -> int:
    """The job: read every source that is dirty or due for a recount. Returns how many."""
    now = timezone.now()
    mine = Source.objects.exclude(kind__in=sources.POLLED)
    due = mine.filter(Q(due_at__lte=now) | Q(pk__in=SourceDirty.objects.filter(source__failures=0).values("source")))
    pks = list(due.order_by("due_at").values_list("pk", flat=True)[:AT_ONCE])
    for pk in pks:
        refresh(pk, now=timezone.now())
    return len(pks)


def refresh(pk: int, *, now: datetime) -> None:
    """Read one source and record what it shows. A source that fails says so on its tile, keeps its last value and is left alone a while."""
    with transaction.atomic():
        source = Source.objects.select_for_update(of=["self"]).select_related("widget__dashboard").filter(pk=pk).first()
        if source is None:
            return
        # Before the query: what changes from here on leaves a row that is not among these.
        seen = list(SourceDirty.objects.filter(source=source).values_list("pk", flat=True))
        trouble = record_locked(source, lambda: _look(source), now)
        settle_locked(source, trouble, now, every=RECOUNT)
        SourceDirty.objects.filter(pk__in=seen).delete()


def _look(source: Source) -> Look:
    kind = widgets.of(source.widget.kind)
    reader = sources.KINDS[source.kind]
    return reader.look(reader.settings(source.config, kind), kind)


def settle_locked(source: Source, trouble: str, now: datetime, *, every: timedelta) -> None:
    """Say on the tile what is wrong, or that nothing is, and when the source is due again: later each time that it fails."""
    source.failures = source.failures + 1 if trouble else 0
    waits = every * 2 ** min(source.failures, 10)
    in_step = source.due_at + every if source.due_at <= now < source.due_at + every else now + every
    source.due_at = now + min(max(every, LONGEST_WAIT), waits) if trouble else in_step
    source.save(update_fields=["failures", "due_at"])
    actions.show_trouble(source.widget, trouble)


def record_locked(source: Source, look: Callable[[], Look], now: datetime) -> str:
    """Record what a source shows; what went wrong, in words."""
    try:
        # A savepoint: a query that fails must not take the source's row along.
        with transaction.atomic():
            _record(source.widget, look(), now)
    except Problem as problem:
        return problem.detail
    except KeyError as missing:
        return f"There is no {missing} here any more."
    except DatabaseError as error:
        logger.warning("Source %s failed: %s", source.pk, type(error).__name__)
        return "The database could not answer this."
    return ""


def _record(widget: Widget, look: Look, now: datetime) -> None:
    lines = dict(Series.objects.filter(widget=widget).values_list("name", "pk"))
    newest = history.newest_times(lines.values())
    # Later than all that is there, whatever this machine's clock says: the last to hold the lock is the last to be shown.
    at = max(values.microseconds(now), *newest.values(), 0) + 1 if newest else values.microseconds(now)
    if widgets.of(widget.kind).keeps_all:
        _record_entries(widget, look.found, at)
        return
    named = {one.series for one in look.found}
    over = [] if look.absent is None else [Found(look.absent, name) for name in lines if name not in named]
    actions.record_many([_new(widget, one, at) for one in [*look.found, *over]], now=max(now, values.moment(at)))


def _record_entries(widget: Widget, found: Sequence[Found], at: int) -> None:
    """Entries are as many as there are rows now: those before go."""
    kept = Sample.objects.filter(series__widget=widget)
    shown = list(kept.order_by("at").values_list("label", "data"))
    if shown == [(values.label(one.value), _data(one)) for one in found]:
        return
    kept.delete()
    if found:
        actions.record_many([_new(widget, one, at + place) for place, one in enumerate(found)], now=values.moment(at + len(found)))
    else:
        actions.save_widget(Widget.objects.get(pk=widget.pk))


def _new(widget: Widget, one: Found, at: int) -> NewValue:
    return NewValue(widget, one.value, values.moment(at), one.series, one.label, data=_data(one))


def _data(one: Found) -> Mapping[str, Any] | None:
    return None if one.happened is None else {"at": one.happened}
