"""The mission, whole: a task in a real Celery worker and a model's `post_save`, one message each, and a page that shows them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from playwright.sync_api import Browser, expect

from tests.e2e.conftest import Demo, running
from tests.support import browser as browsers
from tests.support import servers


@pytest.fixture
def mission(tmp_path: Path, valkey: servers.Valkey) -> Iterator[Demo]:
    site = servers.make_site(tmp_path, redis=valkey.url, DJANGO_SETTINGS_MODULE="tests.support.settings")
    site.manage("demo")
    with site.web() as web, site.worker():
        yield running(site, web)


def _send(site: servers.Site, task: str) -> None:
    site.manage("shell", "-v0", "-c", f"from workers.celery import app; app.send_task('workers.tasks.{task}', queue='live')")


def _heard(pubsub: Any) -> list[str]:
    """The groups of people and boards that were sent to, in order, of all messages that are there already."""
    groups = []
    while said := pubsub.get_message(timeout=0.2):
        match = re.search(rb"__group__((?:user|dashboard)\.[0-9]+)$", said["channel"]) if said["type"] == "pmessage" else None
        if match:
            groups.append(match[1].decode())
    return groups


def test_a_task_and_a_signal_make_one_message_each_and_chromium_shows_them(mission: Demo, browser: Browser, valkey: servers.Valkey) -> None:
    code = "from django.contrib.auth.models import User; from dashboard.models import Dashboard; "
    code += "print(User.objects.get(username='alice').pk, Dashboard.objects.get(slug='this-machine').pk)"
    alice, board = mission.site.manage("shell", "-v0", "-c", code).stdout.split()
    context = browsers.new_context(browser, base_url=mission.url, reduced_motion="reduce")
    page = context.new_page()
    browsers.sign_in(page, mission.url, name="alice", password=mission.passwords["alice"])
    page.goto("/dashboards/this-machine/")
    expect(page.locator("html[data-live-state=live]")).to_have_count(1)
    pubsub = redis.Redis.from_url(valkey.url).pubsub()
    pubsub.psubscribe("*__group__*")
    _heard(pubsub)
    _send(mission.site, "record_something")
    expect(page.locator("main .value").filter(has_text="42.5")).to_have_count(1, timeout=30_000)
    assert _heard(pubsub) == [f"dashboard.{board}"]
    _send(mission.site, "notify_somebody")
    expect(page.locator("#toasts")).to_contain_text("From a worker", timeout=30_000)
    # The board's feed tells of it too: that a notification was sent is a signal of its own.
    assert sorted(_heard(pubsub)) == [f"dashboard.{board}", f"user.{alice}"]
    _send(mission.site, "save_a_model")
    expect(page.locator("#toasts")).to_contain_text("From a signal", timeout=30_000)
    assert sorted(_heard(pubsub)) == [f"dashboard.{board}", f"user.{alice}"]
    context.close()
