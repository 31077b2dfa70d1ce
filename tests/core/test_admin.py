"""Tokens in the admin: made and shown once, revoked, never changed; and whose one may make."""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone
from django.utils.formats import date_format

from core import tokens
from core.models import ApiToken, Channel, Event, Intent

LIST, ADD = "/admin/signalbox/apitoken/", "/admin/signalbox/apitoken/add/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser_of() -> Callable[..., Client]:
    """A browser in which somebody of the staff is signed in who may do this."""

    def make(user: Any, *permissions: str, superuser: bool = False) -> Client:
        user.is_staff, user.is_superuser = True, superuser
        user.save()
        user.user_permissions.set(Permission.objects.filter(content_type__app_label="signalbox", codename__in=permissions))
        client = Client()
        client.force_login(user)
        return client

    return make


def form(user: Any, change: Mapping[str, str] = MappingProxyType({})) -> dict[str, str]:
    return {"user": str(user.pk), "name": "ci", "scopes": "notify:*\nread:*", "expires_at_0": "", "expires_at_1": ""} | dict(change)


def test_a_new_token_is_shown_once_and_works(alice: Any, bob: Any, browser_of: Any) -> None:
    browser = browser_of(alice, superuser=True)
    answer = browser.post(ADD, form(bob))
    assert answer.status_code == 200
    assert "no-store" in answer.headers["Cache-Control"]
    (text,) = set(re.findall(r"sbx_[A-Za-z0-9]{32}", answer.content.decode()))
    caller = tokens.of_token(text, now=timezone.now())
    assert (caller.user, caller.scopes) == (bob, ("notify:*", "read:*"))
    row = ApiToken.objects.get()
    for page in (LIST, f"{LIST}{row.pk}/change/", f"{LIST}{row.pk}/history/", "/admin/"):
        shown = browser.get(page)
        assert shown.status_code == 200
        assert text not in shown.content.decode()


def test_the_list_and_a_token_s_page_say_when_it_was_last_used(alice: Any, browser_of: Any) -> None:
    browser = browser_of(alice, superuser=True)
    token, text = tokens.make_token(alice, "ci", ["read:*"])
    column = r'<td class="field-last_used_at nowrap">([^<]*)</td>'
    assert re.findall(column, browser.get(LIST).content.decode()) == ["-"]
    answer = Client().get("/api/v1/channels/user:alice/events", headers={"Authorization": f"Bearer {text}"})
    assert answer.status_code == 200
    token.refresh_from_db()
    used = date_format(timezone.localtime(token.last_used_at), "DATETIME_FORMAT")
    assert re.findall(column, browser.get(LIST).content.decode()) == [used]
    assert used in browser.get(f"{LIST}{token.pk}/change/").content.decode()


@pytest.mark.parametrize(
    "change", [{"scopes": "*"}, {"scopes": ""}, {"scopes": "notify:*\nnonsense"}, {"name": ""}, {"name": "a\x07b"}, {"user": "0"}]
)
def test_a_bad_form_makes_nothing(alice: Any, browser_of: Any, change: dict[str, str]) -> None:
    answer = browser_of(alice, superuser=True).post(ADD, form(alice, change))
    assert answer.status_code == 200
    assert "sbx_" not in answer.content.decode()
    assert not ApiToken.objects.exists()


def test_staff_lend_nobody_elses_rights(alice: Any, bob: Any, browser_of: Any) -> None:
    browser = browser_of(bob, "add_apitoken", "view_apitoken")
    assert browser.post(ADD, form(alice)).status_code == 200
    assert not ApiToken.objects.exists()
    assert b"sbx_" in browser.post(ADD, form(bob)).content
    assert ApiToken.objects.get().user == bob


def test_staff_see_their_own_tokens_only(alice: Any, bob: Any, browser_of: Any) -> None:
    hers, _ = tokens.make_token(alice, "hers", ["read:*"])
    tokens.make_token(bob, "his", ["read:*"])
    browser = browser_of(bob, "view_apitoken", "change_apitoken")
    page = browser.get(LIST).content.decode()
    assert "his" in page
    assert hers.hint not in page
    assert browser.get(f"{LIST}{hers.pk}/change/").status_code == 302
    browser.post(LIST, {"action": "revoke", "_selected_action": [hers.pk]})
    hers.refresh_from_db()
    assert hers.revoked_at is None


def test_without_the_permission_there_are_no_tokens(charlie: Any, browser_of: Any) -> None:
    browser = browser_of(charlie)
    assert [browser.get(page).status_code for page in (LIST, ADD)] == [403, 403]
    assert browser.post(ADD, form(charlie)).status_code == 403


def test_a_revoked_token_is_refused_from_then_on(alice: Any, browser_of: Any, api_of: Any) -> None:
    api, browser = api_of(alice), browser_of(alice, superuser=True)
    assert api.get("channels/room:x/events").status_code == 404
    row = ApiToken.objects.get()
    answer = browser.post(LIST, {"action": "revoke", "_selected_action": [row.pk]}, follow=True)
    assert "1 tokens were revoked" in answer.content.decode()
    assert api.get("channels/room:x/events").status_code == 401


def test_a_token_is_neither_changed_nor_deleted(alice: Any, browser_of: Any) -> None:
    row, _ = tokens.make_token(alice, "ci", ["read:*"])
    browser = browser_of(alice, superuser=True)
    assert browser.post(f"{LIST}{row.pk}/change/", form(alice, {"name": "other"})).status_code == 403
    assert browser.post(f"{LIST}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    row.refresh_from_db()
    assert row.name == "ci"


@pytest.mark.parametrize("model", ["channel", "event", "intent"])
def test_what_the_core_writes_may_be_looked_at_only(alice: Any, browser_of: Any, model: str) -> None:
    Channel.objects.create(name="room:1")
    event = Event.objects.create(channel="room:1", type="x", data="{}")
    intent = Intent.objects.create(scope="token:1 /x", key="k", body_hash="h", result={"body": "secret"}, expires_at=timezone.now())
    pk = {"channel": "room_3A1", "event": event.pk, "intent": intent.pk}[model]
    browser, root = browser_of(alice, superuser=True), f"/admin/signalbox/{model}/"
    pages = [browser.get(root), browser.get(f"{root}{pk}/change/")]
    assert [page.status_code for page in pages] == [200, 200]
    assert all("secret" not in page.content.decode() for page in pages)
    refused = [browser.get(f"{root}add/"), browser.post(f"{root}{pk}/change/", {}), browser.post(f"{root}{pk}/delete/", {"post": "yes"})]
    assert [page.status_code for page in refused] == [403, 403, 403]
