"""What is kept, how much of it is read, and what is trimmed."""

import csv
import io
import time
from collections import defaultdict
from typing import Any

import pytest

from dashboard import history, rollups, values
from dashboard.actions import NewValue, record, record_many
from dashboard.models import Rollup, RollupDue, Sample, Series, Widget
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


HOUR = rollups.HOUR
EIGHT = NOON - NOON % HOUR + HOUR  # the whole hour after the tests' now


def later(hours: float) -> Any:
    return values.moment(EIGHT + int(hours * HOUR))


def keep(widget: Widget, hours: int) -> None:
    Widget.objects.filter(pk=widget.pk).update(keep=hours)


def many(widget: Widget, start: int, count: int, *, every: int = 1) -> int:
    """Samples from a whole hour on, without announcing them; returns the series."""
    one, _ = Series.objects.get_or_create(widget=widget, name="s")
    Sample.objects.bulk_create(
        [Sample(series=one, at=start + number * every * SECOND, value=(number * 7919) % 1000) for number in range(count)], batch_size=5000
    )
    return one.pk


def test_trimming_keeps_what_is_young_what_is_not_rolled_and_the_newest_of_each_series(chart: Widget) -> None:
    old, young = fill(chart, range(100), "old"), fill(chart, range(7200, 7300), "young")
    keep(chart, 1)
    assert history.trim(now=EIGHT + 2 * HOUR, keep_newest=10) == 0, "nothing is rolled yet"
    rollups.roll_up(now=later(0.5))
    assert history.trim(now=EIGHT + 2 * HOUR, keep_newest=10) == 90
    assert history.trim(now=EIGHT + 2 * HOUR, keep_newest=10) == 0
    assert Sample.objects.filter(series=young).count() == 100
    assert list(Sample.objects.filter(series=old).order_by("at").values_list("value", flat=True)) == [float(n) for n in range(90, 100)]


def test_rollups_say_what_the_samples_amount_to(chart: Widget) -> None:
    pk = many(chart, EIGHT, 3600)
    assert rollups.roll_up(now=later(1.2)) == 0, "the hour has not settled"
    assert rollups.roll_up(now=later(1.3)) == 1
    assert rollups.roll_up(now=later(1.3)) == 0
    samples = list(Sample.objects.filter(series=pk).order_by("at").values_list("at", "value"))
    for span in rollups.SPANS:
        assert Rollup.objects.filter(series=pk, span=span).count() == 3600 // span
        inside: dict[int, list[float]] = defaultdict(list)
        for moment, value in samples:
            inside[moment // (span * SECOND) * span * SECOND].append(value)
        for row in Rollup.objects.filter(series=pk, span=span):
            numbers = inside[row.start]
            assert (row.low, row.high, row.last, row.count) == (min(numbers), max(numbers), numbers[-1], span)
            assert row.mean == pytest.approx(sum(numbers) / span)


def test_rollups_are_kept_the_longer_the_longer_their_span_and_what_is_old_goes(chart: Widget) -> None:
    one = Series.objects.create(widget=chart, name="s", rolled_to=EIGHT)
    day = 24 * HOUR
    assert {10: 7 * day, 60: 60 * day, 600: 400 * day, 3600: 1500 * day} == rollups.KEPT
    ages = [kept + more for kept in rollups.KEPT.values() for more in (-HOUR, 0, HOUR)]
    Rollup.objects.bulk_create(
        Rollup(series=one, span=span, start=EIGHT - age, low=1, high=1, mean=1, last=1, count=1) for span in rollups.SPANS for age in ages
    )
    old = sum(age > kept for kept in rollups.KEPT.values() for age in ages)
    assert 0 < old < Rollup.objects.count()
    assert history.trim(now=EIGHT) == old, "the job that trims samples trims these too"
    for span, kept in rollups.KEPT.items():
        left = {EIGHT - start for start in Rollup.objects.filter(span=span).values_list("start", flat=True)}
        assert left == {age for age in ages if age <= kept}
    assert history.trim(now=EIGHT) == 0
    assert history.trim(now=EIGHT + 2 * HOUR) > 0, "time goes on"


def test_a_table_and_a_csv_of_thirty_days_reach_back_beyond_the_samples(chart: Widget, owner: Any, signed_in: Any) -> None:
    days = 30 * 24
    pk = many(chart, EIGHT, days, every=3600)
    keep(chart, 48)
    now = later(days + 1)
    before = dict(Sample.objects.filter(series=pk).values_list("at", "value"))
    rollups.roll_up(now=now)
    history.trim(now=values.microseconds(now), keep_newest=1)
    left = Sample.objects.filter(series=pk).count()
    assert 0 < left <= 48
    browser = signed_in(owner)
    text = browser.get("/dashboards/ops/load.csv").getvalue().decode()
    lines = [(row["time"], float(row["value"])) for row in csv.DictReader(io.StringIO(text))]
    told = {values.written(at - at % (10 * SECOND)): value for at, value in before.items()}
    assert len(lines) == len(told) == days, "nothing is left out and nothing told twice"
    assert dict(lines) == pytest.approx(told)
    assert [when for when, _ in lines] == sorted((when for when, _ in lines), reverse=True)
    assert "mean of 10 s" in text
    answer = browser.get("/dashboards/ops/load/table/")
    rows = answer.context["rows"]
    assert [(row["at"], row["value"]) for row in rows] == [(when, f"{value:g}") for when, value in lines]
    assert {row["label"] for row in rows[left:]} == {"mean of 1 h"}
    assert "the mean of each hour" in answer.content.decode()
    many(chart, EIGHT + days * HOUR, 600)
    rows = browser.get("/dashboards/ops/load/table/").context["rows"]
    assert [row["label"] for row in rows[499:501]] == ["", "mean of 1 h"], "also where there are more samples than it shows"


def test_only_numbers_have_means(feed: Widget, owner: Any, signed_in: Any) -> None:
    one = Series.objects.create(widget=feed, name="")
    Rollup.objects.create(series=one, span=3600, start=EIGHT, low=0, high=0, mean=0, last=0, count=9)
    assert signed_in(owner).get("/dashboards/ops/events/table/").context["rows"] == []
    assert len(signed_in(owner).get("/dashboards/ops/events.csv").getvalue().splitlines()) == 1


def test_each_widget_keeps_its_samples_as_long_as_it_says(chart: Widget, stat: Widget) -> None:
    long, short = many(chart, EIGHT, 40, every=3600), many(stat, EIGHT, 40, every=3600)
    keep(chart, 30)
    keep(stat, 10)
    rollups.roll_up(now=later(41))
    history.trim(now=EIGHT + 40 * HOUR, keep_newest=1)
    assert {pk: Sample.objects.filter(series=pk).count() for pk in (long, short)} == {long: 30, short: 10}


def test_a_late_sample_is_drawn_at_once_and_rolled_again(chart: Widget) -> None:
    pk = many(chart, EIGHT, 7200)
    rollups.roll_up(now=later(2.3))
    record(chart, 5000, later(0.5), series="s", now=later(2.3))
    asked = {"start": EIGHT, "end": EIGHT + 2 * HOUR, "width": 60}
    for _ in range(2):
        drawn = history.stretch([pk], **asked)
        assert max(value for _, value in drawn.series[pk]) == 5000
        assert [at for at, _ in drawn.series[pk]] == sorted(at for at, _ in drawn.series[pk])
        rollups.roll_up(now=later(2.3))
    assert (RollupDue.objects.count(), Rollup.objects.filter(high=5000).count()) == (0, 4)


def test_a_late_sample_does_not_empty_an_hour_whose_samples_were_trimmed(chart: Widget) -> None:
    pk = many(chart, EIGHT, 3600)
    keep(chart, 1)
    rollups.roll_up(now=later(5))
    history.trim(now=EIGHT + 5 * HOUR)
    record(chart, 7, later(0.1), series="s", now=later(5))
    rollups.roll_up(now=later(5))
    assert Rollup.objects.get(series=pk, span=3600).count == 3600


def test_long_charts_are_the_same_from_rollups_as_from_samples(chart: Widget) -> None:
    pk = many(chart, EIGHT, 4 * 3600)
    asked = {"start": EIGHT + 100 * SECOND, "end": EIGHT + 4 * HOUR - SECOND, "width": 100}
    before = history.stretch([pk], **asked)
    rollups.roll_up(now=later(3.5))
    after = history.stretch([pk], **asked)
    assert before.step == after.step > 0
    assert max(v for _, v in after.series[pk]) == max(v for _, v in before.series[pk])
    assert abs(len(after.series[pk]) - len(before.series[pk])) <= 4


def test_few_samples_are_drawn_as_they_are_however_long_ago(chart: Widget) -> None:
    pk = many(chart, EIGHT, 20, every=600)
    rollups.roll_up(now=later(30))
    drawn = history.stretch([pk], start=EIGHT - 30 * 24 * HOUR, end=EIGHT + 30 * HOUR, width=800)
    assert (drawn.step, len(drawn.series[pk])) == (0, 20)


def test_what_cannot_be_averaged_is_rolled_too(chart: Widget) -> None:
    record_many([NewValue(chart, value, at(second), "s") for second, value in enumerate((1e308, -1e308, 1e308))], now=at(9))
    rollups.roll_up(now=later(3))
    assert Rollup.objects.filter(low=-1e308, high=1e308, span=3600).exists()


def test_thirty_days_of_seconds_are_drawn_in_a_hundred_milliseconds(chart: Widget) -> None:
    days = 30 * 24
    one = Series.objects.create(widget=chart, name="s", rolled_to=EIGHT + days * HOUR)
    for span in (600, 3600):
        starts = range(EIGHT, EIGHT + days * HOUR, span * SECOND)
        rows = [Rollup(series=one, span=span, start=start, low=1, high=start % 97, mean=5, last=2, count=span) for start in starts]
        Rollup.objects.bulk_create(rows, batch_size=3000)
    # Samples are kept for two days, and the hour that has not settled is read from them.
    many(chart, EIGHT + (days - 1) * HOUR, 3600 + 4500)
    asked = {"start": EIGHT + int(1.25 * HOUR), "end": EIGHT + days * HOUR + 4500 * SECOND, "width": 800}
    times = []
    for _ in range(5):
        began = time.process_time()
        drawn = history.stretch([one.pk], **asked)
        times.append(time.process_time() - began)
    assert 1000 < len(drawn.series[one.pk]) <= 1700
    assert min(times) <= 0.1
