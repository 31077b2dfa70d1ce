"""Sources that are asked every so often: once for all who watch, only while somebody does, never twice at once, whatever goes wrong."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from core import jobs
from core.models import Presence, Process
from dashboard import polling
from dashboard.actions import save_source, save_widget
from dashboard.models import AlertRule, Dashboard, Sample, Source, Widget
from dashboard.sources import function
from dashboard.sources.function import FunctionSource

pytestmark = pytest.mark.django_db


@pytest.fixture
def returns(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[int]]:
    """Registers a function by what it returns, or raises; gives a list that grows with its calls."""
    monkeypatch.setattr(function, "_functions", {})

    def make(value: Any, *, name: str = "figure") -> list[int]:
        calls: list[int] = []

        def called() -> Any:
            calls.append(len(calls))
            if isinstance(value, Exception):
                raise value
            return value() if callable(value) else value

        function.register(name, called)
        return calls

    return make


@pytest.fixture
def fed(board: Dashboard) -> Callable[..., Widget]:
    """Makes a widget whose values the function gives."""

    def make(kind: str = "stat", *, name: str = "figure", **config: Any) -> Widget:
        widget = save_widget(Widget(dashboard=board, slug=f"{kind}-{Widget.objects.count()}", kind=kind, title=kind))
        with jobs.collected() as woken:
            save_source(Source(widget=widget, kind="function", config={"function": name} | config))
        assert set(woken) <= {"poll_sources"}
        return widget

    return make


@pytest.fixture
def watched(board: Dashboard) -> Process:
    """Somebody has the board open; delete it, and nobody has."""
    process = Process.objects.create(pk="web", expires_at=timezone.now() + timedelta(minutes=5))
    Presence.objects.create(process=process, channel=board.channel, who="bob")
    return process


def shown(widget: Widget) -> dict[str, float]:
    """The newest value of each series."""
    return dict(Sample.objects.filter(series__widget=widget).order_by("at").values_list("series__name", "value"))


def due() -> None:
    Source.objects.update(due_at=timezone.now() - timedelta(seconds=1))


def test_it_is_asked_once_for_all_who_watch_and_not_while_nobody_does(
    fed: Callable[..., Widget], returns: Any, board: Dashboard, watched: Process
) -> None:
    calls = returns(42)
    widget = fed()
    Presence.objects.create(process=watched, channel=board.channel, who="zoe")
    assert [polling.poll_now(), polling.poll_now(), len(calls)] == [1, 0, 1]
    assert shown(widget) == {"": 42}
    watched.delete()
    due()
    assert (polling.poll_now(), len(calls)) == (0, 1)


def test_a_guest_without_a_name_counts_as_somebody_who_watches_and_is_not_shown(
    fed: Callable[..., Widget], returns: Any, board: Dashboard
) -> None:
    from core.delivery import presence

    returns(1)
    fed()
    presence.refresh("web")
    presence.write("web", {(board.channel, ""): 1})
    assert (polling.poll_now(), presence.people(board.channel), presence.watchers([board.channel])) == (1, [], set())
    presence.write("web", {(board.channel, ""): 0})
    due()
    assert polling.poll_now() == 0


def test_an_alert_rule_watches_too(fed: Callable[..., Widget], returns: Any) -> None:
    returns(1)
    rule = AlertRule.objects.create(widget=fed(), name="high", condition="above", high=5)
    assert polling.poll_now() == 1
    rule.enabled = False
    rule.save()
    due()
    assert polling.poll_now() == 0


def test_a_paused_widget_is_left_alone(fed: Callable[..., Widget], returns: Any, watched: Process) -> None:
    returns(1)
    Widget.objects.filter(pk=fed().pk).update(state=Widget.State.PAUSED)
    assert polling.poll_now() == 0


def test_its_interval_is_its_own_or_that_of_its_kind(fed: Callable[..., Widget], returns: Any, watched: Process) -> None:
    returns(1)
    usual, own = fed(), fed(every=300)
    polling.poll_now()
    now = timezone.now()
    waits = {source.widget: round((source.due_at - now).total_seconds()) for source in Source.objects.all()}
    assert waits == {usual: pytest.approx(FunctionSource.every, abs=1), own: pytest.approx(300, abs=1)}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (RuntimeError("password=hunter2"), "It failed: RuntimeError."),
        (float("nan"), "NaN and infinity are not values."),
        (float("inf"), "NaN and infinity are not values."),
        ("many", "is not a number"),
        (None, "is not a number"),
        ({"a": 1}, "is not a number"),
        (2**60, "beyond that digits would be lost"),
    ],
)
def test_a_function_that_raises_or_returns_nonsense_says_so_and_keeps_the_last_value(
    fed: Callable[..., Widget], returns: Any, watched: Process, value: Any, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    returns(7)
    widget = fed()
    polling.poll_now()
    monkeypatch.setattr(function, "_functions", {})
    calls = returns(value)
    due()
    polling.poll_now()
    widget.refresh_from_db()
    source = Source.objects.get()
    assert (widget.state, source.failures, len(calls), shown(widget)) == ("error", 1, 1, {"": 7})
    assert words in widget.error
    assert "hunter2" not in widget.error
    assert source.leased_until is None
    monkeypatch.setattr(function, "_functions", {})
    returns(8)
    due()
    polling.poll_now()
    widget.refresh_from_db()
    assert (widget.state, widget.error, Source.objects.get().failures, shown(widget)) == ("ok", "", 0, {"": 8})


def test_a_source_that_goes_on_failing_is_asked_less_and_less(fed: Callable[..., Widget], returns: Any, watched: Process) -> None:
    returns(ValueError("no"))
    fed()
    waits = []
    for _ in range(9):
        due()
        polling.poll_now()
        waits.append(round((Source.objects.get().due_at - timezone.now()).total_seconds(), -1))
    assert waits == [20, 40, 80, 160, 320, 600, 600, 600, 600]


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("stat", Decimal("1.5"), {"": 1.5}),
        ("bars", {"web-1": 3, "web-2": 4}, {"web-1": 3, "web-2": 4}),
        ("timeseries", 5, {"": 5}),
        ("table", {"web-1": {"CPU": 3}}, {"web-1": 1}),
        ("status", {"db": "down"}, {"db": 3}),
        ("feed", ["one", "two"], {"": 1}),
        ("text", "**words**", {"": 9}),
    ],
)
def test_what_a_function_returns_takes_the_shape_of_its_widget(
    fed: Callable[..., Widget], returns: Any, watched: Process, kind: str, value: Any, expected: dict[str, float]
) -> None:
    returns(value)
    widget = fed(kind)
    polling.poll_now()
    widget.refresh_from_db()
    assert (shown(widget), widget.error) == (expected, "")


def test_two_runs_that_find_the_same_source_due_ask_it_once(fed: Callable[..., Widget], returns: Any, watched: Process) -> None:
    returns(1)
    fed()
    now = timezone.now()
    assert [len(polling.claim_due(now)) for _ in range(2)] == [1, 0]
    Source.objects.update(leased_until=now - timedelta(seconds=1))
    assert len(polling.claim_due(now)) == 1, "whoever had the lease is dead"


def test_what_was_asked_by_former_settings_is_not_stored(fed: Callable[..., Widget], returns: Any, watched: Process) -> None:
    def changes() -> float:
        return 13

    returns(changes)
    widget = fed()
    (claim,) = polling.claim_due(timezone.now())
    call = polling._Call(claim)
    with jobs.collected():
        save_source(Source.objects.get())
    call.start()
    polling._store(call)
    assert shown(widget) == {}
    assert polling.poll_now() == 1


def test_a_function_is_registered_once_under_a_name_and_only_such_are_called(fed: Callable[..., Widget], returns: Any) -> None:
    returns(1)
    with pytest.raises(ValueError, match="another function 'figure'"):
        function.register("figure", lambda: 2)
    with pytest.raises(ValidationError, match=r"no function 'os\.getcwd'; registered: figure"):
        fed(name="os.getcwd")
    with pytest.raises(ValidationError, match="A clock takes no values"):
        fed("clock")
    with pytest.raises(ValidationError, match="every"):
        fed(every=1)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    opened = threading.Event()
    yield opened
    opened.set()


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "waited for 30 s"
        time.sleep(0.02)


@pytest.mark.django_db(transaction=True)
def test_a_function_that_hangs_is_not_called_again_before_it_has_ended(
    fed: Callable[..., Widget], returns: Any, watched: Process, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FunctionSource, "patience", 0.1)
    monkeypatch.setattr(polling, "RENEW", 0.05)
    monkeypatch.setattr(polling._Call, "interrupt", lambda call: None)  # as a call into C, which does not notice
    calls = returns(gate.wait)
    widget = fed()
    polling.poll_now()
    widget.refresh_from_db()
    assert (widget.state, widget.error) == ("error", "It did not answer within 0.1 s.")
    first = Source.objects.get().leased_until
    until(lambda: Source.objects.get().leased_until > first)
    due()
    assert (polling.poll_now(), len(calls)) == (0, 1)
    gate.set()
    until(lambda: Source.objects.get().leased_until is None)
    due()
    assert (polling.poll_now(), len(calls)) == (1, 2)


@pytest.mark.django_db(transaction=True)
def test_a_function_that_runs_for_ever_is_interrupted(
    fed: Callable[..., Widget], returns: Any, watched: Process, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FunctionSource, "patience", 0.05)

    def for_ever() -> None:
        while not gate.is_set():
            try:
                time.sleep(0.001)
            except Exception:  # noqa: BLE001 - as careless code does
                continue

    returns(for_ever)
    fed()
    polling.poll_now()
    until(lambda: Source.objects.get().leased_until is None)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("signalbox-poll")]
