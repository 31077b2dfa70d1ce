"""After a resync everybody fetches the board's region at once: it is rendered once for all of them, and for nobody who may not see it."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from core.delivery import sequencer
from core.models import Channel
from core.shared import Shared
from dashboard import boards, views
from dashboard.actions import record
from dashboard.models import Widget

pytestmark = pytest.mark.django_db
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
AGAIN = {"Live-Refetch": "1"}

SignedIn = Callable[[Any], Client]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The boards that were read, in order, while the clock of what is shared stands still."""
    monkeypatch.setattr(views, "_refetched", Shared(clock=lambda: 0.0))
    found: list[int] = []
    board = boards.board

    def counted(pk: int, **given: Any) -> Any:
        found.append(pk)
        return board(pk, **given)

    monkeypatch.setattr(boards, "board", counted)
    return found


def number_all(widget: Widget) -> None:
    """Number what waits for the channel's pace."""
    Channel.objects.update(numbered_at=EPOCH)
    sequencer.sequence_channels([widget.dashboard.channel])


@pytest.mark.django_db(transaction=True)
def test_a_storm_of_refetches_renders_the_board_once(stat: Widget, owner: Any, bob: Any, signed_in: SignedIn, read: list[int]) -> None:
    record(stat, 41)
    number_all(stat)
    browsers = [signed_in(person) for person in (owner, bob)]
    pages = {browser.get("/dashboards/ops/board/", headers=AGAIN).content for browser in browsers for _ in range(20)}
    assert len(pages) == 1 and b"41" in pages.pop()
    assert len(read) == 1
    record(stat, 42)
    number_all(stat)
    assert b"42" in browsers[0].get("/dashboards/ops/board/", headers=AGAIN).content, "a new position is a new rendering"
    assert len(read) == 2


def test_what_was_made_for_others_is_not_for_a_stranger(stat: Widget, owner: Any, charlie: Any, signed_in: SignedIn) -> None:
    record(stat, 41)
    assert signed_in(owner).get("/dashboards/ops/board/", headers=AGAIN).status_code == 200
    assert signed_in(charlie).get("/dashboards/ops/board/", headers=AGAIN).status_code == 404
    assert signed_in(None).get("/dashboards/ops/board/", headers=AGAIN).status_code == 404
