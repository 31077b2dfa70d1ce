"""The two buttons that a notification may have: links, and such that are pressed. As owner, member, stranger, guest."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from core.buttons import may_be_pressed
from notifications.actions import notify
from notifications.errors import BadNotification
from notifications.kinds import UserKind
from notifications.models import InboxItem, Notification
from notifications.rows import Row, item
from tests.notifications.conftest import carried, titles

pytestmark = pytest.mark.django_db
Browser = Callable[[Any], Client]
HTMX = {"HX-Request": "true"}
PRESS = {"label": "Again", "url": "/inbox/try/", "method": "post"}
LINK = {"label": "Log", "url": "https://ci.example.com/42"}


def test_a_button_is_pressed_by_whom_it_was_sent_to_and_pressing_is_reading(
    alice: Any, bob: Any, charlie: Any, browser_of: Browser
) -> None:
    sent = notify([alice, bob], title="x", actions=[PRESS, LINK])
    browser = browser_of(alice)
    passed_on = browser.post(f"/inbox/{sent.id}/press/1/", headers=HTMX)
    # 307: the browser posts again, with the same CSRF token, as the same person.
    assert (passed_on.status_code, passed_on.headers["Location"]) == (307, "/inbox/try/")
    assert browser.post(passed_on.headers["Location"], headers=HTMX).status_code == 204
    assert titles(alice)[0] == "Here it is"
    assert InboxItem.objects.get(user=alice, notification=sent.id).read_at is not None
    assert InboxItem.objects.get(user=bob, notification=sent.id).read_at is None
    assert browser_of(charlie).post(f"/inbox/{sent.id}/press/1/").status_code == 404
    assert browser_of(None).post(f"/inbox/{sent.id}/press/1/").headers["Location"].startswith("/accounts/login/")


def test_a_press_needs_a_csrf_token_and_a_post(alice: Any, browser_of: Browser) -> None:
    sent = notify(alice, title="x", actions=[PRESS])
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice)
    assert strict.post(f"/inbox/{sent.id}/press/1/").status_code == 403
    assert strict.post("/inbox/try/").status_code == 403
    assert browser_of(alice).get(f"/inbox/{sent.id}/press/1/").status_code == 405
    assert InboxItem.objects.get().read_at is None


@pytest.mark.parametrize("number", [0, 2, 3, 10**12])
def test_there_is_no_other_button_to_press(alice: Any, browser_of: Browser, number: int) -> None:
    sent = notify(alice, title="x", actions=[PRESS, LINK])
    assert browser_of(alice).post(f"/inbox/{sent.id}/press/{number}/").status_code == 404
    assert InboxItem.objects.get().read_at is None


def test_a_link_to_a_button_that_is_pressed_leads_to_the_page_where_it_stands(alice: Any, browser_of: Browser) -> None:
    sent = notify(alice, title="x", actions=[PRESS, LINK])
    browser = browser_of(alice)
    assert browser.get(f"/inbox/{sent.id}/open/1/").headers["Location"] == f"/inbox/{sent.id}/"
    assert browser.get(f"/inbox/{sent.id}/open/2/").headers["Location"] == LINK["url"]
    page = browser.get(f"/inbox/{sent.id}/").content.decode()
    assert f'<form method="post" action="/inbox/{sent.id}/press/1/"><input type="hidden" name="csrfmiddlewaretoken"' in page
    # Without htmx the view's own answer is what she sees next.
    assert browser.post("/inbox/try/").headers["Location"] == "/"


@pytest.mark.parametrize(
    "address",
    [
        "/accounts/logout/", "/inbox/read/", "/inbox/1/archive/", "/admin/", "/no/such/", "/", "https://evil.example/inbox/try/",
        "//evil.example/inbox/try/", "/inbox/try", "/inbox/try/../read/", "/INBOX/try/", "/inbox//try/", "/inbox/%74ry/x", "",
    ],
)  # fmt: skip
def test_a_button_posts_only_to_views_that_are_made_for_it(alice: Any, address: str) -> None:
    with pytest.raises(BadNotification) as refused:
        notify(alice, title="x", actions=[{"label": "OK", "url": address, "method": "post"}])
    assert refused.value.field == "actions"
    assert not Notification.objects.exists()


@pytest.mark.parametrize("method", ["POST", "delete", "", None, 1, ["post"], {}])
def test_there_are_two_methods(alice: Any, method: Any) -> None:
    with pytest.raises(BadNotification):
        notify(alice, title="x", actions=[{**LINK, "method": method}])


def test_what_may_not_be_pressed_any_more_is_not_there(alice: Any, browser_of: Browser) -> None:
    sent = notify(alice, title="x", actions=[PRESS])
    Notification.objects.update(actions=[{**PRESS, "url": "/accounts/logout/"}])
    assert browser_of(alice).post(f"/inbox/{sent.id}/press/1/").status_code == 404


def test_a_query_does_not_make_an_address_another(alice: Any) -> None:
    assert may_be_pressed("/inbox/try/?again=1#x")
    assert not may_be_pressed("/accounts/logout/?next=/inbox/try/")


def test_a_row_carries_no_address_of_a_sender_and_is_the_same_pushed(alice: Any, browser_of: Browser) -> None:
    sent = notify(alice, title="x", actions=[{**PRESS, "label": "<b>Again</b>", "url": "/inbox/try/?secret=1"}, LINK])
    [event] = carried(f"user:{alice.pk}")
    pushed, page = UserKind().render(event, str(alice.pk)), browser_of(alice).get("/inbox/").content.decode()
    for html in (pushed, page):
        assert f'hx-post="/inbox/{sent.id}/press/1/"' in html
        assert f'href="/inbox/{sent.id}/open/2/"' in html
        assert "&lt;b&gt;Again" in html
        assert "secret" not in html
        assert "ci.example.com" not in html
    assert item(Row.of_item(InboxItem.objects.select_related("notification").get())) in pushed


def test_an_event_from_before_buttons_were_pressed_still_shows(alice: Any) -> None:
    notify(alice, title="x", actions=[LINK])
    [event] = carried(f"user:{alice.pk}")
    old = {name: value for name, value in event.data["row"].items() if name != "presses"}
    assert Row.of_data(old) == Row.of_data(event.data["row"])


def test_the_api_takes_both_kinds_of_button(alice: Any, api_of: Callable[..., Any]) -> None:
    answer = api_of(alice).post("notifications", {"audience": "alice", "title": "x", "actions": [PRESS, LINK]})
    assert answer.status_code == 202
    assert Notification.objects.get().actions == [PRESS, LINK]


@pytest.mark.parametrize("change", [{"method": "put"}, {"url": "/accounts/logout/"}, {"url": "https://evil.example/"}, {"more": 1}])
def test_the_api_refuses_other_buttons_and_names_the_field(alice: Any, api_of: Callable[..., Any], change: dict[str, Any]) -> None:
    answer = api_of(alice).post("notifications", {"audience": "alice", "title": "x", "actions": [{**PRESS, **change}]})
    assert answer.status_code == 422
    assert answer.json()["field"].startswith("actions")
    assert not Notification.objects.exists()
