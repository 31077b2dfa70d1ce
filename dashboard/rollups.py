"""What samples amount to, in stretches of 10 s, 1 min, 10 min and 1 h, so that a month is drawn as quickly as a minute: docs/dashboards.md.

Whole hours are rolled, once they are over and late transactions have had time to commit. `Series.rolled_to` says how far; a sample that
comes for an hour before that leaves a RollupDue row in its own transaction. Readers take raw samples from `rolled_to` on and for due hours.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from django.db import connections, router, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from core import jobs
from dashboard import values
from dashboard.models import Rollup, RollupDue, Sample, Series

SECOND = 1_000_000
HOUR = 3600 * SECOND
SPANS = (10, 60, 600, 3600)  # seconds
KEPT = {10: 7 * 24 * HOUR, 60: 60 * 24 * HOUR, 600: 400 * 24 * HOUR, 3600: 1500 * 24 * HOUR}
# A writer calls a sample late after `LATE`, the roller waits for `SETTLED`: a transaction may last for the difference.
LATE, SETTLED = 5 * 60 * SECOND, 15 * 60 * SECOND
AT_ONCE = 500


def note_late(written: Mapping[int, Iterable[int]], *, now: datetime) -> None:
    """Leave a due row for each of these series (with the times that were written) that may have been rolled there already."""
    late = values.microseconds(now) - LATE
    times = {series: [at for at in found if at < late] for series, found in written.items()}
    due = [RollupDue(series_id=pk, start=min(old) // HOUR * HOUR, end=(max(old) // HOUR + 1) * HOUR) for pk, old in times.items() if old]
    if due:
        RollupDue.objects.bulk_create(due)
        jobs.wake("roll_up")


def roll_up_now() -> int:
    """The job: roll what has settled, and again what was late. Returns how many series that touched."""
    return roll_up(now=timezone.now())


def roll_up(*, now: datetime) -> int:
    """Roll every series up to the last hour that has settled, and roll again the hours that late samples came for."""
    settled = (values.microseconds(now) - SETTLED) // HOUR * HOUR
    waiting = Sample.objects.filter(series=OuterRef("pk"), at__gte=OuterRef("rolled_to"), at__lt=settled)
    behind = Series.objects.filter(Exists(waiting), rolled_to__lt=settled).order_by("pk")
    pks = set(behind.values_list("pk", flat=True)[:AT_ONCE]) | set(RollupDue.objects.values_list("series", flat=True).distinct()[:AT_ONCE])
    for pk in sorted(pks):
        _roll_series(pk, settled, values.microseconds(now))
    return len(pks)


def _roll_series(pk: int, settled: int, now: int) -> None:
    with transaction.atomic(using=router.db_for_write(Rollup)):
        series = Series.objects.select_for_update(no_key=True, of=["self"]).select_related("widget").filter(pk=pk).first()
        if series is None:
            return
        # Before the samples are read: what comes from here on leaves a row that is not among these.
        due = list(RollupDue.objects.filter(series=pk))
        first = Sample.objects.filter(series=pk).order_by("at").values_list("at", flat=True).first()
        if first is not None:
            # Of the hours before this some samples may have been trimmed: what their rollups say stays.
            whole = -(-(now - series.widget.keep * HOUR) // HOUR) * HOUR
            for one in due:
                _roll(pk, max(one.start, whole), min(one.end, series.rolled_to))
            _roll(pk, max(series.rolled_to, first // HOUR * HOUR), settled)
        Series.objects.filter(pk=pk).update(rolled_to=max(settled, series.rolled_to))
        RollupDue.objects.filter(pk__in=[one.pk for one in due]).delete()


def _roll(series: int, start: int, end: int) -> None:
    if start >= end:
        return
    Rollup.objects.filter(series=series, start__gte=start, start__lt=end).delete()
    connection = connections[router.db_for_write(Rollup)]
    samples, rollups = (connection.ops.quote_name(model._meta.db_table) for model in (Sample, Rollup))
    with connection.cursor() as cursor:
        for span in SPANS:
            # A mean of what could overflow is not formed: Postgres would refuse the whole statement.
            cursor.execute(
                f"INSERT INTO {rollups} (series_id, span, start, low, high, mean, last, count) "
                f"SELECT %s, %s, part.start, part.low, part.high, COALESCE(part.mean, part.low), newest.value, part.count FROM ("
                f"SELECT at / %s * %s AS start, MIN(value) AS low, MAX(value) AS high, COUNT(*) AS count, MAX(at) AS last_at, "
                f"AVG(CASE WHEN ABS(value) < 1e100 THEN value END) AS mean "
                f"FROM {samples} WHERE series_id = %s AND at >= %s AND at < %s GROUP BY 1) AS part "
                f"JOIN {samples} AS newest ON newest.series_id = %s AND newest.at = part.last_at",
                [series, span, span * SECOND, span * SECOND, series, start, end, series],
            )


def trim(*, now: int) -> int:
    """Delete rollups that are older than their span is kept. Returns how many went."""
    return sum(Rollup.objects.filter(span=span, start__lt=now - keep).delete()[0] for span, keep in KEPT.items())


def span_for(step: int) -> int:
    """The longest span of rollups, in seconds, that fits into a step (microseconds); 0: none does."""
    return max((span for span in SPANS if span * SECOND <= step), default=0)


def rolled(series: Collection[int]) -> dict[int, tuple[int, list[tuple[int, int]]]]:
    """How far each of these series is rolled, and which stretches before that are not as their rollups say."""
    due: dict[int, list[tuple[int, int]]] = {pk: [] for pk in series}
    for pk, start, end in RollupDue.objects.filter(series__in=series).order_by("start").values_list("series", "start", "end"):
        due[pk].append((start, end))
    return {pk: (to, due[pk]) for pk, to in Series.objects.filter(pk__in=series).values_list("pk", "rolled_to")}
