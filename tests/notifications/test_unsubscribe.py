"""The link in a mail: works without signing in, changes nothing when it is only looked at, and is nobody else's."""

from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core import signing
from django.test import Client

from notifications import unsubscribing
from notifications.models import Preference

pytestmark = pytest.mark.django_db


def path(user: Any, category: str = "alert", transport: str = "email") -> str:
    return urlsplit(unsubscribing.link(user, category, transport)).path


def said() -> list[tuple[str, str, str, bool]]:
    return list(Preference.objects.values_list("user__username", "category", "transport", "enabled"))


def test_looking_asks_and_changes_nothing(bob: Any):
    browser = Client()
    for _ in range(2):
        response = browser.get(path(bob))
        assert response.status_code == 200 and "Unsubscribe" in response.content.decode()
    assert browser.head(path(bob)).status_code == 200
    assert said() == []
    assert response.headers["Referrer-Policy"] == "no-referrer"


def test_a_mail_program_does_it_in_one_click_without_cookies_or_token(bob: Any):
    response = Client(enforce_csrf_checks=True).post(path(bob), {"List-Unsubscribe": "One-Click"}, headers={"Origin": "null"})
    assert response.status_code == 200 and said() == [("bob", "alert", "email", False)]


def test_twice_is_once_and_it_can_be_taken_back(bob: Any):
    browser = Client()
    browser.post(path(bob))
    browser.post(path(bob))
    assert said() == [("bob", "alert", "email", False)]
    assert "As before" in browser.post(path(bob), {"do": "back"}).content.decode()
    assert said() == [("bob", "alert", "email", True)]


def test_a_category_that_nobody_declared_counts_as_everything_else(bob: Any):
    Client().post(path(bob, "backup"))
    assert said() == [("bob", "", "email", False)]


def test_it_is_hers_whoever_is_signed_in(bob: Any, charlie: Any):
    browser = Client()
    browser.force_login(charlie)
    browser.post(path(bob))
    assert said() == [("bob", "alert", "email", False)]


def test_what_cannot_be_switched_off_has_no_link_and_an_old_one_says_so(bob: Any):
    assert unsubscribing.link(bob, "sign-in", "email") == ""
    token = signing.dumps([str(bob.pk), "sign-in", "email"], salt="signalbox.unsubscribe")
    response = Client().post(f"/unsubscribe/{token}/")
    assert "cannot be switched off" in response.content.decode() and said() == []


def tampered(bob: Any) -> list[str]:
    good = path(bob).split("/")[2]
    body, stamp, signature = good.split(":")
    return [good[:-1], good + "x", f"{body}x:{stamp}:{signature}", f"{body}:{stamp}:{'A' * 43}", "x", "a" * 10_000, ":::", "%00", "..%2f"]


def test_a_link_that_is_not_ours_is_not_there(bob: Any):
    others = [
        signing.dumps(["1", "alert", "email"]),
        signing.dumps("x", salt="signalbox.unsubscribe"),
        signing.dumps([1], salt="signalbox.unsubscribe"),
    ]
    gone = signing.dumps(["999999", "alert", "email"], salt="signalbox.unsubscribe")
    strange = signing.dumps(["no key", "alert", "email"], salt="signalbox.unsubscribe")
    for token in [*tampered(bob), *others, gone, strange]:
        assert Client().get(f"/unsubscribe/{token}/").status_code == 404
        assert Client().post(f"/unsubscribe/{token}/").status_code == 404
    assert said() == []


@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_other_methods_do_nothing(bob: Any, method: str):
    assert getattr(Client(), method)(path(bob)).status_code == 405
