"""Run in a site on Postgres: many values in one call are stored as one by one, and the later of two for one time stands.

Prints `stored` at its end. `test_overlapping.py` starts it.
"""

from django.contrib.auth import get_user_model
from django.utils import timezone

from dashboard.actions import NewValue, record, record_many, save_dashboard, save_widget
from dashboard.models import Dashboard, Sample, Widget
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
    print("stored")


def _value(number: int, text: str = "") -> tuple[int, tuple[dict[str, object], str]]:
    label = text or TEXTS[number % len(TEXTS)]
    return number, ({"cell": label, "number": number * 1.1e-7}, label)


def _stored(widget: Widget) -> list[tuple[object, ...]]:
    return list(Sample.objects.filter(series__widget=widget).order_by("at").values_list("at", "value", "label", "data"))
