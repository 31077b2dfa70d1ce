"""Sources that are asked every so often: once for all who watch, only while somebody does, never twice at once: docs/dashboards.md.

A poll holds no transaction and no lock: it claims the source by a lease, asks in a thread of its own, and stores what was found if the
lease is still its own. One that does not answer in time is interrupted, and its lease renewed until it has really ended: a call that
hangs is never made a second time beside itself. With the process its leases end.
"""

import ctypes
import logging
import threading
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import DatabaseError, connections, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from core.delivery import presence
from core.errors import Problem
from dashboard import refresh, sources, widgets
from dashboard.models import AlertRule, Source, Widget
from dashboard.sources.base import Look, SourceKind

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=30)  # on top of what its kind may take
RENEW = 10.0  # seconds
AT_ONCE = 20  # polls of one run


@dataclass(frozen=True, slots=True)
class Claim:
    """One source that is this run's to ask."""

    source: Source
    until: datetime  # what its lease says, and so whose it is

    @property
    def kind(self) -> SourceKind:
        return sources.KINDS[self.source.kind]


def poll_now() -> int:
    """The job: ask what is due and watched, all at once, and store what was found. Returns how many were asked."""
    calls = [_Call(claim) for claim in claim_due(timezone.now())]
    for call in calls:
        call.start()
    for call in calls:
        _store(call)
    return len(calls)


# --- what is due ---


def claim_due(now: datetime, limit: int = AT_ONCE) -> list[Claim]:
    """Take the sources that are due, that nobody is asking, and whose board somebody looks at or whose values an alert rule judges."""
    due = Source.objects.filter(_free(now), kind__in=sources.POLLED, due_at__lte=now).exclude(widget__state=Widget.State.PAUSED)
    rows = list(_watched(due).select_related("widget__dashboard").order_by("due_at")[:limit])
    return [claim for row in rows if (claim := _claim(row, now))]


def _free(now: datetime) -> Q:
    return Q(leased_until=None) | Q(leased_until__lte=now)


def _watched(due: QuerySet[Source]) -> QuerySet[Source]:
    boards = presence.watched(f"dashboard:{pk}" for pk in due.values_list("widget__dashboard", flat=True).distinct())
    judged = AlertRule.objects.filter(enabled=True).values("widget")
    return due.filter(Q(widget__dashboard__in=[int(name.partition(":")[2]) for name in boards]) | Q(widget__in=judged))


def _claim(row: Source, now: datetime) -> Claim | None:
    until = now + timedelta(seconds=sources.KINDS[row.kind].patience) + LEASE
    taken = Source.objects.filter(_free(now), pk=row.pk, due_at=row.due_at).update(leased_until=until)
    return Claim(row, until) if taken else None


# --- asking ---


class _Overdue(BaseException):
    """Raised inside a call that takes too long. No Exception: a function that catches those must still end."""


class _Call(threading.Thread):
    """One poll in a thread of its own. `trouble`: what went wrong, in words."""

    def __init__(self, claim: Claim) -> None:
        super().__init__(name=f"signalbox-poll-{claim.source.pk}", daemon=True)
        self.claim = claim
        self.found: Look | None = None
        self.trouble = ""
        self._ends = time.monotonic() + claim.kind.patience

    def run(self) -> None:
        try:
            widget = widgets.of(self.claim.source.widget.kind)
            kind = self.claim.kind
            self.found = kind.look(kind.settings(self.claim.source.config, widget), widget)
        except Problem as problem:
            self.trouble = problem.detail
        except _Overdue:
            self.trouble = "It was interrupted."
        except Exception as error:
            # Its words may hold anything, an address with a password too: they go to the log and not on a tile.
            logger.warning("Source %s failed.", self.claim.source.pk, exc_info=True)
            self.trouble = f"It failed: {type(error).__name__}. The worker's log says more."
        finally:
            connections.close_all()

    def is_late(self) -> bool:
        """Wait for it, no longer than it may take."""
        self.join(max(0.0, self._ends - time.monotonic()))
        return self.is_alive()

    def interrupt(self) -> None:
        """Raise in its thread; a call into C that never returns does not notice."""
        if self.ident is not None:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self.ident), ctypes.py_object(_Overdue))


def _store(call: _Call) -> None:
    claim = call.claim
    late = call.is_late()
    now = timezone.now()
    found = None if late else call.found
    trouble = f"It did not answer within {claim.kind.patience:g} s." if late else call.trouble
    with transaction.atomic():
        held = Source.objects.select_for_update(of=["self"]).select_related("widget__dashboard")
        source = held.filter(pk=claim.source.pk, leased_until=claim.until).first()
        if source is not None:
            if found is not None:
                look = found
                trouble = refresh.record_locked(source, lambda: look, now)
            refresh.settle_locked(source, trouble, now, every=_every(claim))
            if not late:
                _release(claim.source.pk, claim.until)
    if late:
        _Keeper(call).start()


def _every(claim: Claim) -> timedelta:
    try:
        config = claim.kind.settings(claim.source.config, widgets.of(claim.source.widget.kind))
    except Problem:
        config = None
    return timedelta(seconds=claim.kind.interval(config))


def _release(pk: int, until: datetime) -> None:
    Source.objects.filter(pk=pk, leased_until=until).update(leased_until=None)


class _Keeper(threading.Thread):
    """Interrupts a call that hangs, and keeps its source's lease until it has ended."""

    def __init__(self, call: _Call) -> None:
        super().__init__(name=f"{call.name}-keeper", daemon=True)
        self._call, self._until = call, call.claim.until

    def run(self) -> None:
        pk = self._call.claim.source.pk
        logger.warning("Source %s takes too long; it is interrupted, and not asked again before it has ended.", pk)
        while self._call.is_alive():
            self._call.interrupt()
            self._call.join(RENEW)
            self._keep(pk, timezone.now() + LEASE if self._call.is_alive() else None)
        connections.close_all()

    def _keep(self, pk: int, until: datetime | None) -> None:
        try:
            if Source.objects.filter(pk=pk, leased_until=self._until).update(leased_until=until) and until:
                self._until = until
        except DatabaseError as error:
            # The next round tries again; a lease that cannot be given back ends by itself.
            logger.warning("The lease of source %s could not be kept or given back: %s", pk, type(error).__name__)
