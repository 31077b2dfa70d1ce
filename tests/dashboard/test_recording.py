"""Values on their way in: what is stored, what is announced, what is refused."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from core.delivery import wire
from core.errors import Code, Problem
from core.models import Event
from dashboard.actions import NewValue, post_feed, record, record_many, remove_widget, save_widget
from dashboard.models import Dashboard, Sample, Series, Widget
from tests.dashboard.conftest import NOW, at

pytestmark = pytest.mark.django_db


def events(*types: str) -> list[Event]:
    return list(Event.objects.filter(type__in=types).order_by("id"))


def values_of(widget: Widget) -> list[float]:
    return list(Sample.objects.filter(series__widget=widget).order_by("at").values_list("value", flat=True))


def test_a_value_is_stored_and_announced_in_one_transaction(stat: Widget) -> None:
    record("ops/queue", 42, NOW, now=NOW)
    (sample,) = Sample.objects.all()
    (event,) = events("widget.value")
    assert (sample.value, event.channel, event.key) == (42.0, f"dashboard:{stat.dashboard_id}", f"{stat.pk}/")
    assert (event.major, event.minor) == (int(NOW.timestamp()) * 1_000_000, sample.pk)
    assert wire.load(event.data)["value"] == 42.0


def test_a_rolled_back_value_never_shows(stat: Widget) -> None:
    with transaction.atomic():
        record("ops/queue", 42, NOW, now=NOW)
        transaction.set_rollback(True)
    assert not Sample.objects.exists()
    assert not events("widget.value")


def test_the_same_series_and_time_replaces(stat: Widget) -> None:
    record(stat, 1, NOW, now=NOW)
    first = Sample.objects.get()
    record(stat, 2, NOW, now=NOW)
    second = Sample.objects.get()
    assert (second.value, second.pk > first.pk) == (2.0, True)
    older, newer = events("widget.value")
    assert (newer.major, newer.minor) > (older.major, older.minor)


def test_a_sample_older_than_the_newest_is_a_change_behind_it(stat: Widget) -> None:
    record(stat, 2, at(10), now=at(10))
    record(stat, 1, at(5), now=at(10))
    assert values_of(stat) == [1.0, 2.0]
    assert len(events("widget.value")) == 1
    (late,) = events("series.changed")
    data = wire.load(late.data)
    assert (late.slot, data["from"], data["to"], data["deep"]) == ("late", at(5).timestamp(), at(5).timestamp(), False)
    assert [value for _, value in data["points"]] == [1.0, 2.0]


def test_a_change_before_all_that_an_event_carries_has_a_key_of_its_own(stat: Widget) -> None:
    record_many([NewValue(stat, value, at(value)) for value in range(40)], now=at(60))
    record(stat, -1, at(-100), now=at(60))
    (late,) = events("series.changed")
    assert (late.key, wire.load(late.data)["deep"]) == (f"{stat.pk}//deep", True)


def test_a_list_is_announced_once_per_series(chart: Widget) -> None:
    new = [NewValue(chart, value, at(value), series) for value in range(30) for series in ("cpu", "memory")]
    assert record_many(new, now=at(60)) == 60
    announced = [wire.load(event.data) for event in events("widget.value")]
    assert [(data["series"], data["value"]) for data in announced] == [("cpu", 29.0), ("memory", 29.0)]
    assert announced[0]["prev"] == at(17).timestamp()
    assert len(announced[0]["points"]) == 12


def test_a_list_that_reaches_behind_the_newest_announces_both(stat: Widget) -> None:
    record(stat, 5, at(5), now=at(5))
    record_many([NewValue(stat, 1, at(1)), NewValue(stat, 9, at(9))], now=at(9))
    (late,) = events("series.changed")
    assert wire.load(late.data)["to"] == at(1).timestamp()
    assert wire.load(events("widget.value")[-1].data)["value"] == 9.0


def test_the_later_of_two_values_for_one_time_in_a_list_stands(stat: Widget) -> None:
    record_many([NewValue(stat, 1, NOW), NewValue(stat, 2, NOW)], now=NOW)
    assert values_of(stat) == [2.0]


def test_an_event_tells_the_change_against_an_earlier_time(stat: Widget) -> None:
    record(stat, 10, at(0), now=at(0))
    assert wire.load(events("widget.value")[-1].data)["change"] is None
    record(stat, 25, at(61), now=at(61))
    assert wire.load(events("widget.value")[-1].data)["change"] == 15.0


def test_two_entries_of_one_moment_stand_side_by_side(feed: Widget) -> None:
    post_feed(feed, "one", at=NOW, now=NOW)
    post_feed(feed, "two", at=NOW, now=NOW)
    record_many([NewValue(feed, "three", NOW), NewValue(feed, "four", NOW)], now=NOW)
    assert sorted(Sample.objects.values_list("label", flat=True)) == ["four", "one", "three", "two"]
    assert [entry[2] for entry in wire.load(events("widget.value")[-1].data)["entries"]] == ["four", "three", "two", "one"]


def test_the_longest_entries_fit_into_an_event(feed: Widget) -> None:
    feed.config = {"entries": 10}
    save_widget(feed)
    for second in range(12):
        post_feed(feed, "\U0001f6f0" * 200, at=at(second), url="/" + "x" * 499, now=at(20))
    assert len(wire.load(events("widget.value")[-1].data)["entries"]) == 10


def test_a_new_series_makes_pages_take_the_board_anew(chart: Widget) -> None:
    before = len(events("widget.config"))
    record(chart, 1, NOW, series="cpu", now=NOW)
    record(chart, 2, at(1), series="cpu", now=at(1))
    assert [event.key for event in events("widget.config")[before:]] == [f"{chart.pk}/cpu"]


def test_a_stale_widget_instance_is_read_again(stat: Widget) -> None:
    old = Widget.objects.get(pk=stat.pk)
    stat.config = {"unit": "tasks"}
    save_widget(stat)
    record(old, 1, NOW, now=NOW)
    assert wire.load(events("widget.value")[-1].data)["unit"] == "tasks"


def test_a_removed_widget_takes_no_values(stat: Widget) -> None:
    remove_widget(Widget.objects.get(pk=stat.pk))
    with pytest.raises(Problem) as refused:
        record("ops/queue", 1)
    assert refused.value.code is Code.NOT_FOUND
    assert events("widget.removed")[-1].key == str(stat.pk)


def test_nothing_of_a_list_is_stored_when_one_value_is_bad(stat: Widget) -> None:
    with pytest.raises(Problem):
        record_many([NewValue(stat, 1, at(1)), NewValue(stat, "two", at(2))], now=at(3))
    assert not Series.objects.exists()


def test_an_unknown_widget_is_refused_with_near_names(stat: Widget, feed: Widget) -> None:
    with pytest.raises(Problem) as refused:
        record("ops/queues", 1)
    assert refused.value.code is Code.NOT_FOUND
    assert "ops/queue" in refused.value.allowed


@pytest.mark.parametrize("name", ["", "ops", "ops/", "/queue", "ops/queue/total", "OPS/QUEUE", "ops/queue\n", "\u0661/x"])
def test_what_is_no_name_of_a_widget_is_not_found(stat: Widget, name: str) -> None:
    with pytest.raises(Problem) as refused:
        record(name, 1)
    assert refused.value.code is Code.NOT_FOUND


BAD_NUMBERS = [
    float("nan"),
    float("inf"),
    -float("inf"),
    2**53 + 1,
    -(2**53) - 1,
    10**400,
    "42",
    "1,5",
    "",
    True,
    False,
    None,
    [],
    [1],
    {},
    b"1",
]


@pytest.mark.parametrize("value", BAD_NUMBERS, ids=[repr(value)[:20] for value in BAD_NUMBERS])
def test_what_is_no_number_is_refused_with_the_shape(stat: Widget, value: object) -> None:
    with pytest.raises(Problem) as refused:
        record(stat, value)
    assert (refused.value.code, refused.value.field) == (Code.INVALID, "value")
    assert not Sample.objects.exists()


@pytest.mark.parametrize(("value", "kept"), [(1e308, 1e308), (-1e308, -1e308), (-0.0, 0.0), (2**53, 2.0**53), (5e-324, 5e-324), (0, 0.0)])
def test_every_finite_number_is_kept_and_shown(stat: Widget, value: float, kept: float) -> None:
    record(stat, -1e308, at(-70), now=NOW)
    record(stat, value, NOW, now=NOW)
    (stored,) = Sample.objects.filter(at=int(NOW.timestamp()) * 1_000_000).values_list("value", flat=True)
    assert (stored, str(stored)) == (kept, str(kept))


BAD_TIMES = {
    "zero": 0,
    "negative": -1,
    "before 2000": 946684799,
    "milliseconds": 1795245000000,
    "2**63": 2**63,
    "nan": float("nan"),
    "infinity": float("inf"),
    "a hundred years ahead": NOW + timedelta(days=36525),
    "six minutes ahead": NOW + timedelta(minutes=6),
    "naive": datetime(2026, 11, 21, 7, 10),
    "naive text": "2026-11-21T07:10:00",
    "no time": "yesterday",
    "year 10000": "10000-01-01T00:00:00Z",
    "foreign digits": "\u0662\u0660\u0662\u0666-11-21T07:10:00Z",
    "true": True,
    "list": [],
    "long": "2026-11-21T07:10:00Z" * 1000,
}


@pytest.mark.parametrize("when", BAD_TIMES.values(), ids=BAD_TIMES)
def test_what_is_no_time_of_a_value_is_refused(stat: Widget, when: object) -> None:
    with pytest.raises(Problem) as refused:
        record(stat, 1, when, now=NOW)
    assert (refused.value.code, refused.value.field) == (Code.INVALID, "at")
    assert not Sample.objects.exists()


GOOD_TIMES: list[Any] = [NOW, "2026-11-21T07:10:00Z", "2026-11-21T08:10:00+01:00", NOW.timestamp(), int(NOW.timestamp()), None]


@pytest.mark.parametrize("when", GOOD_TIMES, ids=map(str, GOOD_TIMES))
def test_times_are_iso_with_offset_or_unix_seconds(stat: Widget, when: Any) -> None:
    record(stat, 1, when, now=NOW)
    assert Sample.objects.get().at == int(NOW.timestamp()) * 1_000_000


def test_microseconds_are_kept_exactly(stat: Widget) -> None:
    record(stat, 1, datetime(2026, 11, 21, 7, 9, 59, 999999, tzinfo=UTC), now=NOW)
    assert Sample.objects.get().at == int(NOW.timestamp()) * 1_000_000 - 1


@pytest.mark.parametrize("name", ["a b", "a/b", "ä", "x" * 65, "<script>", "a\n", 7])
def test_a_series_has_a_plain_name(chart: Widget, name: Any) -> None:
    with pytest.raises(Problem) as refused:
        record(chart, 1, series=name)
    assert refused.value.field == "series"


def test_a_stat_has_one_series(stat: Widget) -> None:
    with pytest.raises(Problem) as refused:
        record(stat, 1, series="cpu")
    assert refused.value.field == "series"


def test_a_widget_has_at_most_64_series(chart: Widget) -> None:
    record_many([NewValue(chart, 1, NOW, f"s{number}") for number in range(64)], now=NOW)
    with pytest.raises(Problem) as refused:
        record(chart, 1, series="one-more")
    assert refused.value.field == "series"
    assert Series.objects.count() == 64


@pytest.mark.parametrize("text", ["", "   ", 7, None, [], "x" * 201])
def test_an_entry_is_a_short_text(feed: Widget, text: Any) -> None:
    with pytest.raises(Problem):
        post_feed(feed, text)
    assert not Sample.objects.exists()


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "//evil", "/\\evil", "data:text/html,x", "ftp://x", "https://a b", "JaVaScRiPt:x", "x" * 600]
)
def test_an_entry_leads_nowhere_bad(feed: Widget, url: str) -> None:
    with pytest.raises(Problem) as refused:
        post_feed(feed, "text", url=url)
    assert refused.value.field == "url"


def test_recording_costs_few_queries(stat: Widget, django_assert_max_num_queries: Any) -> None:
    record(stat, 1, at(0), now=at(0))
    with django_assert_max_num_queries(9):
        record("ops/queue", 2, at(1), now=at(1))


def test_a_list_costs_no_more_queries_than_one_value(chart: Widget, board: Dashboard, django_assert_max_num_queries: Any) -> None:
    names = [f"s{number}" for number in range(20)]
    record_many([NewValue(chart, 1, at(0), name) for name in names], now=at(0))
    with django_assert_max_num_queries(9):
        record_many([NewValue(chart, value, at(value), name) for name in names for value in range(1, 50)], now=at(60))
