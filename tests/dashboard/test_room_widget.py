"""A room on a board: the tile is the same for everybody, and what is said stands in a region that each viewer asks the room for."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from core.delivery.sequencer import sequence
from core.errors import Problem
from dashboard.actions import record, save_widget
from dashboard.kinds import DashboardKind
from dashboard.models import Dashboard, Widget
from tests.dashboard.page import Page

pytestmark = pytest.mark.django_db


@pytest.fixture
def room(board: Dashboard) -> Widget:
    return save_widget(Widget(dashboard=board, slug="talk", kind="room", title="Talk", config={"room": "club"}))


def test_the_tile_names_the_room_s_region_and_holds_nothing_that_was_said(room: Widget, owner: Any, bob: Any, signed_in: Any) -> None:
    texts = [signed_in(user).get("/dashboards/ops/board/").content.decode() for user in (owner, bob)]
    tiles = [text[text.index("<section") : text.index("</section>")] for text in texts]
    assert tiles[0] == tiles[1]
    assert 'hx-get="/rooms/club/latest/" hx-trigger="load"' in tiles[0]
    assert "no room club that is open to you" in tiles[0]
    assert 'data-state="live"' in tiles[0]


def test_a_page_follows_when_another_room_is_chosen(room: Widget, page: Callable[[str], Page], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DashboardKind, "pace", 0.0)
    sequence([room.dashboard.channel])
    opened = page("/dashboards/ops/")
    room.config = {"room": "hall"}
    save_widget(room)
    opened.apply([event for batch in sequence([room.dashboard.channel]).batches for event in batch.events])
    assert opened.refetches == 1
    assert opened.region.having("hx-get")[0].attributes["hx-get"] == "/rooms/hall/latest/"
    assert opened.shown() == page("/dashboards/ops/").shown()


@pytest.mark.parametrize("name", ["../admin", "a b", '"><script>', "x" * 65, "lobby\n", "é"])
def test_what_is_no_name_of_a_room_is_refused(board: Dashboard, name: str) -> None:
    with pytest.raises(ValidationError, match="settings of a room are wrong"):
        save_widget(Widget(dashboard=board, slug="talk", kind="room", title="Talk", config={"room": name}))


def test_it_takes_no_values(room: Widget) -> None:
    with pytest.raises(Problem, match="A room takes no values"):
        record(room, 42)
