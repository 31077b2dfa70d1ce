"""A board with one widget of each kind, and who is what to it: alice owns it, bob may look, charlie is a stranger."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from core.delivery.channel import Event
from core.delivery.sequencer import sequence
from core.tokens import make_token
from dashboard.actions import save_dashboard, save_widget
from dashboard.kinds import DashboardKind
from dashboard.models import Dashboard, Role, Widget
from tests.dashboard.page import Page

NOW = datetime(2026, 11, 21, 7, 10, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """A moment so many seconds after the tests' now."""
    return NOW + timedelta(seconds=seconds)


@pytest.fixture
def owner(django_user_model: Any) -> Any:
    return django_user_model.objects.create_user("olga", password="olga-password")


@pytest.fixture
def board(owner: Any, bob: Any) -> Dashboard:
    made = save_dashboard(Dashboard(slug="ops", title="Ops", owner=owner))
    Role.objects.create(dashboard=made, user=bob, level=Role.Level.VIEW)
    return made


@pytest.fixture
def stat(board: Dashboard) -> Widget:
    return save_widget(
        Widget(dashboard=board, slug="queue", kind="stat", title="Queue", config={"unit": "jobs", "against": 60}, interval=2)
    )


@pytest.fixture
def chart(board: Dashboard) -> Widget:
    return save_widget(Widget(dashboard=board, slug="load", kind="timeseries", title="Load", columns=8, config={"range": 900}))


@pytest.fixture
def feed(board: Dashboard) -> Widget:
    return save_widget(Widget(dashboard=board, slug="events", kind="feed", title="What happened", config={"entries": 4}))


@pytest.fixture
def gauge(board: Dashboard) -> Widget:
    return save_widget(Widget(dashboard=board, slug="disk", kind="gauge", title="Disk", config={"warn": 80, "bad": 90}))


@pytest.fixture
def bars(board: Dashboard) -> Widget:
    return save_widget(Widget(dashboard=board, slug="workers", kind="bars", title="Workers", config={"unit": "%"}))


@pytest.fixture
def progress(board: Dashboard) -> Widget:
    return save_widget(Widget(dashboard=board, slug="import", kind="progress", title="Import", config={"total": 48112, "unit": "rows"}))


@pytest.fixture
def signed_in() -> Callable[[Any], Client]:
    """A browser of somebody; None: of a guest."""

    def make(user: Any) -> Client:
        client = Client()
        if user is not None:
            client.force_login(user)
        return client

    return make


@pytest.fixture
def page(owner: Any, signed_in: Callable[[Any], Client]) -> Callable[[str], Page]:
    """Opens a page of the owner's."""
    return lambda address: Page(signed_in(owner), address)


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every page is rendered at one moment, and numbering waits for nothing."""
    monkeypatch.setattr(timezone, "now", lambda: at(600))
    monkeypatch.setattr(DashboardKind, "pace", 0.0)


@pytest.fixture
def numbered(board: Dashboard) -> Callable[[], list[Event]]:
    """Numbers what was published since the last call."""

    def number() -> list[Event]:
        return [event for batch in sequence([board.channel]).batches for event in batch.events]

    return number


@pytest.fixture
def curl() -> Callable[..., Any]:
    """Posts to the API as curl does: `curl(user, "widgets/ops/queue", "42")`."""

    def post(user: Any, path: str, body: str | bytes, *, scopes: tuple[str, ...] = ("push:*",), kind: str = "") -> Any:
        _, text = make_token(user, "test", scopes)
        headers = {"Authorization": f"Bearer {text}"}
        return Client().post(f"/api/v1/{path}", body, content_type=kind or "application/x-www-form-urlencoded", headers=headers)

    return post


def _add(board: Dashboard, kind: str, **more: Any) -> Widget:
    return save_widget(Widget(dashboard=board, slug=kind, kind=kind, title=kind.title(), **more))


@pytest.fixture
def table(board: Dashboard) -> Widget:
    return _add(board, "table", config={"columns": ["CPU", "State"], "sort": "-CPU"})


@pytest.fixture
def status(board: Dashboard) -> Widget:
    return _add(board, "status")


@pytest.fixture
def text(board: Dashboard) -> Widget:
    return _add(board, "text", config={"text": "# Hello\n\n*you*"})


@pytest.fixture
def clock(board: Dashboard) -> Widget:
    return _add(board, "clock", config={"zone": "Europe/Berlin"})
