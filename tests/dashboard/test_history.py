"""What is kept, how much of it is read, and what is trimmed."""

from typing import Any

import pytest

from dashboard import history
from dashboard.actions import NewValue, record_many
from dashboard.models import Sample, Series, Widget
from tests.dashboard.conftest import NOW, at

pytestmark = pytest.mark.django_db

SECOND = history.SECOND
NOON = int(NOW.timestamp()) * SECOND


def fill(widget: Widget, times: range, series: str = "") -> int:
    record_many([NewValue(widget, second, at(second), series) for second in times], now=at(max(times)))
    return Series.objects.get(widget=widget, name=series).pk


def test_a_view_holds_the_newest_and_knows_what_was_before(stat: Widget) -> None:
    pk = fill(stat, range(50))
    view = history.views({pk: history.Wanted(3)})[pk]
    assert [point.value for point in view.points] == [47.0, 48.0, 49.0]
    assert (view.earlier, view.base) == (NOON + 46 * SECOND, None)


def test_a_view_compares_with_the_value_some_time_before(stat: Widget) -> None:
    pk = fill(stat, range(0, 100, 10))
    view = history.views({pk: history.Wanted(2, horizon=35)})[pk]
    assert view.base is not None
    assert view.base.value == 50.0
    assert history.views({pk: history.Wanted(2, horizon=500)})[pk].base is None


def test_hundreds_of_series_are_read_by_few_queries(chart: Widget, django_assert_num_queries: Any) -> None:
    made = Series.objects.bulk_create([Series(widget=chart, name=f"s{number}") for number in range(450)])
    Sample.objects.bulk_create([Sample(series=one, at=NOON, value=1) for one in made])
    with django_assert_num_queries(3):
        views = history.views({one.pk: history.Wanted(12, horizon=60) for one in made})
    assert len(views) == 450


def test_trimming_keeps_what_is_young_and_the_newest_of_each_series(chart: Widget) -> None:
    old, young = fill(chart, range(100), "old"), fill(chart, range(3600, 3700), "young")
    gone = history.trim(now=NOON + 3650 * SECOND, keep=100 * SECOND, keep_newest=10)
    assert gone == 90
    assert Sample.objects.filter(series=young).count() == 100
    assert list(Sample.objects.filter(series=old).order_by("at").values_list("value", flat=True)) == [float(n) for n in range(90, 100)]


def test_trimming_twice_takes_nothing_more(chart: Widget) -> None:
    fill(chart, range(100), "old")
    for expected in (40, 0):
        assert history.trim(now=NOON + 7200 * SECOND, keep=3600 * SECOND) == expected
