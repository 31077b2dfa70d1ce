"""The service worker and the settings of one browser: as owner, stranger and guest. What Chromium then shows: tests/e2e/test_desktop.py."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from notifications import actions
from notifications.actions import notify
from notifications.models import Notification, Priority
from notifications.rows import Row, toast
from tests.notifications.conftest import shown, titles

pytestmark = pytest.mark.django_db
Browser = Callable[[Any], Client]


def test_the_service_worker_is_served_at_the_root_to_everybody_and_never_from_a_cache(browser_of: Browser) -> None:
    response = browser_of(None).get("/sw.js")
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert response.headers["Service-Worker-Allowed"] == "/"
    assert response.headers["Cache-Control"] == "no-cache"
    assert "script-src 'self'" in response.headers["Content-Security-Policy"]
    assert b'addEventListener("push"' in response.content
    assert len(response.content) < 4096
    assert browser_of(None).post("/sw.js").status_code == 405


def test_a_signed_in_persons_pages_bring_the_desktop_and_a_guests_do_not(alice: Any, browser_of: Browser) -> None:
    page = browser_of(alice).get("/").content.decode()
    # Before live.js: a tab that is opened hidden must know that it stays connected.
    assert 0 < page.index("notifications/desktop.js") < page.index("core/live.js")
    assert "desktop.js" not in browser_of(None).get("/").content.decode()


def test_the_settings_of_a_device_are_for_signed_in_people(alice: Any, browser_of: Browser) -> None:
    page = browser_of(alice).get("/preferences/device/").content.decode()
    for words in ('data-device-choose="on" hidden', "data-device-says", "data-device-test hidden", "notifications/device.js"):
        assert words in page
    assert browser_of(None).get("/preferences/device/").headers["Location"].startswith("/accounts/login/")


def test_a_test_is_a_loud_notification_to_oneself_and_the_next_one_takes_its_place(alice: Any, bob: Any, browser_of: Browser) -> None:
    browser = browser_of(alice)
    for _ in range(2):
        assert browser.post("/preferences/device/test/", headers={"HX-Request": "true"}).status_code == 204
    assert (titles(alice), titles(bob)) == (["This is a test"], [])
    assert Notification.objects.get().priority == Priority.HIGH
    assert 'data-priority="high"' in shown(f"user:{alice.pk}", alice)[-1]
    assert browser.post("/preferences/device/test/").headers["Location"] == "/preferences/device/"


def test_the_test_needs_a_person_a_post_and_a_csrf_token(alice: Any, browser_of: Browser) -> None:
    assert browser_of(None).post("/preferences/device/test/").headers["Location"].startswith("/accounts/login/")
    assert browser_of(alice).get("/preferences/device/test/").status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice)
    assert strict.post("/preferences/device/test/").status_code == 403
    assert not Notification.objects.exists()


def test_a_desktop_learns_which_of_its_notifications_still_wait(
    alice: Any, bob: Any, browser_of: Browser, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    names = ("Waits", "Read", "Archived", "Snoozed", "Withdrawn")
    ids = {name: notify([alice], title=name, key=name).id for name in names}
    others = notify(bob, title="Not hers").id
    actions.mark_read(alice, [ids["Read"]])
    actions.archive(alice, [ids["Archived"]])
    actions.snooze(alice, [ids["Snoozed"]], until=timezone.now() + timedelta(hours=1))
    actions.withdraw("Withdrawn")
    asked = {"id": [*ids.values(), others, 10**15]}
    browser = browser_of(alice)
    assert browser.get("/inbox/waiting/", asked).json() == {"waiting": [ids["Waits"]]}
    with django_assert_num_queries(3):  # session, person, items
        browser.get("/inbox/waiting/", asked)
    assert browser_of(bob).get("/inbox/waiting/", asked).json() == {"waiting": [others]}
    assert browser_of(None).get("/inbox/waiting/", asked).headers["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("asked", [[], ["x"], ["-1"], ["1.5"], ["٣"], ["9" * 19], ["9" * 5000], ["\0"], ["1"] * 500])
def test_nonsense_waits_for_nobody(alice: Any, browser_of: Browser, asked: list[str]) -> None:
    assert browser_of(alice).get("/inbox/waiting/", {"id": asked}).json() == {"waiting": []}


@pytest.mark.parametrize("priority", [Priority.NORMAL, Priority.HIGH, Priority.CRITICAL])
def test_a_toast_says_how_loud_it_is_and_when_it_arrived_to_the_millisecond(alice: Any, priority: Priority) -> None:
    notify(alice, title="x", priority=priority)
    at = timezone.now().replace(microsecond=123456)
    html = toast(Row.of(Notification.objects.get(), arrived_at=at))
    assert f'data-priority="{priority.label}"' in html
    assert f'role="{"alert" if priority == Priority.CRITICAL else "status"}"' in html
    # The same key twice within a second is two arrivals.
    assert f'data-at="{at:%Y-%m-%dT%H:%M:%S}.123Z"' in html
