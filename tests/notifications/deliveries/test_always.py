"""The mail about a new sign-in: the stranger whom it tells of has her pages before him, and does there what he likes."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from core import jobs
from notifications import actions, categories
from notifications.models import Notification
from tests.notifications.deliveries.conftest import Clock, owed, work_off
from tests.support.mailserver import mail_server

pytestmark = pytest.mark.django_db

FIREFOX = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0"}
SAFARI = {"User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605 Version/19.0 Safari/604.1"}


@pytest.fixture
def mails(settings: Any) -> Any:
    with mail_server() as made:
        for name, value in made.settings.items():
            setattr(settings, name, value)
        yield made


def sign_in(headers: dict[str, str]) -> Client:
    browser = Client(headers=headers)
    assert browser.post("/accounts/login/", {"username": "anna", "password": "anna-password"}).status_code == 302
    return browser


def reads(browser: Client, anna: Any, pk: int, clock: Clock) -> None:
    assert "goes out in any case, at" in browser.get(f"/inbox/{pk}/").content.decode()


def opens_the_bell(browser: Client, anna: Any, pk: int, clock: Clock) -> None:
    actions.mark_seen(anna)


def archives(browser: Client, anna: Any, pk: int, clock: Clock) -> None:
    assert browser.post(f"/inbox/{pk}/archive/").status_code == 302


def snoozes(browser: Client, anna: Any, pk: int, clock: Clock) -> None:
    assert browser.post(f"/inbox/{pk}/snooze/", {"for": "tomorrow"}).status_code == 302


def sets_quiet_hours(browser: Client, anna: Any, pk: int, clock: Clock) -> None:
    start, end = (clock.now - timedelta(hours=1)).strftime("%H:%M"), (clock.now + timedelta(hours=1)).strftime("%H:%M")
    assert "Saved" in browser.post("/preferences/quiet/", {"start": start, "end": end, "time_zone": "UTC"}, follow=True).content.decode()


@pytest.mark.parametrize("does", [reads, opens_the_bell, archives, snoozes, sets_quiet_hours])
def test_the_mail_goes_out_whatever_the_stranger_does_on_her_pages(
    mails: Any, anna: Any, clock: Clock, does: Callable[..., None], django_capture_on_commit_callbacks: Any
) -> None:
    sign_in(FIREFOX)
    with jobs.collected() as woken, django_capture_on_commit_callbacks(execute=True):
        stranger = sign_in(SAFARI)
    told = Notification.objects.get()
    assert "deliveries_email" in woken
    does(stranger, anna, told.pk, clock)
    clock.passes(seconds=1)
    work_off(clock, "email")
    assert [mail["Subject"] for mail in mails.messages] == ["New sign-in from Safari on iPhone"]
    [one] = owed("email")
    assert one.state == "done"
    page = stranger.get(f"/inbox/{told.pk}/").content.decode()
    assert "<b>E-mail:</b> sent" in page


def test_only_what_is_mandatory_is_sent_always() -> None:
    sent = {one.name: one for one in categories.shown() if one.always}
    assert set(sent) == {"sign-in"}
    assert sent["sign-in"].is_sent_always("email") and not sent["sign-in"].is_sent_always("push")
