"""Run in a site on Postgres: many values in one call are stored as one by one, and the later of two for one time stands.

Prints `stored` at its end. `test_overlapping.py` starts it.
"""

from django.contrib.auth import get_user_model
from django.db import connection
from django.utils import timezone

from dashboard import history
from dashboard.actions import NewValue, record, record_many, save_dashboard, save_widget
from dashboard.models import Dashboard, Sample, Series, Widget
from dashboard.values import moment

START = (int(timezone.now().timestamp()) - 6000) * 1_000_000
TEXTS = [
    "",
    "plain",
    "it's",
    'a "quote"',
    "back\\slash",
    "{braces, a}",
    "NULL",
    "tab\tline",
    "ünïcödé 🚦",
    "%s",
    "'); DROP TABLE x; --",
]


def main() -> None:
    board = save_dashboard(Dashboard(slug="ops", title="Ops", owner=get_user_model().objects.create_user("olga")))
    one, many = (save_widget(Widget(dashboard=board, slug=name, kind="table", title=name)) for name in ("one", "many"))
    values = [_value(number) for number in range(60)] + [_value(3, "again")]
    for number, value in values:
        record(one, value[0], moment(START + number), series="row", label=value[1])
    record_many([NewValue(many, value[0], moment(START + number), "row", value[1]) for number, value in values])
    assert _stored(one) == _stored(many), "as one by one"
    assert len(_stored(many)) == 60
    ids = list(Sample.objects.filter(series__widget=many).order_by("at").values_list("pk", flat=True))
    assert ids == sorted(ids), "ids rise with the times"
    record_many([NewValue(many, {"cell": 1.5}, moment(START + number), "row") for number in range(30)])
    assert min(Sample.objects.filter(series__widget=many, at__lt=START + 30).values_list("pk", flat=True)) > max(ids), "replaced"
    record(one, {"cell": "old"}, moment(START - 60_000_000), series="row")
    _check_views(one, many)
    print("stored")


def _check_views(*widgets: Widget) -> None:
    """The two ways of asking for the newest samples find the same."""
    series = list(Series.objects.filter(widget__in=widgets).values_list("pk", flat=True))
    wanted = dict(zip(series, (history.Wanted(30, 10), history.Wanted(1)), strict=True)) | {max(series) + 1: history.Wanted(5, 5)}
    found = []
    for query in (history._query_by_arms, history._query_by_arrays):
        with connection.cursor() as cursor:
            cursor.execute(*query(wanted, Sample._meta.db_table))
            found.append(sorted(row[:5] for row in cursor.fetchall()))
    assert found[0] == found[1] and len(found[0]) == 31 + 1 + 2
    assert set(history.newest_times([*series, max(series) + 1])) == set(series)


def _value(number: int, text: str = "") -> tuple[int, tuple[dict[str, object], str]]:
    label = text or TEXTS[number % len(TEXTS)]
    return number, ({"cell": label, "number": number * 1.1e-7}, label)


def _stored(widget: Widget) -> list[tuple[object, ...]]:
    return list(Sample.objects.filter(series__widget=widget).order_by("at").values_list("at", "value", "label", "data"))
