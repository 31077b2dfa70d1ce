"""Who a handshake is from is who a page is for, however its cookies are written."""

from typing import Any

import pytest
from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.test import Client

from core.delivery.identity import credential, readers


def session_of(person: Any) -> str:
    browser = Client()
    browser.force_login(person)
    return browser.cookies[settings.SESSION_COOKIE_NAME].value


@pytest.mark.django_db
@pytest.mark.parametrize("apart", [False, True], ids=["in one line", "in two lines"])
@pytest.mark.parametrize("last", ["another person's", "nobody's", "far too long"])
def test_of_two_session_cookies_the_last_counts_or_none_for_pages_and_for_sockets_alike(alice: Any, bob: Any, apart: bool, last: str):
    second = {"another person's": session_of(bob), "nobody's": "x" * 32, "far too long": "x" * 10_000}[last]
    expected = str(bob.pk) if last == "another person's" and not apart else ""
    name = settings.SESSION_COOKIE_NAME
    written = [f"{name}={session_of(alice)}", f"{name}={second}"]
    lines = written if apart else ["; ".join(written)]
    headers = [(b"host", b"testserver"), *((b"cookie", line.encode()) for line in lines)]

    scope = {"type": "websocket", "path": "/live/ws", "headers": headers, "client": ("192.0.2.1", 1)}
    asked = credential(scope)
    assert readers([asked])[asked].user == expected

    request = ASGIRequest({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": headers}, None)
    assert request.COOKIES[name].endswith(second)
    page = Client(headers={"cookie": request.META["HTTP_COOKIE"]}).get("/inbox/")
    assert page.status_code == (200 if expected else 302)
    assert f'data-user="{alice.pk}"' not in page.content.decode()
    assert not expected or f'data-user="{expected}"' in page.content.decode()
