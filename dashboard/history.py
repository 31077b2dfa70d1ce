"""Reads of what was recorded: the newest samples for tiles, a stretch of time for charts; and trimming. Times are unix microseconds."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.db import connections, router
from django.db.models import Count, F, Max, Min, QuerySet
from django.utils import timezone

from dashboard import values
from dashboard.models import Sample, Series
from dashboard.widgets.base import Point, View

SECOND = 1_000_000
KEEP = 48 * 3600 * SECOND
KEEP_NEWEST = 60  # samples of a series that stay however old they are: a tile shows its last values, and they must not change unannounced
_AT_ONCE = 200  # SQLite takes 500 SELECTs in one statement, and a series needs two


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
    points.sort(key=lambda point: point.at)
    earlier = points[-count - 1].at if len(points) > count else None
    return View(tuple(points[-count:]), earlier, base)


def _query(wanted: Mapping[int, Wanted]) -> tuple[str, list[Any]]:
    """One SELECT per series, each along the index, joined: a window function would read all samples there are."""
    table = connections[router.db_for_read(Sample)].ops.quote_name(Sample._meta.db_table)
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
    """What a chart of `width` pixels shows of these series: all samples, or the lowest and highest of each bucket."""
    inside = Sample.objects.filter(series__in=series, at__gte=start, at__lte=end)
    counts = inside.values("series").annotate(count=Count("pk")).order_by()
    most = max((row["count"] for row in counts), default=0)
    step = 0 if most <= 2 * width else max(1, (end - start) // width)
    points: dict[int, list[tuple[int, float]]] = {pk: [] for pk in series}
    for pk, at, value in _buckets(inside, step) if step else inside.order_by("at").values_list("series", "at", "value"):
        points[pk].append((at, value))
    return Stretch(start, end, step, points)


def _buckets(inside: QuerySet[Sample], step: int) -> Iterator[tuple[int, int, float]]:
    extremes = {"first": Min("at"), "last": Max("at"), "low": Min("value"), "high": Max("value")}
    rows: Any = inside.annotate(bucket=F("at") / step).values("series", "bucket").annotate(**extremes).order_by("bucket")
    for row in rows:
        yield row["series"], row["first"], row["low"]
        if row["last"] > row["first"]:
            yield row["series"], row["last"], row["high"]


def trim(*, now: int, keep: int = KEEP, keep_newest: int = KEEP_NEWEST) -> int:
    """Delete samples older than `keep`, but never the newest ones of a series. Returns how many went."""
    gone = 0
    for pk in Series.objects.filter(samples__at__lt=now - keep).distinct().values_list("pk", flat=True):
        samples = Sample.objects.filter(series=pk)
        stays = samples.order_by("-at").values_list("at", flat=True)[keep_newest - 1 : keep_newest].first()
        if stays is not None:
            gone += samples.filter(at__lt=min(stays, now - keep)).delete()[0]
    return gone


def newest_times(series: Collection[int]) -> dict[int, int]:
    """The newest time of each of these series that has a sample."""
    if not series:
        return {}
    connection = connections[router.db_for_read(Sample)]
    # One MAX per series is one look into the index; grouped, SQLite reads all samples there are.
    one = f"SELECT %s, MAX(at) FROM {connection.ops.quote_name(Sample._meta.db_table)} WHERE series_id = %s"
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join([one] * len(series)), [pk for pk in series for _ in range(2)])
        return {pk: newest for pk, newest in cursor.fetchall() if newest is not None}


def trim_now() -> int:
    """The job that trims."""
    return trim(now=values.microseconds(timezone.now()))
