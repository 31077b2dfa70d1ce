"""Filters that people keep: a tab of their own in the inbox, renamed, deleted, at most ten, and the same on all of their pages."""

import html
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from notifications import actions, rows
from notifications.actions.filters import MOST
from notifications.errors import BadNotification
from notifications.models import SavedFilter
from tests.notifications.conftest import shown

pytestmark = pytest.mark.django_db
BrowserOf = Callable[[Any], Client]
ADDRESS = "/inbox/filters/"


def text(answer: Any) -> str:
    return html.unescape(answer.content.decode())


def save(browser: Client, name: str = "Backups", **said: str) -> Any:
    return browser.post(ADDRESS, {"do": "save", "name": name, "tab": "unread", "q": "category:backup"} | said)


def test_a_filter_is_kept_under_a_name_and_is_a_tab_that_narrows_the_list(alice: Any, browser_of: BrowserOf) -> None:
    browser = browser_of(alice)
    actions.notify(alice, title="Backup done", category="backup")
    actions.notify(alice, title="Something else")
    page = text(browser.get("/inbox/", {"tab": "unread", "q": "category:backup"}))
    assert f'href="{ADDRESS}?tab=unread&q=category%3Abackup"' in page
    assert "category:backup" in text(browser.get(ADDRESS, {"tab": "unread", "q": "category:backup"}))
    answer = save(browser)
    assert answer.status_code == 302
    now = text(browser.get(answer.url))
    assert f'<a href="{answer.url}" aria-current="page"><bdi>Backups</bdi>' in now and now.count('aria-current="page"') == 2  # and the rail
    assert "Backup done" in now and "Something else" not in now and f"{ADDRESS}?tab" not in now
    assert f'<a href="{answer.url}"><bdi>Backups</bdi>' in text(browser.get("/inbox/"))


def test_it_is_renamed_and_deleted(alice: Any, browser_of: BrowserOf) -> None:
    browser = browser_of(alice)
    save(browser)
    one = SavedFilter.objects.get()
    assert browser.post(ADDRESS, {"do": "rename", "id": one.pk, "name": " Night  backups "}).status_code == 302
    assert "<bdi>Night backups</bdi>" in text(browser.get("/inbox/"))
    assert browser.post(ADDRESS, {"do": "delete", "id": one.pk, "name": "x"}).status_code == 302
    assert not SavedFilter.objects.exists()


def test_each_change_has_her_open_pages_take_their_lists_anew(alice: Any, browser_of: BrowserOf) -> None:
    browser = browser_of(alice)
    save(browser)
    pk = SavedFilter.objects.get().pk
    browser.post(ADDRESS, {"do": "rename", "id": pk, "name": "y"})
    browser.post(ADDRESS, {"do": "delete", "id": pk})
    assert shown(f"user:{alice.pk}", alice) == [rows.REFETCH] * 3


def test_they_are_ones_own(alice: Any, charlie: Any, browser_of: BrowserOf) -> None:
    save(browser_of(alice))
    pk, stranger = SavedFilter.objects.get().pk, browser_of(charlie)
    assert "Backups" not in text(stranger.get("/inbox/")) + text(stranger.get(ADDRESS))
    for said in ({"do": "rename", "name": "Mine"}, {"do": "delete"}):
        assert stranger.post(ADDRESS, said | {"id": pk}).status_code == 404
    assert save(stranger).status_code == 302  # the name is taken for alice only
    assert SavedFilter.objects.get(user=alice).name == "Backups"
    assert browser_of(None).post(ADDRESS, {"do": "delete", "id": pk}).status_code == 302
    assert SavedFilter.objects.count() == 2


@pytest.mark.parametrize(
    ("wrong", "word"),
    [({"name": ""}, "name"), ({"name": " \u200b"}, "name"), ({"name": "x" * 41}, "40"), ({"name": "a\0b"}, "name"), ({"q": ""}, "filter"),
     ({"q": " \0 "}, "filter"), ({"name": "Taken"}, "of that name")],
)  # fmt: skip
def test_what_cannot_be_kept_is_refused_in_words(alice: Any, browser_of: BrowserOf, wrong: dict[str, str], word: str) -> None:
    actions.save_filter(alice, "Taken", tab="all", q="x")
    answer = save(browser_of(alice), **wrong)
    assert answer.status_code == 422 and word in text(answer).partition('role="alert"')[2][:200]
    assert SavedFilter.objects.count() == 1


def test_a_name_that_is_taken_is_not_given_twice(alice: Any, browser_of: BrowserOf) -> None:
    for name in ("One", "Two"):
        save(browser_of(alice), name)
    answer = browser_of(alice).post(ADDRESS, {"do": "rename", "id": SavedFilter.objects.get(name="Two").pk, "name": "One"})
    assert answer.status_code == 422 and "of that name" in text(answer)


@pytest.mark.parametrize("key", ["", "x", "٣", "-1", "9" * 30, "0"])
def test_a_key_that_is_none_is_not_there(alice: Any, browser_of: BrowserOf, key: str) -> None:
    assert browser_of(alice).post(ADDRESS, {"do": "delete", "id": key}).status_code == 404


def test_there_are_at_most_ten(alice: Any, bob: Any, browser_of: BrowserOf) -> None:
    for number in range(MOST):
        actions.save_filter(alice, f"Number {number}", tab="all", q="x")
    with pytest.raises(BadNotification, match="delete one first"):
        actions.save_filter(alice, "One more", tab="all", q="x")
    assert "delete one first" in text(browser_of(alice).get(ADDRESS, {"q": "x"}))
    actions.save_filter(bob, "Mine", tab="all", q="x")


def test_a_name_is_text_and_nothing_else(alice: Any, browser_of: BrowserOf) -> None:
    actions.save_filter(alice, "<script>alert(1)</script>", tab="all", q="<b hx-get='/x'>")
    for address in ("/inbox/", ADDRESS):
        page = browser_of(alice).get(address).content.decode()
        assert "<script>alert" not in page and "<b hx-get" not in page


def test_the_inbox_costs_the_same_with_ten_filters(alice: Any, browser_of: BrowserOf, django_assert_max_num_queries: Any) -> None:
    browser = browser_of(alice)
    with django_assert_max_num_queries(40) as without:
        browser.get("/inbox/")
    for number in range(MOST):
        actions.save_filter(alice, f"Number {number}", tab="all", q="x")
    with django_assert_max_num_queries(len(without)):
        browser.get("/inbox/")
