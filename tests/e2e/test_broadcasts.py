"""The console in Chromium: compose, preview, count, send once by two clicks, progress live, pause, resume, cancel and withdraw."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Demo

ADD = "/admin/signalbox_notifications/broadcast/add/"
CHUNK = "from notifications.broadcasts.actions import write_chunk; write_chunk({pk}, size=1)\n"

# The web process is asked whom it serves; its answer is in the next round.
MEASURE = """
import time
from notifications.broadcasts.actions import measure_watched
from notifications.models import BroadcastReach
end = time.monotonic() + 20
while not BroadcastReach.objects.filter(broadcast={pk}).exists() and time.monotonic() < end:
    measure_watched()
    time.sleep(0.2)
measure_watched()
"""


@pytest.fixture
def composed(as_alice: Page) -> Page:
    as_alice.goto(ADD)
    as_alice.get_by_label("Title").fill("Maintenance at 22:00")
    as_alice.get_by_label("Text", exact=True).fill("The dashboards are **read-only**, see [why](/rooms/).")
    return as_alice


def test_the_preview_and_the_count_follow_what_is_typed(composed: Page) -> None:
    preview, audience, send = composed.locator("#preview"), composed.locator("#audience"), composed.locator("#send")
    expect(preview.locator(".toast")).to_contain_text("Maintenance at 22:00")
    expect(preview.locator(".row p")).to_have_text("The dashboards are read-only, see why.")
    expect(preview.locator(".mail strong").nth(1)).to_have_text("read-only")
    expect(send).to_have_text("Send to 3 people")
    composed.get_by_label("Groups", exact=True).first.check()
    composed.locator("#id_groups").select_option(label="ops")
    expect(audience.locator(".sample li")).to_have_text(["bob"])
    expect(send).to_have_text("Send to 1 person")
    composed.get_by_text("But not these", exact=True).click()
    composed.get_by_label("And not").fill("bob")
    expect(audience).to_contain_text("Nobody active is in this audience.")
    composed.get_by_label("And not").fill("nobody-at-all")
    expect(audience).to_contain_text("There is no active user or group")


def test_two_clicks_send_once_and_it_is_paused_resumed_and_withdrawn_live(
    composed: Page, as_bob: Page, demo: Demo, new_page: Callable[..., Any]
) -> None:
    as_bob.goto("/inbox/")
    expect(composed.locator("#send")).to_have_text("Send to 3 people")
    composed.locator("#send").dblclick()
    composed.wait_for_url("**/progress/")
    pk = composed.url.rstrip("/").split("/")[-2]
    expect(as_bob.locator("#toasts")).to_contain_text("Maintenance at 22:00")
    expect(as_bob.locator("#inbox-list .row").filter(has_text="Maintenance at 22:00")).to_have_count(1)
    progress = composed.locator(f"#broadcast-{pk}-progress")
    expect(progress).to_contain_text("Sending")
    progress.get_by_role("button", name="Pause").click()
    expect(progress).to_contain_text("Paused")
    demo.site.manage("shell", "-v0", "-c", CHUNK.format(pk=pk))
    expect(progress).to_contain_text("0 of 3 inbox rows written")
    progress.get_by_role("button", name="Resume").click()
    expect(progress).to_contain_text("Sending")
    demo.site.manage("shell", "-v0", "-c", CHUNK.format(pk=pk) + MEASURE.format(pk=pk))
    expect(progress).to_contain_text("1 of 3 inbox rows written")
    expect(progress.locator("dl div").filter(has_text="Connected now").locator("dd")).to_have_text("2")
    composed.on("dialog", lambda dialog: dialog.accept())
    progress.get_by_role("button", name="Cancel and withdraw").click()
    expect(progress).to_contain_text("Cancelled")
    expect(as_bob.locator("#inbox-list .row").filter(has_text="Maintenance at 22:00")).to_have_count(0)
    composed.reload()
    trail = composed.locator(".trail li")
    expect(trail).to_have_count(4)
    expect(trail.first).to_contain_text("Cancelled and withdrawn.")
