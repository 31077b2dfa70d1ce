"""What no page can use: NUL, forms that are too large. Refused with a page of its own, and without a traceback in the log."""

import logging
from typing import Any
from unittest.mock import Mock

import pytest
from django.conf import settings
from django.db import DataError
from django.test import Client

pytestmark = pytest.mark.django_db

FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    "address",
    ["/inbox/?q=%00", "/inbox/?%00=1", "/dashboards/?q=a%00b", "/rooms/?x=%00", "/preferences/muted/?channel=%00", "/admin/people/%00/",
     "/accounts/login/?next=/%00", "/unsubscribe/a%00b/", "/admin/signalbox/channel/?name__exact=%00", "/live/long?x=%00"],
)  # fmt: skip
def test_nul_in_an_address_breaks_no_page(alice: Any, address: str):
    alice.is_superuser = True
    alice.save()
    browser = Client()
    browser.force_login(alice)
    assert browser.get(address).status_code < 500


@pytest.mark.parametrize("address", ["/accounts/login/", "/inbox/snooze/", "/preferences/mute/", "/push/subscribe/", "/rooms/new/"])
def test_nul_in_a_form_breaks_no_page(bob: Any, address: str):
    browser = Client()
    browser.force_login(bob)
    names = ("username", "id", "for", "channel", "level", "endpoint", "keys", "title", "slug", "text", "next")
    for body in ("%00=a", *(f"{name}=a%00" for name in names), "&".join(f"{name}=%00" for name in names)):
        assert browser.post(address, body, content_type=FORM).status_code < 500, body


@pytest.mark.parametrize("error", [ValueError("A string literal cannot contain NUL (0x00) characters."), DataError("invalid byte")])
def test_what_postgres_does_not_take_is_400_where_the_request_holds_nul_and_else_a_mistake_of_ours(
    monkeypatch: pytest.MonkeyPatch, error: Exception
):
    """The tests above are run on Postgres by test_postgres.py; here it is told what Postgres would say."""
    browser = Client(raise_request_exception=False)
    monkeypatch.setattr("core.home.tiles", Mock(side_effect=error))
    refused = browser.get("/?x=%00")
    assert refused.status_code == 400 and b"Not understood" in refused.content
    assert refused.headers["X-Frame-Options"] == "DENY" and "Content-Security-Policy" in refused.headers
    assert browser.get("/?x=1").status_code == 500


def test_the_api_says_so_in_its_own_words():
    answer = Client().get("/api/v1/channels/a/events?since=%00")
    assert (answer.status_code, answer.headers["Content-Type"]) == (422, "application/problem+json")


def test_a_session_cookie_that_spells_nul_is_none(bob: Any):
    browser = Client(headers={"cookie": f'{settings.SESSION_COOKIE_NAME}="a\\000bcdefghijklmn"; other=x'})
    for address in ("/inbox/", "/", "/accounts/sessions/", "/accounts/login/"):
        assert browser.get(address).status_code in {200, 302}


UNREADABLE = {
    "no boundary": ("multipart/form-data", b"x"),
    "an empty boundary": ("multipart/form-data; boundary=", b"x"),
    "a file": (
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="a"; filename="../a"\r\n\r\n\xff\0\r\n--b--\r\n',
    ),
    "many fields": (FORM, b"&".join(b"f%d=1" % number for number in range(1001))),
    "megabytes": (FORM, b"x=" + b"y" * 2_700_000),
    "deep JSON": ("application/json", b"[" * 50_000),
}


@pytest.mark.parametrize("address", ["/no-such-page/", "/push/subscribe/", "/push/unsubscribe/", "/inbox/try/", "/rooms/new/"])
def test_a_body_that_is_no_form_is_refused_wherever_it_is_sent(bob: Any, address: str):
    """Also where there is nothing, and by a browser that holds the cookie of a form: Django's own page of a 404 looks into the body."""
    browser = Client(raise_request_exception=False, enforce_csrf_checks=True)
    browser.force_login(bob)
    browser.get("/accounts/password_change/")
    (name,) = [name for name in browser.cookies if name.startswith("csrftoken")]
    for what, (kind, body) in UNREADABLE.items():
        for headers in ({}, {"X-CSRFToken": browser.cookies[name].value}):
            assert browser.generic("POST", address, body, content_type=kind, headers=headers).status_code < 500, what


@pytest.mark.parametrize("body", ["&".join(f"f{number}=1" for number in range(1001)), "x=" + "y" * 2_700_000], ids=["fields", "megabytes"])
def test_a_form_that_is_refused_as_suspicious_leaves_a_line_and_no_traceback(body: str, capsys: pytest.CaptureFixture[str]):
    root = logging.getLogger()
    written: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(self.format(record))

    handler = next(one for one in root.handlers if any(type(kept).__name__ == "Refusals" for kept in one.filters))
    kept = Kept()
    kept.setFormatter(handler.formatter)
    for one in handler.filters:
        kept.addFilter(one)
    root.addHandler(kept)
    try:
        answer = Client().post("/accounts/login/", body, content_type=FORM)
    finally:
        root.removeHandler(kept)
    assert answer.status_code in {400, 413}
    (line,) = written
    assert " WARNING django.security." in line and "\n" not in line
