"""Reads of what was recorded: the newest samples for tiles, a stretch of time for charts; and trimming. Times are unix microseconds."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter
from typing import Any

from django.db import connections, router
from django.db.models import Count, F, Max, Min, QuerySet, Sum
from django.utils import timezone

from dashboard import rollups, values
from dashboard.models import Rollup, Sample, Series, Widget
from dashboard.widgets.base import Point, View

SECOND = 1_000_000
KEEP_NEWEST = 60  # samples of a series that stay however old they are: a tile shows its last values, and they must not change unannounced
_BY_TIME = attrgetter("at")
_AT_ONCE = 200  # series: SQLite takes 500 SELECTs in one statement, and a series needs two


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a tile needs of one series: its newest `count` samples, and the one that lay `horizon` seconds before the newest (0: none)."""

    count: int
    horizon: int = 0


def views(wanted: Mapping[int, Wanted]) -> dict[int, View]:
    """The view of each of these series (by primary key), one query for 200 of them; a series without samples is left out."""
    found: dict[int, View] = {}
    rest = iter(wanted.items())
    while chunk := dict(islice(rest, _AT_ONCE)):
        found |= _views(chunk)
    return found


def _views(wanted: Mapping[int, Wanted]) -> dict[int, View]:
    newest: dict[int, list[Point]] = defaultdict(list)
    bases: dict[int, Point] = {}
    with connections[router.db_for_read(Sample)].cursor() as cursor:
        cursor.execute(*_query(wanted))
        for series, is_base, pk, at, value, label, data in cursor.fetchall():
            point = Point(pk, at, value, label, json.loads(data) if isinstance(data, str) else data)
            if is_base:
                bases[series] = point
            else:
                newest[series].append(point)
    return {pk: _view(points, wanted[pk].count, bases.get(pk)) for pk, points in newest.items()}


def _view(points: list[Point], count: int, base: Point | None) -> View:
    points.sort(key=_BY_TIME)
    earlier = points[-count - 1].at if len(points) > count else None
    ids = (*[point.id for point in points], *([base.id] if base else []))
    return View(tuple(points[-count:]), earlier, base, ids)


def ids(wanted: Mapping[int, Wanted]) -> dict[int, tuple[int, ...]]:
    """The `ids` that the view of each of these series would have now: a fifth of what the views cost (py-spy, 100 widgets). Postgres."""
    found: dict[int, tuple[int, ...]] = {}
    sql, parameters = _query_by_arrays(wanted, connections[router.db_for_read(Sample)].ops.quote_name(Sample._meta.db_table), "id, at")
    with connections[router.db_for_read(Sample)].cursor() as cursor:
        cursor.execute(f"SELECT series, string_agg(id::text, ',' ORDER BY is_base, at) FROM ({sql}) AS stands GROUP BY series", parameters)
        for series, text in cursor.fetchall():
            found[series] = tuple(map(int, text.split(",")))
    return found


def _query(wanted: Mapping[int, Wanted]) -> tuple[str, list[Any]]:
    """One look along the index per series, all in one statement: a window function would read all samples there are."""
    connection = connections[router.db_for_read(Sample)]
    table = connection.ops.quote_name(Sample._meta.db_table)
    return _query_by_arrays(wanted, table) if connection.vendor == "postgresql" else _query_by_arms(wanted, table)


def _query_by_arrays(wanted: Mapping[int, Wanted], table: str, columns: str = "id, at, value, label, data") -> tuple[str, list[Any]]:
    # As many arms as series, as below, take Postgres half a millisecond each to plan.
    newest = f"SELECT {columns} FROM {table} WHERE series_id = given.series ORDER BY at DESC LIMIT given.count"
    last = f"(SELECT MAX(at) FROM {table} WHERE series_id = given.series)"
    base = f"SELECT {columns} FROM {table} WHERE series_id = given.series AND at <= {last} - given.horizon ORDER BY at DESC LIMIT 1"
    compared = {pk: want.horizon * SECOND for pk, want in wanted.items() if want.horizon}
    sql = (
        "SELECT series, 0 AS is_base, found.* FROM unnest(%s::bigint[], %s::bigint[]) AS given(series, count) "
        f"CROSS JOIN LATERAL ({newest}) AS found "
        f"UNION ALL SELECT series, 1, found.* FROM unnest(%s::bigint[], %s::bigint[]) AS given(series, horizon) "
        f"CROSS JOIN LATERAL ({base}) AS found"
    )
    return sql, [list(wanted), [want.count + 1 for want in wanted.values()], list(compared), list(compared.values())]


def _query_by_arms(wanted: Mapping[int, Wanted], table: str) -> tuple[str, list[Any]]:
    newest = f"SELECT series_id, 0, id, at, value, label, data FROM {table} WHERE series_id = %s ORDER BY at DESC LIMIT %s"
    base = (
        f"SELECT series_id, 1, id, at, value, label, data FROM {table} WHERE series_id = %s "
        f"AND at <= (SELECT MAX(at) FROM {table} WHERE series_id = %s) - %s ORDER BY at DESC LIMIT 1"
    )
    arms: list[str] = []
    parameters: list[Any] = []
    for pk, want in wanted.items():
        arms.append(newest)
        parameters += [pk, want.count + 1]
        if want.horizon:
            arms.append(base)
            parameters += [pk, pk, want.horizon * SECOND]
    return " UNION ALL ".join(f"SELECT * FROM ({arm}) AS arm{index}" for index, arm in enumerate(arms)), parameters


@dataclass(frozen=True, slots=True)
class Stretch:
    """The samples of `[start, end]` by series; `step` is the length of a bucket where there were too many to draw, else 0."""

    start: int
    end: int
    step: int
    series: Mapping[int, Sequence[tuple[int, float]]]


def stretch(series: Collection[int], *, start: int, end: int, width: int) -> Stretch:
    """What a chart of `width` pixels shows of these series: all samples, or the lowest and highest of each bucket.

    Where samples were rolled up the rollups are read, which also reach further back than samples are kept.
    """
    step = max(1, (end - start) // width)
    span = rollups.span_for(step)
    standing = rollups.rolled(series) if span else {}
    if any(rolled_to > start for rolled_to, _ in standing.values()):
        return _long(start, end, width, span, standing)
    inside = Sample.objects.filter(series__in=series, at__gte=start, at__lte=end)
    counts = inside.values("series").annotate(count=Count("pk")).order_by()
    few = max((row["count"] for row in counts), default=0) <= 2 * width
    points: dict[int, list[tuple[int, float]]] = {pk: [] for pk in series}
    for pk, at, value in inside.order_by("at").values_list("series", "at", "value") if few else _buckets(inside, step):
        points[pk].append((at, value))
    return Stretch(start, end, 0 if few else step, points)


def _buckets(inside: QuerySet[Sample], step: int) -> Iterator[tuple[int, int, float]]:
    rows: Any = inside.annotate(bucket=F("at") / step).values("series", "bucket").annotate(**_EXTREMES).order_by("bucket")
    for row in rows:
        for at, value in _both_ends([row], 0, 0):
            yield row["series"], at, value


_EXTREMES = {"first": Min("at"), "last": Max("at"), "low": Min("value"), "high": Max("value")}


def _long(start: int, end: int, width: int, span: int, standing: Mapping[int, tuple[int, Sequence[tuple[int, int]]]]) -> Stretch:
    """A stretch that reaches into what was rolled up."""
    step = max(1, (end - start) // width)
    kept = _rolled_counts(standing, start, end)
    inside = {pk: Sample.objects.filter(series=pk, at__gte=start, at__lte=end) for pk in standing}
    # Counted no further than matters: a month of seconds takes long to count.
    few = {pk: rows.values("pk")[: 2 * width + 1].count() for pk, rows in inside.items()}
    if all(few[pk] <= 2 * width and kept.get(pk, 0) <= few[pk] for pk in standing):
        return Stretch(start, end, 0, {pk: list(rows.order_by("at").values_list("at", "value")) for pk, rows in inside.items()})
    return Stretch(start, end, step, {pk: _reduced(pk, start, end, step, span, *known) for pk, known in standing.items()})


def _rolled_counts(series: Collection[int], start: int, end: int) -> dict[int, int]:
    """How many samples the whole hours inside stood for when they were rolled."""
    rows = Rollup.objects.filter(series__in=series, span=3600, start__gte=start, start__lte=end - rollups.HOUR)
    return {row["series"]: row["samples"] for row in rows.values("series").annotate(samples=Sum("count")).order_by()}


def _reduced(
    pk: int, start: int, end: int, step: int, span: int, rolled_to: int, due: Sequence[tuple[int, int]]
) -> list[tuple[int, float]]:
    """One series, from rollups up to `rolled_to` but for what is due, else from samples."""
    points: list[tuple[int, float]] = []
    for first, last, is_rolled in _parts(start, end, rolled_to, due):
        points += _from_rollups(pk, first, last, step, span) if is_rolled else _from_samples(pk, first, last, step)
    return points


def _parts(start: int, end: int, rolled_to: int, due: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int, bool]]:
    """`[start, end]` cut into stretches `[first, last)` that are read from rollups (True) or from samples."""
    at, stop = start, end + 1
    for first, last in [*due, (rolled_to, stop)]:
        if at < min(first, rolled_to, stop):
            yield at, min(first, rolled_to, stop), True
            at = min(first, rolled_to, stop)
        if at < min(last, stop):
            yield at, min(last, stop), False
            at = min(last, stop)


def _from_rollups(pk: int, first: int, last: int, step: int, span: int) -> list[tuple[int, float]]:
    low, high = Min("low"), Max("high")
    rows = Rollup.objects.filter(series=pk, span=span, start__gte=first - span * SECOND + 1, start__lt=last)
    buckets: Any = (
        rows.annotate(bucket=F("start") / step).values("bucket").annotate(first=Min("start"), last=Max("start"), low=low, high=high)
    )
    return _both_ends(buckets.order_by("bucket"), first, span * SECOND)


def _from_samples(pk: int, first: int, last: int, step: int) -> list[tuple[int, float]]:
    rows: Any = Sample.objects.filter(series=pk, at__gte=first, at__lt=last).annotate(bucket=F("at") / step)
    return _both_ends(rows.values("bucket").annotate(**_EXTREMES).order_by("bucket"), first, 0)


def _both_ends(buckets: Iterable[Mapping[str, Any]], first: int, length: int) -> list[tuple[int, float]]:
    """The lowest and the highest value of each bucket, at its two ends."""
    points: list[tuple[int, float]] = []
    for row in buckets:
        begin, over = max(row["first"], first), row["last"] + (length // 2)
        points.append((begin, row["low"]))
        if over > begin and (row["high"] != row["low"] or row["last"] > row["first"]):
            points.append((over, row["high"]))
    return points


def trim(*, now: int, keep_newest: int = KEEP_NEWEST) -> int:
    """Delete samples older than their widget keeps them; never a series' newest, nor what is not rolled up. Returns how many went."""
    gone = 0
    for hours in set(Widget.objects.values_list("keep", flat=True)):
        old = now - hours * rollups.HOUR
        rows = Series.objects.filter(widget__keep=hours, samples__at__lt=old).distinct()
        for pk, rolled_to in rows.values_list("pk", "rolled_to"):
            samples = Sample.objects.filter(series=pk)
            stays = samples.order_by("-at").values_list("at", flat=True)[keep_newest - 1 : keep_newest].first()
            if stays is not None:
                gone += samples.filter(at__lt=min(stays, old, rolled_to)).delete()[0]
    return gone + rollups.trim(now=now)


def newest_times(series: Collection[int]) -> dict[int, int]:
    """The newest time of each of these series that has a sample."""
    if not series:
        return {}
    connection = connections[router.db_for_read(Sample)]
    table = connection.ops.quote_name(Sample._meta.db_table)
    with connection.cursor() as cursor:
        # One MAX per series is one look into the index; grouped, SQLite reads all samples there are.
        if connection.vendor == "postgresql":
            sql = f"SELECT series, (SELECT MAX(at) FROM {table} WHERE series_id = series) FROM unnest(%s::bigint[]) AS given(series)"
            cursor.execute(sql, [list(series)])
        else:
            one = f"SELECT %s, MAX(at) FROM {table} WHERE series_id = %s"
            cursor.execute(" UNION ALL ".join([one] * len(series)), [pk for pk in series for _ in range(2)])
        return {pk: newest for pk, newest in cursor.fetchall() if newest is not None}


def trim_now() -> int:
    """The job that trims."""
    return trim(now=values.microseconds(timezone.now()))
