"""Every kind of widget in every state, as `make shots` shows them: the state in words on its tile, and the last value still there."""

import json
import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from scripts import states
from tests.e2e.conftest import Demo

CHIPS = {"live": "", "late": "Late", "stale": "Stale", "error": "Error", "paused": "Paused", "nodata": "No data"}


@pytest.fixture(scope="module")
def boards(demo: Demo) -> Iterator[None]:
    """A board for each state."""
    run = ("shell", "--no-imports", "-c")
    demo.site.manage(*run, "from scripts import states; [states.make(state) for state in states.STATES]")
    yield
    demo.site.manage(*run, "from dashboard.models import Dashboard; Dashboard.objects.filter(slug__startswith='widgets-').delete()")


def words(one: states.Shown) -> list[str]:
    """What its tile says when its last values are there."""
    said = []
    for series, value in one.values.items():
        said += [series] if one.kind in {"bars", "status", "table"} else []
        said += [str(cell) for cell in value.values()] if isinstance(value, dict) else [str(value)]
    return said


@pytest.mark.usefixtures("boards")
@pytest.mark.parametrize("state", states.STATES)
def test_every_tile_says_its_state_and_keeps_its_last_value(state: str, new_page: Callable[..., Page]) -> None:
    page = new_page("alice")
    page.goto(f"/dashboards/widgets-{state}/")
    tiles = page.locator(".board > .w")
    expect(tiles).to_have_count(len(states.SHOWN))
    for order, one in enumerate(states.SHOWN):
        tile = tiles.nth(order)
        # A text, a clock and a room need no value, and so are never late and never without one.
        own = state if one.values or state in {"error", "paused"} else "live"
        expect(tile).to_have_attribute("data-kind", one.kind)
        expect(tile).to_have_attribute("data-state", own)
        expect(tile.locator("header .chip")).to_have_text([CHIPS[own]] if CHIPS[own] else [])
        assert (states.TROUBLE in tile.inner_text()) == (state == "error"), one
        if one.values and state == "nodata":
            expect(tile).to_contain_text(f"/api/v1/widgets/widgets-nodata/w{order}")
        elif one.values:
            has_last_value(tile, one)
            expect(tile.locator("header .age")).to_have_text(re.compile(r"since \d|\d+ (s|min)$|^now$"))


def has_last_value(tile: Locator, one: states.Shown) -> None:
    if one.kind != "timeseries":
        for said in words(one):
            expect(tile).to_contain_text(said)
        return
    tile.scroll_into_view_if_needed()
    expect(tile.locator("canvas")).to_be_visible()
    news = tile.locator("i[data-new]").all()
    newest = {str(i.get_attribute("data-series")): json.loads(i.get_attribute("data-new") or "")["points"][-1][1] for i in news}
    assert newest == one.values
