"""The console's compose page: a test for the sender alone, and sending at a time."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from notifications.models import Broadcast, Notification
from tests.notifications.conftest import carried, titles

pytestmark = pytest.mark.django_db
Browser = Callable[[Any], Client]
COMPOSE = "/admin/signalbox_notifications/broadcast/add/"
SAID = {"title": "Maintenance", "body": "At 22:00", "url": "", "priority": "2", "audience": "all"}


def test_a_test_is_for_the_sender_alone_and_keeps_what_was_written(alice: Any, bob: Any, browser_of: Browser) -> None:
    for _ in range(2):
        page = browser_of(alice).post(COMPOSE, SAID | {"_test": "Send me a test"}).content.decode()
    assert 'value="Maintenance"' in page
    assert "nobody else" in page
    assert (titles(alice), titles(bob), Broadcast.objects.count(), carried("audience:all")) == (["Maintenance"], [], 0, [])


def test_a_test_of_what_may_not_be_sent_says_so(alice: Any, browser_of: Browser) -> None:
    page = browser_of(alice).post(COMPOSE, SAID | {"url": "javascript:alert(1)", "_test": "1"}).content.decode()
    assert 'class="error"' in page
    assert Notification.objects.count() == 0


def test_nobody_tests_who_may_not_send(bob: Any, charlie: Any, browser_of: Browser) -> None:
    for person in (bob, charlie, None):
        assert browser_of(person).post(COMPOSE, SAID | {"_test": "1"}).status_code in (302, 403)
    assert Notification.objects.count() == 0


def test_it_goes_out_at_its_time(alice: Any, bob: Any, browser_of: Browser) -> None:
    at = (timezone.now() + timedelta(days=1)).replace(second=0, microsecond=0)
    answer = browser_of(alice).post(COMPOSE, SAID | {"send_at": f"{at:%Y-%m-%dT%H:%M}"}, follow=True)
    assert answer.status_code == 200
    made = Broadcast.objects.get()
    assert (made.state, made.send_at, carried("audience:all")) == ("scheduled", at, [])


def test_its_time_is_on_the_clock_of_the_zone_beside_it(alice: Any, browser_of: Browser) -> None:
    browser, day = browser_of(alice), timezone.now().date() + timedelta(days=1)
    assert "data-browser-zone" in browser.get(COMPOSE).content.decode()
    browser.post(COMPOSE, SAID | {"send_at": f"{day}T21:30", "zone": "Asia/Tokyo"})
    sent_at = Broadcast.objects.get().send_at
    assert sent_at is not None and sent_at.isoformat() == f"{day}T12:30:00+00:00"
    page = browser.post(COMPOSE, SAID | {"send_at": f"{day}T21:30", "zone": "Mars/Olympus", "intent": "i2"}).content.decode()
    assert "errors field-zone" in page and "There is no such time zone." in page
    assert Broadcast.objects.count() == 1


@pytest.mark.parametrize("at", ["2020-01-01T00:00", "9999-01-01T00:00", "tomorrow", "0000-00-00T00:00", "\0"])
def test_a_time_that_is_past_or_none_is_refused_beside_its_field(alice: Any, browser_of: Browser, at: str) -> None:
    page = browser_of(alice).post(COMPOSE, SAID | {"send_at": at}).content.decode()
    assert "errors field-send_at" in page
    assert Broadcast.objects.count() == 0
