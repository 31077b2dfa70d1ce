"""Everything that changes boards and their values, and the only place here that publishes. Rows first, publish last: docs/dashboards.md.

    record("ops/queue", 42)                                       # a stat
    record("ops/load", 0.7, series="web-1")                       # one line of several
    record_many({"ops/queue": 42, "ops/users": 7})
    post_feed("ops/events", "Backup done")

Idea: nobody locks. A value is announced with the newest samples of its series as its transaction saw them. Writers of one series
whose transactions overlap do not see each other (Postgres): each looks again after its commit, and announces what it had missed.
The last to commit sees everything and draws the highest id, so what is shown last is complete.
"""

import functools
import hashlib
import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connections, router, transaction
from django.utils import timezone

from core import jobs
from core.delivery import authority
from core.delivery.publishing import NewEvent, publish, publish_many
from core.errors import Code, Problem
from dashboard import history, rollups, sources, store, values, widgets
from dashboard.models import Dashboard, Sample, ShareLink, Source, Widget
from dashboard.store import Line, Row, Target
from dashboard.widgets.base import View

ROUNDS = 5  # how often one writer looks again


@dataclass(frozen=True, slots=True)
class NewValue:
    """One value on its way in. `widget` is a Widget, "dashboard-slug/widget-slug", or a Target that was read in this very transaction.

    `at`: None is now, else see values.instant.
    """

    widget: Widget | Target | str
    value: object
    at: object = None
    series: str = ""
    label: object = ""
    url: str = ""
    data: Mapping[str, Any] | None = None  # what a kind keeps beside the number


def record(
    widget: Widget | str, value: object, at: object = None, *, series: str = "", label: object = "", now: datetime | None = None
) -> None:
    """Store one value and show it on every page that has the widget, as soon as the caller's transaction commits.

    The same series and time again replace the value. Raises Problem: no such widget (it names near ones), a value of the wrong
    shape (it says the shape), a time more than 5 minutes ahead.
    """
    record_many([NewValue(widget, value, at, series, label)], now=now)


def record_many(new: Mapping[str, object] | Iterable[NewValue], *, now: datetime | None = None) -> int:
    """Store many values at once, all or none, and announce the newest of each series. Returns how many. Raises as record()."""
    moment = now or timezone.now()
    asked = [NewValue(widget, value) for widget, value in new.items()] if isinstance(new, Mapping) else list(new)
    if not asked:
        return 0
    with transaction.atomic(using=_alias()):
        targets = store.targets([item.widget for item in asked])
        rows = [_checked(item, targets[store.reference(item.widget)], moment) for item in asked]
        lines = store.write(rows)
        rollups.note_late({line.pk: line.ids for line in lines}, now=moment)
        _announce(lines)
    return len(rows)


def post_feed(widget: Widget | str, text: str, *, at: object = None, url: str = "", now: datetime | None = None) -> None:
    """Put an entry on an event feed. Raises as record()."""
    record_many([NewValue(widget, text, at, url=url)], now=now)


def _checked(item: NewValue, target: Target, now: datetime) -> Row:
    kind = widgets.of(target.kind)
    store.check_series(kind, item.series)
    data = dict(item.data or {}) | ({"url": values.link(item.url)} if item.url else {})
    reading = kind.read(item.value, label=item.label, data=data or None)
    return Row(target, item.series, values.instant(item.at, now=now), reading)


# --- announcing ---


def _announce(lines: Sequence[Line]) -> None:
    views = _views(lines)
    publish_many(event for line in lines for event in _events(line, views[line.pk]))
    _look_again_on_commit(lines, views, rounds=ROUNDS)


def _views(lines: Iterable[Line]) -> dict[int, View]:
    return history.views(_wanted(lines))


def _wanted(lines: Iterable[Line]) -> dict[int, history.Wanted]:
    return {line.pk: store.wanted(line.target) for line in lines}


def _events(line: Line, view: View) -> Iterator[NewEvent]:
    if line.is_new:
        yield _event(line, "widget.config", {"revision": line.target.revision, "line": line.pk})
    is_newest = view.points[-1].at == line.newest
    late = [at for at in line.ids if line.before is not None and at < line.before] if is_newest else list(line.ids)
    # For whoever judges values: the ids of one statement, lowest and highest.
    samples = {"samples": [min(line.ids.values()), max(line.ids.values())]}
    if late:
        yield _late(line, view, late, samples)
    if is_newest:
        facts = store.facts(line.target, line.pk, line.name, view) | samples
        yield _event(line, "widget.value", facts, version=(line.newest, line.ids[line.newest]))


def _late(line: Line, view: View, times: Collection[int], more: Mapping[str, Any] | None = None) -> NewEvent:
    """What tells open pages that something changed behind the newest value."""
    # Deep: older than what the event itself carries, so that charts must fetch. It has a key of its own: of two events of one
    # key a reader may be told only the second, and a shallow one must not stand for a deep one.
    deep = min(times) < view.points[0].at
    span = {"from": values.seconds(min(times)), "to": values.seconds(max(times)), "deep": deep, "id": line.ids[line.newest]}
    facts = store.facts(line.target, line.pk, line.name, view) | span | dict(more or {})
    return _event(line, "series.changed", facts, suffix="/deep" if deep else "")


def _event(line: Line, type: str, data: Mapping[str, Any], *, suffix: str = "", version: tuple[int, int] | None = None) -> NewEvent:
    return NewEvent(f"dashboard:{line.target.dashboard}", type, data, f"{line.target.pk}/{line.name}{suffix}", version)


# --- looking again ---


def _look_again_on_commit(lines: Sequence[Line], views: Mapping[int, View], *, rounds: int) -> None:
    # SQLite has one writer at a time, and our transactions take its lock at their start: each sees all before it.
    if rounds and connections[_alias()].vendor != "sqlite":
        again = functools.partial(_look_again, lines, views, rounds=rounds)
        transaction.on_commit(again, using=_alias(), robust=True)


def _look_again(lines: Sequence[Line], seen: Mapping[int, View], *, rounds: int) -> None:
    """Announce what writers beside this one could not see of it, nor it of them."""
    with transaction.atomic(using=_alias()):
        stands = history.ids(_wanted(lines))
        fresh = _views([line for line in lines if stands.get(line.pk) != seen[line.pk].ids])
        now = store.targets_by_pk([line.target.pk for line in lines])
        changed = [line for line in lines if line.pk in fresh and fresh[line.pk] != seen[line.pk]]
        outdated = {line.target.pk: line for line in lines if _is_outdated(line.target, now.get(line.target.pk))}
        publish_many([_late(line, fresh[line.pk], line.ids) for line in changed] + [_refetch(line) for line in outdated.values()])
        if changed:
            _look_again_on_commit(changed, fresh, rounds=rounds - 1)


def _is_outdated(used: Target, now: Target | None) -> bool:
    return now is not None and now.revision != used.revision


def _refetch(line: Line) -> NewEvent:
    """Somebody saved the widget while a value was being announced by its former settings: pages take it anew."""
    data = {"revision": line.target.revision, "again": line.ids[line.newest]}
    return NewEvent(f"dashboard:{line.target.dashboard}", "widget.config", data, str(line.target.pk))


def _alias() -> str:
    return router.db_for_write(Sample)


# --- boards and widgets ---


def save_widget(widget: Widget, *, seen: int | None = None) -> Widget:
    """Create or change a widget; pages that show its board take it anew. Raises ValidationError.

    `seen`: the revision that the change was made to; raises Problem (conflict) when somebody saved another meanwhile.
    """
    with transaction.atomic(using=_alias()):
        widget.revision = _next_revision_locked(Widget, widget.pk)
        _check_seen(seen, widget.revision)
        widget.full_clean()
        widget.save()
        publish(f"dashboard:{widget.dashboard_id}", "widget.config", {"revision": widget.revision}, key=str(widget.pk))
    return widget


def show_trouble(widget: Widget, trouble: str) -> None:
    """Show on a widget's tile what is wrong with its source; empty: nothing is any more. Its last value stays."""
    state = Widget.State.ERROR if trouble else Widget.State.OK
    with transaction.atomic(using=_alias()):
        changed = Widget.objects.exclude(state=Widget.State.PAUSED).filter(pk=widget.pk).exclude(state=state, error=trouble[:300])
        if changed.exists():
            revision = _next_revision_locked(Widget, widget.pk)
            changed.update(state=state, error=trouble[:300], revision=revision)
            publish(f"dashboard:{widget.dashboard_id}", "widget.config", {"revision": revision}, key=str(widget.pk))


def note_interval(widget: int, seconds: float | None) -> bool:
    """Note how often a widget's values come; its tiles are late and stale by it from now on. Whether that was news."""
    with transaction.atomic(using=_alias()):
        row = Widget.objects.select_for_update(no_key=True).filter(pk=widget).first()
        if row is None or row.learnt == seconds:
            return False
        Widget.objects.filter(pk=widget).update(learnt=seconds)
        # A key of its own: it must not take the place of what was saved meanwhile.
        publish(f"dashboard:{row.dashboard_id}", "widget.config", {"interval": seconds}, key=f"{widget}//interval")
    return True


def save_source(source: Source) -> Source:
    """Give a widget a source, or change it; it is read soon after the caller's transaction commits. Raises ValidationError."""
    with transaction.atomic(using=_alias()):
        # Without a lease: whoever polls it by its former settings stores nothing any more.
        source.failures, source.due_at, source.leased_until = 0, timezone.now(), None
        source.full_clean()
        source.save()
        _expect(source)
        jobs.wake("poll_sources" if source.kind in sources.POLLED else "refresh_sources")
    return source


def _expect(source: Source) -> None:
    """Let its widget be late by what the source says, from the beginning; where nobody gave an interval (dashboard/freshness.py)."""
    kind = widgets.of(source.widget.kind)
    if source.widget.interval is None and kind.is_regular:
        note_interval(source.widget_id, sources.seconds_between(source.kind, source.config, kind))


def remove_widget(widget: Widget) -> None:
    """Delete a widget with its history; it goes from every page."""
    channel, key = f"dashboard:{widget.dashboard_id}", str(widget.pk)
    with transaction.atomic(using=_alias()):
        widget.delete()
        publish(channel, "widget.removed", {}, key=key)


def save_dashboard(dashboard: Dashboard, *, seen: int | None = None) -> Dashboard:
    """Create or change a board; pages that show it take it anew. Raises ValidationError, and Problem as save_widget."""
    with transaction.atomic(using=_alias()):
        dashboard.revision = _next_revision_locked(Dashboard, dashboard.pk)
        _check_seen(seen, dashboard.revision)
        dashboard.full_clean()
        dashboard.save()
        _publish_layout(dashboard)
        recheck_readers(dashboard.pk)
    return dashboard


def recheck_readers(dashboard: int) -> None:
    """Have everybody who holds this board checked again: its roles or its access may have changed."""
    authority.recheck_channel(f"dashboard:{dashboard}")


def make_link(dashboard: Dashboard, *, by: Any, expires_at: datetime | None = None) -> tuple[ShareLink, str]:
    """A new public address of a board, and its token, which nobody can read again."""
    token = secrets.token_urlsafe(24)
    digest = hashlib.sha256(token.encode()).hexdigest()
    link = ShareLink.objects.create(dashboard=dashboard, digest=digest, hint=token[:6], created_by=by, expires_at=expires_at)
    return link, token


def revoke_link(link: ShareLink, *, now: datetime) -> None:
    """Close a public address; who watches by it sees nothing more at once."""
    with transaction.atomic(using=_alias()):
        if ShareLink.objects.filter(pk=link.pk, revoked_at=None).update(revoked_at=now):
            recheck_readers(link.dashboard_id)


def end_links_now() -> int:
    """The job: close the public addresses whose time is over, also for those who watch by them. Returns how many."""
    now = timezone.now()
    over = list(ShareLink.objects.filter(expires_at__lte=now, revoked_at=None)[:500])
    for link in over:
        revoke_link(link, now=now)
    return len(over)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a widget stands on its board."""

    widget: int
    order: int
    columns: int
    rows: int


def layout(dashboard: Dashboard, places: Iterable[Place], *, seen: int | None = None) -> Dashboard:
    """Put the widgets of a board in order and to size, all at once. Raises ValidationError, and Problem as save_widget."""
    with transaction.atomic(using=_alias()):
        dashboard.revision = _next_revision_locked(Dashboard, dashboard.pk)
        _check_seen(seen, dashboard.revision)
        known = {widget.pk: widget for widget in dashboard.widgets.all()}
        for place in places:
            widget = known[place.widget]
            widget.order, widget.columns, widget.rows = place.order, place.columns, place.rows
            widget.clean_fields()
            widget.save(update_fields=["order", "columns", "rows"])
        dashboard.save(update_fields=["revision", "updated_at"])
        _publish_layout(dashboard)
    return dashboard


def _publish_layout(dashboard: Dashboard) -> None:
    publish(dashboard.channel, "layout.changed", {"revision": dashboard.revision})


def _check_seen(seen: int | None, revision: int) -> None:
    if seen is not None and seen != revision - 1:
        raise Problem(Code.CONFLICT, "Somebody saved this meanwhile. Look at how it stands now, then save again.", field="revision")


def _next_revision_locked(model: type[Widget] | type[Dashboard], pk: Any) -> int:
    """The next revision of a row, which stays locked until the caller's transaction ends: its events' ids are in lock order."""
    known = model._default_manager.select_for_update(no_key=True).filter(pk=pk).values_list("revision", flat=True).first()
    return (known or 0) + 1
