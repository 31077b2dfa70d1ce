"""Widgets that show rows of this application: figures that equal the database whatever is done to it, and what may not be shown."""

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Avg, Count, Sum
from django.utils import timezone

from core import jobs
from core.delivery.sequencer import sequence
from core.models import Event
from dashboard import refresh
from dashboard.actions import record, save_source, save_widget
from dashboard.kinds import DashboardKind
from dashboard.models import Dashboard, Sample, Source, SourceDirty, Widget
from tests.dashboard.conftest import at
from tests.dashboard.page import Page

pytestmark = pytest.mark.django_db

WIDGET, USER = "signalbox_dashboard.Widget", "auth.User"


@pytest.fixture(autouse=True)
def exposed(settings: Any) -> None:
    settings.DASHBOARD_MODELS = {WIDGET: ["kind", "columns", "title"], USER: ["username", "is_active", "date_joined", "password"]}
    refresh.connect()


@pytest.fixture
def fed(board: Dashboard) -> Callable[..., Widget]:
    """Makes a widget with a model source, read once."""

    def make(kind: str, *, settings: dict[str, Any] | None = None, **config: Any) -> Widget:
        widget = save_widget(Widget(dashboard=board, slug=f"{kind}-{Widget.objects.count()}", kind=kind, title=kind, config=settings or {}))
        with jobs.collected():
            save_source(Source(widget=widget, kind="model", config={"model": WIDGET} | config))
        refresh.refresh(widget.source.pk, now=timezone.now())
        return widget

    return make


def shown(widget: Widget) -> dict[str, float]:
    """The newest value of each series."""
    rows = Sample.objects.filter(series__widget=widget).order_by("at").values_list("series__name", "value")
    return dict(rows)


def work() -> None:
    """Do what a worker does once it is woken."""
    while refresh.refresh_now():
        pass


def test_a_count_follows_saves_and_deletes(fed: Callable[..., Widget], django_capture_on_commit_callbacks: Any) -> None:
    widget = fed("stat", model=USER, where={"is_active": True})
    stood = User.objects.filter(is_active=True).count()
    assert shown(widget) == {"": stood}
    with jobs.collected() as woken, django_capture_on_commit_callbacks(execute=True):
        for number in range(20):
            User.objects.create(username=f"u{number}", is_active=bool(number % 2))
    assert (woken, SourceDirty.objects.count()) == (["refresh_sources"], 1), "one transaction is one row"
    work()
    assert shown(widget) == {"": User.objects.filter(is_active=True).count()}
    assert SourceDirty.objects.count() == 0
    with jobs.collected() as woken, django_capture_on_commit_callbacks(execute=True):
        User.objects.get(username="u1").delete()
        User.objects.filter(username__in=["u2", "u3", "u5"]).delete()
    assert (woken, SourceDirty.objects.count()) == (["refresh_sources"], 1)
    work()
    assert shown(widget) == {"": User.objects.filter(is_active=True).count()} == {"": 7 + stood}
    assert SourceDirty.objects.count() == 0


def test_a_change_between_the_reading_and_the_end_of_a_refresh_is_read_by_the_next(
    fed: Callable[..., Widget], monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    widget = fed("stat", model=USER)
    with jobs.collected(), django_capture_on_commit_callbacks(execute=True):
        User.objects.create(username="early")
    look = refresh._look

    def look_and_be_overtaken(source: Source) -> Any:
        found = look(source)
        with django_capture_on_commit_callbacks(execute=True):
            User.objects.create(username="meanwhile")
        return found

    with jobs.collected(), monkeypatch.context() as patched:
        patched.setattr(refresh, "_look", look_and_be_overtaken)
        refresh.refresh(widget.source.pk, now=timezone.now())
    assert shown(widget) == {"": User.objects.count() - 1}
    assert SourceDirty.objects.count() == 1, "the row of the change that was read is gone, that of the other is not"
    work()
    assert shown(widget) == {"": User.objects.count()}
    assert SourceDirty.objects.count() == 0


def test_what_no_signal_tells_of_is_found_by_the_recount_every_thirty_seconds(
    fed: Callable[..., Widget], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = at(0)
    monkeypatch.setattr(timezone, "now", lambda: clock)
    widget = fed("stat", model=USER)
    before = User.objects.count()
    assert Source.objects.get().due_at == at(30)
    assert (jobs.job("refresh_sources").every or 99) <= 30
    User.objects.bulk_create([User(username=f"bulk{number}") for number in range(5)])
    assert SourceDirty.objects.count() == 0
    clock = at(29)
    assert refresh.refresh_now() == 0
    assert shown(widget) == {"": before}
    clock = at(30)
    assert refresh.refresh_now() == 1
    assert shown(widget) == {"": before + 5}
    assert Source.objects.get().due_at == at(60)


def test_what_is_rolled_back_marks_nothing_and_does_not_hide_what_comes_after(
    fed: Callable[..., Widget], django_capture_on_commit_callbacks: Any
) -> None:
    fed("stat", model=USER)
    with jobs.collected(), django_capture_on_commit_callbacks(execute=True):
        with transaction.atomic():
            User.objects.create(username="gone")
            transaction.set_rollback(True)
        assert SourceDirty.objects.count() == 0
        User.objects.create(username="stays")
    assert SourceDirty.objects.count() == 1


def test_a_changed_relation_marks_too(fed: Callable[..., Widget], bob: Any, django_capture_on_commit_callbacks: Any) -> None:
    fed("stat", model=USER)
    with jobs.collected(), django_capture_on_commit_callbacks(execute=True):
        bob.groups.add(Group.objects.create(name="new"))
    assert SourceDirty.objects.count() == 1


@pytest.mark.parametrize("change", ["add", "remove", "clear", "set"])
def test_a_relation_changed_from_its_other_end_marks_too(
    fed: Callable[..., Widget], bob: Any, change: str, django_capture_on_commit_callbacks: Any
) -> None:
    fed("stat", model=USER)
    group = Group.objects.create(name="new")
    if change in {"remove", "clear"}:
        group.user_set.add(bob)
    with jobs.collected(), django_capture_on_commit_callbacks(execute=True):
        {
            "add": lambda: group.user_set.add(bob),
            "remove": lambda: group.user_set.remove(bob),
            "clear": lambda: group.user_set.clear(),
            "set": lambda: group.user_set.set([bob]),
        }[change]()
    assert SourceDirty.objects.count() == 1


def test_figures_equal_the_database_after_a_thousand_changes(
    fed: Callable[..., Widget], board: Dashboard, django_capture_on_commit_callbacks: Any
) -> None:
    count, total, mean = fed("stat"), fed("stat", figure="sum", field="columns"), fed("gauge", figure="average", field="columns")
    groups, wide = fed("bars", group="kind"), fed("stat", where={"columns__gte": 6})
    dice = random.Random(7)
    with jobs.collected():
        for step in range(1000):
            with django_capture_on_commit_callbacks(execute=True):
                _change(dice, board, step)
            if dice.random() < 0.03:
                refresh.refresh_now()
        # What signals told of is exact without a recount.
        Source.objects.update(due_at=timezone.now())
        work()
        Source.objects.update(due_at=timezone.now() + timedelta(days=1))
        for step in range(20):
            with django_capture_on_commit_callbacks(execute=True):
                _change(dice, board, 1000 + step, bulk=False)
        assert SourceDirty.objects.exists()
        work()
        assert_as_the_database(count, total, mean, wide, groups)
        # What bulk updates did takes one.
        with django_capture_on_commit_callbacks(execute=True):
            assert Widget.objects.filter(slug__startswith="r-").update(columns=11)
        Source.objects.update(due_at=timezone.now())
        work()
    assert_as_the_database(count, total, mean, wide, groups)


def assert_as_the_database(count: Widget, total: Widget, mean: Widget, wide: Widget, groups: Widget) -> None:
    rows = Widget.objects.all()
    assert shown(count) == {"": rows.count()}
    assert shown(total) == {"": rows.aggregate(n=Sum("columns"))["n"]}
    assert shown(mean) == {"": pytest.approx(rows.aggregate(n=Avg("columns"))["n"])}
    assert shown(wide) == {"": rows.filter(columns__gte=6).count()}
    assert {kind.replace("odd-kind--df5033", "odd kind!"): n for kind, n in shown(groups).items() if n} == dict(
        rows.order_by().values_list("kind").annotate(Count("pk"))
    )


def _change(dice: random.Random, board: Dashboard, step: int, *, bulk: bool = True) -> None:
    mine = Widget.objects.filter(slug__startswith="r-")
    one = mine.order_by("?").first()
    columns, kind = dice.randint(1, 12), dice.choice(["stat", "feed", "gauge", "odd kind!"])
    match dice.choice(["create", "create", "save", "delete", "rollback", *["bulk"] * bulk]):
        case "save" if one:
            one.columns, one.kind = columns, kind
            one.save()
        case "delete" if one:
            one.delete()
        case "bulk":
            mine.filter(columns__lt=columns).update(columns=columns, kind=kind)
        case "rollback":
            with transaction.atomic():
                Widget.objects.create(dashboard=board, slug=f"x-{step}", kind=kind, title="x")
                transaction.set_rollback(True)
        case _:
            Widget.objects.create(dashboard=board, slug=f"r-{step}", kind=kind, title="x", columns=columns)


def test_the_newest_rows_stand_in_a_table_and_in_a_feed_and_go_when_they_are_deleted(
    fed: Callable[..., Widget], page: Callable[[str], Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DashboardKind, "pace", 0.0)
    monkeypatch.setattr(timezone, "now", lambda: at(600))
    User.objects.create(username="nora", date_joined=at(0))
    table = fed("table", settings={"columns": ["username"]}, model=USER, figure="rows", fields=["username"], rows=5)
    feed = fed("feed", model=USER, figure="rows", fields=["username", "date_joined"], rows=2)
    opened = page("/dashboards/ops/")
    for change in (lambda: User.objects.create(username="zoe", date_joined=at(1)), lambda: User.objects.filter(username="zoe").delete()):
        change()
        for widget in (table, feed):
            refresh.refresh(widget.source.pk, now=timezone.now())
        opened.apply([event for batch in sequence([table.dashboard.channel]).batches for event in batch.events])
        for widget in (table, feed):
            tile = opened.tile(widget.pk)
            assert tile is not None
            assert ("zoe" in tile.text) == User.objects.filter(username="zoe").exists()
            assert "nora" in tile.text
        assert opened.shown() == page("/dashboards/ops/").shown()


def test_times_and_flags_of_rows_are_shown_as_people_write_them(fed: Callable[..., Widget], bob: Any, page: Callable[[str], Page]) -> None:
    bob.date_joined = at(0)
    bob.save()
    fields = ["username", "is_active", "date_joined"]
    table = fed("table", settings={"columns": fields}, model=USER, figure="rows", fields=fields, where={"username": "bob"})
    feed = fed("feed", model=USER, figure="rows", fields=fields, where={"username": "bob"})
    shown = page("/dashboards/ops/")
    cells = [node for node in shown.tile(table.pk).all() if node.tag == "td"]  # type: ignore[union-attr]
    assert [cell.text for cell in cells] == ["bob", "yes", "2026-11-21T07:10:00+00:00"]
    assert cells[2].attributes["data-value"] == f"{at(0).timestamp():.0f}"
    assert cells[2].having("data-style")[0].attributes["datetime"] == "2026-11-21T07:10:00+00:00"
    (entry,) = [node for node in shown.tile(feed.pk).all() if node.tag == "li"]  # type: ignore[union-attr]
    assert entry.text == "07:10:00 bob · yes"


def test_a_feed_that_shows_the_same_rows_is_not_written_again(fed: Callable[..., Widget], bob: Any) -> None:
    feed = fed("feed", model=USER, figure="rows", fields=["username"])
    before = list(Sample.objects.filter(series__widget=feed).values_list("pk", flat=True))
    refresh.refresh(feed.source.pk, now=timezone.now())
    assert before == list(Sample.objects.filter(series__widget=feed).values_list("pk", flat=True)) != []


def test_a_reading_is_shown_last_also_when_this_machine_s_clock_is_behind(fed: Callable[..., Widget]) -> None:
    widget = fed("stat", model=USER)
    record(widget, 999)
    refresh.refresh(widget.source.pk, now=at(-86400))
    assert shown(widget) == {"": User.objects.count()}


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("stat", {"model": "sessions.Session"}),
        ("stat", {"model": "signalbox.ApiToken"}),
        ("stat", {"model": "auth.Group"}),
        ("stat", {"model": ""}),
        ("feed", {"model": USER, "figure": "rows", "fields": ["password"]}),
        ("feed", {"model": USER, "figure": "rows", "fields": ["email"]}),
        ("feed", {"model": USER, "figure": "rows", "fields": []}),
        ("feed", {"model": USER}),
        ("stat", {"model": USER, "where": {"password__startswith": "md5"}}),
        ("stat", {"model": USER, "where": {"is_active__startswith": "1"}}),
        ("stat", {"model": USER, "where": {"groups__name": "ops"}}),
        ("stat", {"model": USER, "where": {"_connector": "OR"}}),
        ("stat", {"model": USER, "where": {"date_joined__gt": "soon"}}),
        ("stat", {"model": USER, "figure": "sum", "field": "username"}),
        ("stat", {"model": USER, "figure": "sum"}),
        ("stat", {"model": USER, "group": "is_active"}),
        ("clock", {"model": USER}),
        ("room", {"model": USER}),
        ("stat", {"model": USER, "sql": "drop"}),
    ],
)
def test_what_is_not_exposed_or_does_not_fit_is_refused_in_words(board: Dashboard, kind: str, config: dict[str, Any]) -> None:
    widget = save_widget(Widget(dashboard=board, slug="w", kind=kind, title="w"))
    with pytest.raises(ValidationError) as refused:
        save_source(Source(widget=widget, kind="model", config=config))
    assert "password," not in str(refused.value)
    assert not Source.objects.exists()


def test_a_source_that_fails_says_so_keeps_its_last_value_backs_off_and_recovers(
    fed: Callable[..., Widget], settings: Any, signed_in: Callable[[Any], Any], owner: Any
) -> None:
    widget = fed("stat", model=USER)
    was = shown(widget)
    listed, settings.DASHBOARD_MODELS = settings.DASHBOARD_MODELS, {WIDGET: ["kind"]}
    for _ in range(3):
        refresh.refresh(widget.source.pk, now=at(0))
    source = Source.objects.get()
    assert (source.failures, source.due_at) == (3, at(240))
    assert Event.objects.filter(type="widget.config", key=str(widget.pk)).count() == 2, "the same trouble is said once"
    text = signed_in(owner).get("/dashboards/ops/").content.decode()
    assert 'data-state="error"' in text
    assert "There is no model" in text
    assert shown(widget) == was
    settings.DASHBOARD_MODELS = listed
    refresh.refresh(widget.source.pk, now=at(300))
    widget.refresh_from_db()
    assert (widget.state, widget.error, Source.objects.get().failures) == ("ok", "", 0)
