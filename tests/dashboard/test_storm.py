"""Whatever happens to a board with a widget of every kind, in whatever order, an open page ends as a page rendered now."""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from core import jobs
from core.delivery.channel import Event
from core.errors import Problem
from dashboard import widgets
from dashboard.actions import (
    NewValue,
    Place,
    layout,
    note_interval,
    record,
    record_many,
    remove_widget,
    save_dashboard,
    save_source,
    save_widget,
    show_trouble,
)
from dashboard.alerts import actions as alerts
from dashboard.alerts.reading import has_numbers
from dashboard.models import AlertRule, Dashboard, Sample, Source, Widget
from dashboard.refresh import refresh
from dashboard.sources import function
from dashboard.sources.function import Registered
from tests.dashboard.conftest import at
from tests.dashboard.page import Page, assert_follows, compacted

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]

VIEWS = ("", "mini/")  # of a board
NAMES = ("cpu", "memory", "web-1")
NO_SOURCE = ("feed", "text", "clock", "room")  # of a function that returns one number
SETTINGS: dict[str, list[dict[str, Any]]] = {
    "stat": [{"unit": "jobs", "against": 60}, {"against": 0, "decimals": 1}, {"better": "up", "against": 5}],
    "timeseries": [{"range": 900}, {"range": 900, "area": True, "labels": {"cpu": "CPU"}}, {"stacked": True, "unit": "%"}],
    "gauge": [{"warn": 80, "bad": 90}, {"high": 400, "warn": 10}, {}],
    "bars": [{"unit": "%"}, {"high": 500}],
    "progress": [{"total": 300}, {"total": 48112, "unit": "rows"}],
    "table": [{"columns": ["CPU", "State"]}, {"columns": ["State"], "sort": "State"}, {}],
    "status": [{}],
    "feed": [{"entries": 4}, {"entries": 2}],
    "text": [{"text": "# Hello"}, {"text": "*you*"}],
    "clock": [{"zone": "Europe/Berlin"}, {"seconds": False}],
    "room": [{"room": "lobby"}, {"room": "other"}],
}


def value(dice: random.Random, kind: str) -> object:
    """One that suits the kind."""
    match kind:
        case "table":
            return dice.choice([{}, {"CPU": dice.randint(0, 99), "State": dice.choice(["idle", "<b>busy</b>"])}, {"CPU": 1}])
        case "status":
            return dice.choice(["up", "down", "slow", "unknown"])
        case "feed" | "text":
            return f"word {dice.randint(0, 999)} & **more**"
    return round(dice.uniform(-50, 500), dice.choice([0, 2]))


@dataclass
class Looking:
    """Somebody with an open page, which is told what is new when she looks at it."""

    page: Page
    rest: str
    waiting: list[Event] = field(default_factory=list)

    def looks(self, told: Callable[[list[Event]], list[Event]]) -> None:
        self.page.apply(told(self.waiting))
        self.waiting = []


DOINGS = [
    *["value"] * 4, "many", "again", "pause", "trouble", "source",
    "settings", "rename", "interval", "judged", "taken", "place", "replace",
]  # fmt: skip


class Storm:
    """Things that happen to a board, by a die."""

    def __init__(self, board: Dashboard, kinds: Sequence[str], seed: int) -> None:
        self.board, self.dice, self.clock = board, random.Random(seed), 100.0
        self.happened: Counter[str] = Counter()
        self.pack: list[str] = []
        self.answer: object = None  # of the function that its sources ask
        for kind in kinds:
            self._add(kind)

    def blow(self) -> None:
        """One thing, to one widget."""
        self.clock += self.dice.random() * 4
        # As from a pack of cards: nothing is long in coming.
        self.pack = self.pack or self.dice.sample(DOINGS, len(DOINGS))
        doing, widget = getattr(self, self.pack.pop()), self.dice.choice(list(Widget.objects.select_related("dashboard")))
        if doing(widget) is not False:
            self.happened[doing.__name__] += 1

    def value(self, widget: Widget) -> object:
        """Now or late, of a known line or of a new one."""
        return self._recorded([self._new(widget, self.clock - self.dice.choice([0, 0, 0, 0.5, 3, 20, 90, 5000]))])

    def many(self, widget: Widget) -> object:
        times = [self.clock - self.dice.random() * 60 for _ in range(self.dice.choice([2, 40]))]
        return self._recorded([self._new(widget, moment) for moment in times])

    def again(self, widget: Widget) -> object:
        """Another value for a time that has one."""
        some = list(Sample.objects.filter(series__widget=widget).values_list("series__name", "at"))
        if not some:
            return False
        series, when = self.dice.choice(some)
        return record(widget, value(self.dice, widget.kind), when / 1_000_000, series=series, now=at(600))

    def pause(self, widget: Widget) -> None:
        widget.state = Widget.State.OK if widget.state == Widget.State.PAUSED else Widget.State.PAUSED
        widget.error = ""
        save_widget(widget)

    def trouble(self, widget: Widget) -> None:
        show_trouble(widget, self.dice.choice(["", "", "It does <not> answer.", "The query is wrong."]))

    def source(self, widget: Widget) -> object:
        """Its source is asked, which sometimes fails and then recovers."""
        if widget.kind in NO_SOURCE:
            return False
        kind = widgets.of(widget.kind)
        found = value(self.dice, widget.kind)
        self.answer = self.dice.choice([{"cpu": found} if kind.several else found] * 2 + ["nothing of the kind"])
        known = Source.objects.filter(widget=widget).first()
        made = known or save_source(Source(widget=widget, kind="function", config={"function": "storm"}))
        return refresh(made.pk, now=at(600))

    def settings(self, widget: Widget) -> None:
        widget.config = self.dice.choice(SETTINGS[widget.kind])
        save_widget(widget)

    def rename(self, widget: Widget) -> None:
        widget.title, widget.slug = f"Name {self.dice.randint(0, 99)}", self._slug(widget.kind)
        save_widget(widget)
        self.board.title, self.board.slug = widget.title, self._slug("board")
        save_dashboard(self.board)

    def interval(self, widget: Widget) -> None:
        note_interval(widget.pk, self.dice.choice([None, 2.0, 30.0]))

    def judged(self, widget: Widget) -> None:
        alerts.judge(now=at(600 + self.clock))

    def taken(self, widget: Widget) -> object:
        """Somebody acknowledges or mutes an alert of it."""
        rule = AlertRule.objects.filter(widget=widget).first()
        if rule is None:
            return False
        alerts.mute(rule.pk, until=self.dice.choice([None, at(9999)]), now=at(600))
        return alerts.acknowledge(rule.pk, by=self.board.owner, now=at(600))

    def place(self, widget: Widget) -> None:
        self.board = layout(self.board, [Place(widget.pk, self.dice.randint(0, 20), self.dice.choice([3, 6]), 2)])

    def replace(self, widget: Widget) -> None:
        """It goes, with its history, and another of its kind comes."""
        remove_widget(widget)
        self._add(widget.kind)

    def _add(self, kind: str) -> None:
        config = self.dice.choice(SETTINGS[kind])
        widget = save_widget(Widget(dashboard=self.board, slug=self._slug(kind), kind=kind, title=kind, config=config))
        if has_numbers(kind):
            alerts.save_rule(AlertRule(widget=widget, name=f"{kind} high", condition="above", high=90))

    def _slug(self, word: str) -> str:
        return f"{word}-{self.dice.randint(0, 10**9)}"

    def _new(self, widget: Widget, moment: float) -> NewValue:
        series = self.dice.choice(NAMES) if widgets.of(widget.kind).several else ""
        return NewValue(widget, value(self.dice, widget.kind), at(moment), series, self.dice.choice(["", "", "<i>labelled"]))

    def _recorded(self, new: list[NewValue]) -> object:
        try:
            return record_many(new, now=at(600))
        except Problem:
            assert not widgets.of(new[0].widget.kind).takes_values  # type: ignore[union-attr]
            return False


@pytest.fixture
def storm_of(board: Dashboard, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Storm]]:
    """Begins a storm: `storm_of(["stat", "feed"], seed=3)`."""

    def begin(kinds: Sequence[str], seed: int) -> Storm:
        storm = Storm(board, kinds, seed)
        monkeypatch.setitem(function._functions, "storm", Registered("storm", lambda: storm.answer, "storm"))
        return storm

    with jobs.collected():
        yield begin


@pytest.fixture
def play(page: Callable[[str], Page], numbered: Callable[[], list[Event]]) -> Callable[[Storm, int], None]:
    """Lets a storm blow over pages that are opened before and on the way, each of which looks at the news now and then."""

    def run(storm: Storm, steps: int) -> None:
        numbered()
        opened = [Looking(page(f"/dashboards/{storm.board.slug}/{rest}"), rest) for rest in VIEWS]
        for _ in range(steps):
            storm.blow()
            if storm.dice.random() < 0.4:
                events = numbered()
                for looking in opened:
                    looking.waiting += events
            if storm.dice.random() < 0.04:
                rest = storm.dice.choice(VIEWS)
                opened.append(Looking(page(f"/dashboards/{storm.board.slug}/{rest}"), rest))
            for looking in opened:
                if storm.dice.random() < 0.2:
                    looking.looks(storm.dice.choice([compacted, list]))
        last = numbered()
        fresh = {rest: page(f"/dashboards/{storm.board.slug}/{rest}") for rest in VIEWS}
        for looking in opened:
            looking.waiting += last
            looking.looks(compacted)
            assert_follows(looking.page, fresh[looking.rest])

    return run


@pytest.mark.parametrize("kind", widgets.KINDS)
def test_whatever_happens_to_widgets_of_one_kind_open_pages_end_as_pages_rendered_now(
    kind: str, storm_of: Callable[..., Storm], play: Callable[[Storm, int], None]
) -> None:
    storm = storm_of([kind, kind], seed=len(kind))
    play(storm, 64)
    wanted = {"pause", "trouble", "settings", "rename", "interval", "place", "replace"}
    if widgets.KINDS[kind].takes_values:
        wanted |= {"value", "many", "again"}
    if kind not in NO_SOURCE:
        wanted |= {"source"}
    assert wanted <= storm.happened.keys(), "a storm of few things"


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_to_a_board_of_every_kind_open_pages_end_as_pages_rendered_now(
    seed: int, storm_of: Callable[..., Storm], play: Callable[[Storm, int], None]
) -> None:
    storm = storm_of(list(widgets.KINDS), seed)
    play(storm, 96)
    assert sum(storm.happened.values()) > 60
