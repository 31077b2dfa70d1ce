"""The console in Chromium: compose, preview, count, a file, a test, send once by two clicks, at a time, again and again; progress live,
pause, resume, cancel and withdraw.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Demo

ADD = "/admin/signalbox_notifications/broadcast/add/"
CHUNK = "from notifications.broadcasts.actions import write_chunk; write_chunk({pk}, size=1)\n"
# All that a worker would do; and what alice sent herself would stand in other tests' inboxes.
WORKED_OFF = """
from django.contrib.auth import get_user_model
from notifications import actions
from notifications.broadcasts.actions import work_off_due
work_off_due()
actions.withdraw("broadcast-test", sender=get_user_model().objects.get(username="alice"))
"""

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
    expect(composed).to_have_url(re.compile("/progress/$"))  # the second click aborts the first one's navigation
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


def test_a_file_is_counted_a_test_reaches_oneself_alone_and_what_is_done_is_withdrawn(
    composed: Page, as_bob: Page, demo: Demo, tmp_path: Path
) -> None:
    team = tmp_path / "team.csv"
    team.write_text("username\nbob\n")
    send, title = composed.locator("#send"), "Maintenance at 22:00"
    as_bob.goto("/inbox/")
    composed.get_by_label("Named people and groups").check()
    composed.get_by_label("Or a CSV file").set_input_files(team)
    expect(composed.locator("#audience")).to_contain_text("1 person of team.csv")
    expect(composed.locator("#audience .sample li")).to_have_text(["bob"])
    expect(send).to_have_text("Send to 1 person")
    composed.get_by_role("button", name="Send me a test").click()
    expect(composed.get_by_role("status").filter(has_text="You have it on your screens")).to_be_visible()
    expect(composed.locator("#toasts")).to_contain_text(title)
    expect(composed.locator("#audience")).to_contain_text("Name somebody.")
    composed.get_by_label("Or a CSV file").set_input_files(team)
    expect(send).to_have_text("Send to 1 person")
    expect(as_bob.locator("#toasts")).not_to_contain_text(title)
    send.click()
    composed.wait_for_url("**/progress/")
    row = as_bob.locator("#inbox-list .row").filter(has_text=title)
    expect(row).to_have_count(1)
    demo.site.manage("shell", "-v0", "-c", WORKED_OFF)
    progress = composed.locator("#broadcast")
    expect(progress).to_contain_text("Done 1 of 1 inbox rows written")
    composed.on("dialog", lambda dialog: dialog.accept())
    progress.get_by_role("button", name="Withdraw", exact=True).click()
    expect(progress).to_contain_text("Cancelled")
    expect(row).to_have_count(0)


def test_one_for_a_time_is_cancelled_and_one_that_recurs_is_planned_and_switched_off(composed: Page) -> None:
    day = f"{datetime.now(UTC) + timedelta(days=30):%Y-%m-%d}"
    composed.get_by_label("Send at").fill(f"{day}T10:00")
    composed.get_by_label("Time zone").fill("Asia/Tokyo")
    composed.locator("#send").click()
    composed.wait_for_url("**/progress/")
    progress = composed.locator("#broadcast")
    expect(progress).to_contain_text("Scheduled")
    expect(progress.locator("header time")).to_have_attribute("datetime", f"{day}T01:00:00+00:00")
    composed.on("dialog", lambda dialog: dialog.accept())
    progress.get_by_role("button", name="Cancel", exact=True).click()
    expect(progress).to_contain_text("Cancelled")
    composed.goto(ADD)
    composed.get_by_label("Title").fill("Standup")
    composed.get_by_label("Repeats").fill("0 9 * * 1-5")
    composed.locator("#send").click()
    composed.wait_for_url("**/recurrence/")
    expect(composed.locator("body")).to_contain_text("“Standup” goes out next at")
    composed.locator("tr").filter(has_text="Standup").locator("input.action-select").check()
    composed.locator("select[name=action]").select_option(label="Switch off")
    composed.get_by_role("button", name="Go").click()
    expect(composed.locator("body")).to_contain_text("Switched off: 1.")
