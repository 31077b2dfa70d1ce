"""What is left of values whose samples are gone: rollups, as lines of a table or a CSV. Only of kinds that take numbers."""

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from django.db.models import BigIntegerField, OuterRef, Q, QuerySet, Subquery

from dashboard import rollups, widgets
from dashboard.models import Rollup, Sample, Series, Widget
from dashboard.sources.base import takes_numbers
from dashboard.values import NUMBER_SHAPE

_NEVER = 2**62
_TEXTS = {10: "mean of 10 s", 60: "mean of 1 min", 600: "mean of 10 min", 3600: "mean of 1 h"}


class Line(NamedTuple):
    """A value as tables show it; `at` in microseconds."""

    at: int
    series: str
    value: float
    label: str
    data: Any = None


def older(widget: Widget, *, spans: Collection[int] = rollups.SPANS, before: int | None = None) -> Iterator[Line]:
    """The means of what lies before the samples of a widget, newest first, of the shortest spans that are kept.

    `before`: of what ends before this, also where there are samples.
    """
    kind = widgets.KINDS.get(widget.kind)
    if kind is None or not takes_numbers(kind) or kind.shape != NUMBER_SHAPE:
        return
    rows = _rows(widget, sorted(spans), before)
    if rows is not None:
        for start, name, mean, span in rows.values_list("start", "series__name", "mean", "span").iterator(chunk_size=2000):
            yield Line(start, name, mean, _TEXTS[span])


def _rows(widget: Widget, spans: Collection[int], before: int | None) -> QuerySet[Rollup] | None:
    first = {f"first_{span}": _first(Rollup.objects.filter(span=span).order_by("start"), "start") for span in spans}
    chosen = Q()
    found: Any = Series.objects.filter(widget=widget).annotate(oldest=_first(Sample.objects.order_by("at"), "at"), **first)
    for row in found.values():
        edge = before if before is not None else row["oldest"] if row["oldest"] is not None else _NEVER
        for span in spans:
            # A stretch that samples or shorter spans tell of is not told twice.
            chosen |= Q(series=row["id"], span=span, start__lte=edge - span * rollups.SECOND)
            edge = min(edge, row[f"first_{span}"] or edge)
    return Rollup.objects.filter(chosen).order_by("-start", "series") if chosen else None


def _first(rows: "QuerySet[Sample] | QuerySet[Rollup]", field: str) -> Subquery:
    return Subquery(rows.filter(series=OuterRef("pk")).values(field)[:1], output_field=BigIntegerField())
