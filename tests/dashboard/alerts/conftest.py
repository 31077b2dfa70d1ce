"""A widget whose values are watched, and a clock that the test holds."""

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from core import sinks
from core.delivery.channel import Event
from core.delivery.sequencer import sequence
from core.sinks import Alert
from dashboard.actions import NewValue, record_many
from dashboard.alerts import actions
from dashboard.kinds import DashboardKind
from dashboard.models import AlertRule, Dashboard, Widget
from tests.dashboard.conftest import at


class Watch:
    """Values and time for one widget; what was told and shown since. Seconds count from the tests' now."""

    def __init__(self, board: Dashboard, widget: Widget, monkeypatch: pytest.MonkeyPatch) -> None:
        self.board, self.widget, self.now = board, widget, 0.0
        self.told: list[Alert] = []
        self.events: list[Event] = []
        monkeypatch.setattr(timezone, "now", lambda: at(self.now))

    def rule(self, **more: Any) -> AlertRule:
        usual = {"name": "Queue too long", "condition": "above", "high": 90, "widget": self.widget}
        given = usual | {"created_at": at(self.now)} | more
        return actions.save_rule(AlertRule(**given))

    def sees(self, *values: float | tuple[float, float], series: str = "") -> "Watch":
        """Values now, or (seconds, value) for their own times; numbered and judged."""
        new = [value if isinstance(value, tuple) else (self.now, value) for value in values]
        self.now = max(self.now, *(second for second, _ in new))
        record_many([NewValue(self.widget, value, at(second), series) for second, value in new], now=at(self.now))
        return self.settles()

    def waits_until(self, second: float) -> "Watch":
        self.now = second
        return self.settles()

    def settles(self) -> "Watch":
        self.events += [event for batch in sequence([self.board.channel]).batches for event in batch.events]
        actions.judge(now=at(self.now))
        self.events += [event for batch in sequence([self.board.channel]).batches for event in batch.events]
        return self

    @property
    def state(self) -> str:
        return AlertRule.objects.get().state

    @property
    def said(self) -> list[str]:
        """The titles of what was told, shortened to their first word and loudness."""
        return [f"{one.title.split(':')[0]} {one.priority}" for one in self.told]


@pytest.fixture
def watch(board: Dashboard, stat: Widget, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(DashboardKind, "pace", 0.0)
    watching = Watch(board, stat, monkeypatch)
    sinks.alerts.connect(watching.told.append)
    yield watching
    sinks.alerts.disconnect(watching.told.append)


Watching = Callable[..., Watch]
