"""The shell that every page shares: head, rail, icons, refusals, the style guide."""

import re
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.template import Context, Template
from django.test import Client, RequestFactory, override_settings
from django.views.defaults import server_error

from core import finders
from core.templatetags import ui

PARTS = [
    *("spark", "bars", "feed", "gauge", "st", "table", "progress", "chip", "badge", "face", "seg", "ranges", "legend", "curl"),
    *("toast", "undo", "row", "tabs", "panel", "state-bar", "menu", "empty", "dialog", "tile", "summary", "wrong"),
    *("msg", "day", "new-rule", "pending", "failed", "composer"),
]
PAGES = ["/", "/accounts/sessions/", "/accounts/password_change/"]


def signed_in(person: Any) -> Client:
    client = Client()
    client.force_login(person)
    return client


@pytest.mark.parametrize("page", PAGES)
def test_no_page_carries_inline_style_or_script(page: str, alice: Any) -> None:
    text = signed_in(alice).get(page).content.decode()
    assert not re.search(r"\sstyle=|<style|\son[a-z]+=", text)
    assert not re.search(r"<script(?![^>]*\ssrc=)", text)


@pytest.mark.parametrize("page", [*PAGES, "/accounts/login/"])
def test_nothing_is_asked_of_another_site(page: str, alice: Any, client: Client) -> None:
    for person in (client, signed_in(alice)):
        text = person.get(page).content.decode()
        assert not re.search(r"(src|href)=\"(https?:)?//", text)


def test_the_page_tells_live_js_whose_it_is(alice: Any, client: Client) -> None:
    assert f'data-user="{alice.pk}"' in signed_in(alice).get("/").content.decode()
    assert "data-user" not in client.get("/").content.decode()


def test_the_csrf_token_travels_in_a_header_that_children_inherit(alice: Any) -> None:
    assert re.search(r"<body[^>]* hx-headers:inherited='\{\"X-CSRFToken\": \"\w{64}\"\}'", signed_in(alice).get("/").content.decode())


def test_the_rail_marks_where_we_are(alice: Any) -> None:
    current = re.findall(r'href="([^"]+)" aria-current="page"', signed_in(alice).get("/").content.decode())
    assert current == ["/"]


def test_only_the_staff_sees_the_way_to_the_admin(alice: Any, bob: Any) -> None:
    assert 'href="/admin/"' in signed_in(alice).get("/").content.decode()
    assert 'href="/admin/"' not in signed_in(bob).get("/").content.decode()


def test_a_guest_is_offered_to_sign_in_and_comes_back(client: Client, db: None) -> None:
    assert 'href="/accounts/login/?next=/"' in client.get("/").content.decode()


def test_a_missing_page_is_one_tile_with_one_link(alice: Any) -> None:
    answer = signed_in(alice).get("/no/such/page/")
    assert answer.status_code == 404 and "Not found" in answer.content.decode()
    assert 'class="rail"' not in answer.content.decode()


def test_a_crash_is_one_tile_and_no_traceback(rf: RequestFactory) -> None:
    text = server_error(rf.get("/")).content.decode()
    assert "Something broke" in text and "Traceback" not in text


# Style guide


def test_the_style_guide_is_there_only_for_developers(alice: Any) -> None:
    assert signed_in(alice).get("/styleguide/").status_code == 404
    with override_settings(DEBUG=True):
        assert signed_in(alice).get("/styleguide/").status_code == 200


@override_settings(DEBUG=True)
@pytest.mark.parametrize("state", ["live", "late", "stale", "nodata", "error", "paused"])
def test_the_style_guide_shows_a_tile_in_every_state(state: str, alice: Any) -> None:
    assert f'data-state="{state}"' in signed_in(alice).get("/styleguide/").content.decode()


@override_settings(DEBUG=True)
@pytest.mark.parametrize("part", PARTS)
def test_the_style_guide_shows_every_part(part: str, alice: Any) -> None:
    text = signed_in(alice).get("/styleguide/").content.decode()
    assert re.search(rf'class="[^"]*\b{part}\b|<{part}\b', text)


# Icons


def test_an_icon_is_drawn_into_the_page_and_silent() -> None:
    drawn = Template('{% load ui %}{% icon "bell" %}').render(Context())
    assert drawn.startswith('<svg class="i"') and 'aria-hidden="true"' in drawn and "<path" in drawn
    assert "\n" not in drawn and "style=" not in drawn


@pytest.mark.parametrize("name", ["../package", "bell.svg", "Bell", "", "a" * 99, "no-such-icon-anywhere", "be\nll", "/etc/passwd"])
def test_what_is_no_icon_is_named(name: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="icon"):
        ui.drawing(name)


def test_without_the_package_the_fault_says_what_to_run(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ui, "packages_folder", lambda: tmp_path)
    with pytest.raises(ImproperlyConfigured, match=r"manage\.py prepare"):
        ui.drawing("anchor")


def test_every_icon_that_a_template_names_is_there(settings: Any) -> None:
    templates = [*settings.BASE_DIR.glob("templates/**/*.html")]
    names = {name for path in templates for name in re.findall(r'{% icon "([^"]+)"', path.read_text())}
    assert len(names) > 20
    for name in names:
        ui.drawing(name)


def test_the_head_names_files_that_are_served(client: Client, db: None) -> None:
    for address in re.findall(r'(?:href|src)="/static/([^"]+)"', client.get("/accounts/login/").content.decode()):
        if address.startswith("npm/"):
            assert finders.NpmFinder().find(address.replace("%40", "@")), address


def test_one_name_always_has_one_colour() -> None:
    assert ui.face("alice") == ui.face("alice")
    assert "&lt;" in ui.face("<script>")
