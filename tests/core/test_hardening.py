"""What holds by default behind https."""

import json
from pathlib import Path

from tests.support.servers import Site, fill

ASK = """
import json
from django.test import Client
browser = Client(headers={"host": "live.example.org"})
page = browser.get("/accounts/login/", secure=True)
flags = ("secure", "httponly", "samesite")
cookies = {name.partition("_")[0]: {flag: cookie[flag] for flag in flags} for name, cookie in page.cookies.items()}
from django.conf import settings
session = [settings.SESSION_COOKIE_SECURE, settings.SESSION_COOKIE_HTTPONLY, settings.SESSION_COOKIE_SAMESITE]
print(json.dumps({"hsts": page.headers.get("Strict-Transport-Security"), "cookies": cookies, "session": session}))
"""


def asked(folder: Path, base_url: str) -> dict[str, object]:
    site = Site(folder, {"BASE_URL": base_url})
    fill(site)
    return dict(json.loads(site.manage("shell", "-v0", "-c", ASK).stdout.splitlines()[-1]))


def test_behind_https_browsers_come_back_by_https_only_and_cookies_too(tmp_path: Path):
    said = asked(tmp_path, "https://live.example.org")
    assert said["hsts"] == "max-age=31536000"
    assert said["cookies"] == {"csrftoken": {"secure": True, "httponly": "", "samesite": "Lax"}}
    assert said["session"] == [True, True, "Lax"]


def test_without_https_nothing_is_promised_that_does_not_hold(tmp_path: Path):
    said = asked(tmp_path, "http://live.example.org")
    assert said["hsts"] is None
    assert said["session"] == [False, True, "Lax"]
