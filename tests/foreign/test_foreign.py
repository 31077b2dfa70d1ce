"""Signalbox in another Django project (docs/how-to/your-own-project.md): installed from its wheel, served by that project's own server."""

import json
import re
from pathlib import Path

import httpx
import pytest

from tests.foreign.conftest import Shop
from tests.support import browser as browsers


@pytest.fixture(scope="module")
def anna(running: Shop) -> httpx.Client:
    """Signed in at the shop."""
    client = httpx.Client(base_url=running.url, timeout=30)
    form = client.get("/accounts/login/").text
    token = re.search(r'csrfmiddlewaretoken" value="([^"]+)', form)
    assert token
    given = {"username": "anna", "password": "anna-password", "csrfmiddlewaretoken": token[1]}
    assert client.post("/accounts/login/", data=given).status_code == 302
    return client


def test_the_wheel_brings_pages_and_front_end_packages_with_their_licences(installed: Path):
    packed = installed / "core" / "packed"
    assert (packed / "templates" / "base.html").is_file()
    for package in ("htmx.org", "uplot", "@picocss/pico", "@fontsource-variable/inter", "lucide-static"):
        assert list((packed / "node_modules" / package).glob("LICENSE*"))
    assert not (packed / "node_modules" / "axe-core").exists()


LOOK = """
import json, re, signalbox
from pathlib import Path
from django.conf import settings
from django.core.management import call_command

call_command("check", fail_level="WARNING")
call_command("makemigrations", check_changes=True, dry_run=True)
apps = [Path(signalbox.__file__).parents[1] / name for name in ("core", "dashboard", "notifications", "workers")]
code = [path.read_text() for app in apps for path in app.rglob("*.py")]
asked = set(re.findall(r"\\bsettings\\.([A-Z][A-Z_]+)", " ".join(code))) | set(re.findall(r"settings, \\"([A-Z_]+)\\"", " ".join(code)))
print(json.dumps({"asked": len(asked), "lacking": sorted(name for name in asked if not hasattr(settings, name))}))
"""


def test_the_project_has_nothing_to_complain_of_nothing_to_migrate_and_every_setting_that_is_asked_for(shop: Shop):
    said = shop.manage("shell", "--verbosity", "0", given=LOOK)
    assert "no issues" in said
    assert "No changes detected" in said
    settings = json.loads(next(line for line in said.splitlines() if line.startswith("{")))
    assert settings["asked"] > 40
    assert settings["lacking"] == []


@pytest.mark.parametrize("path", ["/dashboards/", "/dashboards/shop/", "/inbox/", "/rooms/", "/preferences/", "/living/", "/admin/"])
def test_our_pages_stand_in_our_own_shell(anna: httpx.Client, path: str):
    answer = anna.get(path)
    assert answer.status_code == 200
    assert "The shop</title>" not in answer.text


def test_the_strict_policy_is_put_on_our_pages_and_on_none_of_the_projects(anna: httpx.Client):
    assert "script-src 'self'" in anna.get("/inbox/").headers["Content-Security-Policy"]
    assert "Content-Security-Policy" not in anna.get("/").headers


def test_the_projects_addresses_errors_and_pages_stay_its_own(anna: httpx.Client):
    assert anna.get("/api/v1/stock/").json() == {"error": "mine"}
    assert anna.get("/nowhere/").text.strip() == "The shop has no such page."
    assert anna.get("/api/v1/nowhere").headers["Content-Type"] == "application/problem+json"


def test_files_are_served_under_the_names_that_the_project_gave_them(anna: httpx.Client):
    page = anna.get("/").text
    scripts = re.findall(r'src="(/static/[^"]+)"', page)
    assert any(re.fullmatch(r"/static/core/live\.[0-9a-f]{12}\.js", script) for script in scripts)
    assert {anna.get(script).status_code for script in scripts} == {200}


@pytest.mark.browser
def test_a_widget_and_the_bell_are_live_on_a_page_of_the_project(running: Shop, anna: httpx.Client):
    with browsers.chromium() as chrome:
        context = chrome.new_context()
        context.add_cookies([{"name": cookie.name, "value": str(cookie.value), "url": running.url} for cookie in anna.cookies.jar])
        page = context.new_page()
        page.goto(running.url)
        page.wait_for_selector("html[data-live-state=live]")
        assert page.inner_text(".live-widget .value") == "7"
        page.evaluate("window.mark = 'the same page'")
        page.request.get(f"{running.url}/restock/?apples=12")
        page.wait_for_function("document.querySelector('.live-widget .value').textContent === '12'")
        page.wait_for_selector('#badge[data-count="1"]')
        page.wait_for_selector("#toasts .toast >> text=The apples were counted")
        assert page.title() == "(1) The shop"
        assert page.evaluate("window.mark") == "the same page"
        page.request.get(f"{running.url}/order/?number=4711")
        page.wait_for_selector("#toasts .toast >> text=Order 4711")
        page.click("#bell")
        page.wait_for_selector('#badge[data-count="0"]', state="attached")
        assert "The apples were counted" in page.inner_text("#bell-list")


def test_a_guest_gets_the_page_without_bell_and_without_what_is_not_open_to_her(running: Shop):
    page = httpx.get(running.url).text
    assert "The shop" in page
    assert 'id="bell"' not in page
    assert "live-widget" not in page
