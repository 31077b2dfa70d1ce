"""Every address of this app, as guest, without a CSRF token, by the wrong method, with a bad session: also those that come later."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import URLPattern
from django.utils import timezone

from core.models import Event
from notifications import actions
from notifications.actions import Sent, notify
from notifications.models import InboxItem, Notification
from notifications.urls import urlpatterns
from tests.notifications.conftest import carried

pytestmark = pytest.mark.django_db
Browser = Callable[[Any], Client]
# What is open to everybody, on purpose: the service worker, and the link of a mail (its token says who).
OPEN = {"service-worker", "unsubscribe"}
PATTERNS = {str(pattern.name): pattern for pattern in urlpatterns if isinstance(pattern, URLPattern)}
CLOSED = sorted(set(PATTERNS) - OPEN)
EXAMPLES = {"action": "1", "verb": "read", "user": "1", "token": "x"}


def address(name: str, *, pk: int) -> str:
    route = str(PATTERNS[name].pattern)
    for part, converter in PATTERNS[name].pattern.converters.items():
        kind = {"IntConverter": "int", "StringConverter": "str"}[type(converter).__name__]
        route = route.replace(f"<{kind}:{part}>", str(pk) if part == "pk" else EXAMPLES[part])
    return f"/{route}"


@pytest.fixture
def sent(alice: Any) -> Sent:
    press = {"label": "Again", "url": "/inbox/try/", "method": "post"}
    return notify(alice, title="x", url="/dashboards/", actions=[press])


def state() -> tuple[int, list[Any]]:
    """What people were told, and what they did with it."""
    return Event.objects.filter(channel__startswith="user:").count(), list(InboxItem.objects.values())


@pytest.mark.parametrize("name", CLOSED)
def test_a_guest_is_sent_to_sign_in_and_nothing_happens(name: str, sent: Sent, client: Client) -> None:
    before = state()
    answers = [client.generic(method, address(name, pk=sent.id)) for method in ("GET", "POST", "PUT", "DELETE")]
    assert {answer.status_code for answer in answers} <= {302, 405}
    assert all(answer.headers["Location"].startswith("/accounts/login/") for answer in answers if answer.status_code == 302)
    assert state() == before


@pytest.mark.parametrize("name", CLOSED)
def test_nothing_is_changed_without_a_csrf_token(name: str, sent: Sent, alice: Any) -> None:
    before, strict = state(), Client(enforce_csrf_checks=True)
    strict.force_login(alice)
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        for headers in ({}, {"X-CSRFToken": "x" * 64}):
            assert strict.generic(method, address(name, pk=sent.id), headers=headers).status_code in (403, 405)
    assert state() == before


@pytest.mark.parametrize("name", CLOSED)
def test_a_method_in_a_header_or_a_field_overrides_nothing(name: str, sent: Sent, alice: Any) -> None:
    browser = Client()
    browser.force_login(alice)
    browser.get(address(name, pk=sent.id), {"_method": "POST", "csrfmiddlewaretoken": "x"}, headers={"X-HTTP-Method-Override": "POST"})
    item = InboxItem.objects.get()
    assert (item.archived_at, item.snoozed_until, Notification.objects.count()) == (None, None, 1)


@pytest.mark.parametrize("name", ["inbox", "inbox-archive", "inbox-waiting", "device-test"])
@pytest.mark.parametrize("session", ["expired", "deleted", "tampered", "long", "inactive"])
def test_a_session_that_is_over_or_was_tampered_with_is_no_session(name: str, session: str, sent: Sent, alice: Any) -> None:
    before, browser = state(), Client()
    browser.force_login(alice)
    key = browser.cookies[settings.SESSION_COOKIE_NAME].value
    if session == "expired":
        Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    elif session == "deleted":
        Session.objects.all().delete()
    elif session == "inactive":
        type(alice).objects.update(is_active=False)
    else:
        another = key[:-1] + ("1" if key.endswith("0") else "0")
        browser.cookies[settings.SESSION_COOKIE_NAME] = {"tampered": another, "long": "x" * 10_000}[session]
    method = browser.get if name in ("inbox", "inbox-waiting") else browser.post
    assert method(address(name, pk=sent.id)).headers["Location"].startswith("/accounts/login/")
    assert state() == before


@pytest.mark.parametrize(
    "asked",
    [
        "_connector=OR", "user__password__startswith=a", "q=user__password__startswith:a&_connector=OR", "limit=-1",
        "page=1000000000000000000", "offset=-1", "tab[]=all", "tab=all&tab=archived", "q=%00", "q=%ff%fe", "q=%ed%a0%80",
        "tab=%F0%9F%92%A9",
        "q=" + "is:unread+" * 500,
        "q=category:", "q=-category:%27%20OR%201=1--", "channel=user:1%0a", "q=%", "q=%%s%(x)s",
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["inbox", "inbox-list"])
def test_keys_and_words_that_no_filter_knows_show_nobody_elses_rows(
    asked: str, name: str, alice: Any, bob: Any, browser_of: Browser
) -> None:
    notify(alice, title="Only for alice")
    answer = browser_of(bob).get(f"{address(name, pk=1)}?{asked}")
    assert answer.status_code == 200
    assert "Only for alice" not in answer.content.decode()


@pytest.mark.parametrize("verb", ["read", "unread", "archive", "unarchive", "unsnooze"])
def test_a_button_pressed_twice_does_it_once(verb: str, alice: Any, browser_of: Browser) -> None:
    sent = notify(alice, title="x")
    browser = browser_of(alice)
    if verb in ("unread", "unarchive"):
        (actions.mark_read if verb == "unread" else actions.archive)(alice, [sent.id])
    if verb == "unsnooze":
        actions.snooze(alice, [sent.id], until=timezone.now() + timedelta(hours=1))
    states = []
    for _ in range(2):
        assert browser.post(f"/inbox/{sent.id}/{verb}/", headers={"HX-Request": "true"}).status_code == 200
        states.append((len(carried(f"user:{alice.pk}")), InboxItem.objects.values().get()))
    assert states[0] == states[1]


@pytest.mark.parametrize("verb", ["read", "archived"])
def test_all_at_once_pressed_twice_does_it_once_and_both_answers_are_the_list(verb: str, alice: Any, browser_of: Browser) -> None:
    for n in range(3):
        notify(alice, title=f"Number {n}")
    browser = browser_of(alice)
    first, second = (browser.post(f"/inbox/all/{verb}/", headers={"HX-Request": "true"}).content.decode() for _ in range(2))
    assert ('id="undo"' in first, 'id="undo"' in second) == (True, False)
    assert ('id="inbox-mine"' in first, 'id="inbox-mine"' in second) == (True, True)
    assert len([event for event in carried(f"user:{alice.pk}") if event.type == "notification.state"]) == 1
