"""docs/how-to/add-a-widget.md: the page's own code, made into a widget by its form, live and kept right."""

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.test import Client

from core.delivery.sequencer import sequence
from dashboard import widgets
from dashboard.actions import record, save_widget
from dashboard.kinds import DashboardKind
from dashboard.models import Dashboard, Widget
from tests.dashboard.conftest import at
from tests.dashboard.page import Page

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "add-a-widget.md"


def code() -> str:
    """The first block of Python of the page."""
    return blocks()[0]


def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)


@pytest.fixture
def tank(monkeypatch: pytest.MonkeyPatch) -> Any:
    module = ModuleType("tank")
    exec(compile(code(), str(PAGE), "exec"), module.__dict__)
    monkeypatch.setattr(widgets, "KINDS", dict(widgets.KINDS))
    exec(blocks()[1], module.__dict__)
    monkeypatch.setattr(DashboardKind, "pace", 0.0)
    return module.Tank


def test_it_takes_less_than_sixty_lines() -> None:
    assert 10 < len(code().splitlines()) < 60


@pytest.mark.django_db
def test_the_kind_of_the_page_has_its_form_and_an_open_page_follows_it(
    tank: Any, board: Dashboard, owner: Any, signed_in: Callable[[Any], Client], page: Callable[[str], Page]
) -> None:
    sent = {"title": "Oil", "columns": "3", "rows": "2", "own_holds": "40", "own_unit": "<l>"}
    assert signed_in(owner).post("/dashboards/ops/edit/new/?kind=tank", sent).status_code == 302
    widget = Widget.objects.get()
    assert widget.config == {"holds": 40.0, "unit": "<l>"}
    record(widget, 10, at(0), now=at(600))
    sequence([board.channel])
    opened = page("/dashboards/ops/")
    assert "25% of 40 <l>" in opened.region.text
    for second, value in ((1, 30), (0.5, 7), (2, 900)):
        record(widget, value, at(second), now=at(600))
        opened.apply([event for batch in sequence([board.channel]).batches for event in batch.events])
    assert "100% of 40 <l>" in opened.region.text
    widget.config = {"holds": 1000}
    save_widget(widget)
    opened.apply([event for batch in sequence([board.channel]).batches for event in batch.events])
    assert "90% of 1000 l" in opened.region.text
    assert opened.shown() == page("/dashboards/ops/").shown()
