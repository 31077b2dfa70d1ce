"""Notifications that Django's signals set off."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core import serializers
from django.test import Client

from notifications.models import Notification, Priority
from notifications.signals import notify_on, tell_staff_of_new_users
from tests.notifications.conftest import titles

pytestmark = pytest.mark.django_db

FIREFOX = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0"}
SAFARI = {"User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605 Version/19.0 Safari/604.1"}


@pytest.fixture
def on_group() -> Iterator[Callable[..., None]]:
    """Connects notify_on(Group, ...) for one test."""
    ends: list[Callable[[], None]] = []
    yield lambda **given: ends.append(notify_on(Group, **given))
    for end in ends:
        end()


def test_a_new_row_notifies_and_a_change_does_not(alice: Any, on_group: Callable[..., None]) -> None:
    on_group(audience=alice, title=lambda group: f"New group {group.name}", url="/admin/", priority=Priority.HIGH)
    group = Group.objects.create(name="on-call")
    group.save()
    assert titles(alice) == ["New group on-call"]


def test_changes_notify_where_wanted_and_replace_by_key(alice: Any, on_group: Callable[..., None]) -> None:
    on_group(audience="user:alice", title=lambda group: f"Group {group.name}", key=lambda group: f"group-{group.pk}", changes=True)
    group = Group.objects.create(name="one")
    group.name = "two"
    group.save()
    assert titles(alice) == ["Group two"]


def test_when_says_which_rows_count(alice: Any, on_group: Callable[..., None]) -> None:
    on_group(audience=alice, title="x", when=lambda group: group.name == "loud")
    Group.objects.create(name="quiet")
    assert titles(alice) == []
    Group.objects.create(name="loud")
    assert titles(alice) == ["x"]


def test_a_fixture_that_is_loaded_tells_nobody(alice: Any, on_group: Callable[..., None]) -> None:
    on_group(audience=alice, title="x")
    data = serializers.serialize("json", [Group(pk=77, name="loaded")])
    for loaded in serializers.deserialize("json", data):
        loaded.save()
    assert Group.objects.filter(name="loaded").exists()
    assert titles(alice) == []


def test_a_function_may_say_what_is_said_or_nothing(alice: Any) -> None:
    @notify_on(Group, audience=alice, category="groups")
    def group_made(group: Group) -> dict[str, Any] | None:
        return None if group.name == "quiet" else {"title": f"Group {group.name}", "priority": Priority.HIGH}

    try:
        Group.objects.create(name="quiet")
        Group.objects.create(name="loud")
    finally:
        group_made.disconnect()
    Group.objects.create(name="later")
    assert titles(alice) == ["Group loud"]
    sent = Notification.objects.get()
    assert (sent.category, sent.priority) == ("groups", Priority.HIGH)


def test_the_staff_hears_of_a_new_user_where_that_is_wanted(alice: Any, bob: Any) -> None:
    end = tell_staff_of_new_users()
    try:
        dora = get_user_model().objects.create_user("dora")
        dora.save()
    finally:
        end()
    get_user_model().objects.create_user("emil")
    assert (titles(alice), titles(bob), titles(dora)) == (["New user: dora"], [], [])
    assert Notification.objects.get().url == f"/admin/auth/user/{dora.pk}/change/"


def test_a_sign_in_from_another_browser_is_told_once_and_the_first_one_not(alice: Any, bob: Any) -> None:
    def sign_in(**headers: str) -> None:
        response = Client(headers=headers).post("/accounts/login/", {"username": "alice", "password": "alice-password"})
        assert response.status_code == 302

    sign_in(**FIREFOX)
    assert titles(alice) == []
    sign_in(**FIREFOX)
    assert titles(alice) == []
    sign_in(**SAFARI)
    sign_in(**SAFARI)
    assert titles(alice) == ["New sign-in from Safari on iPhone"]
    assert titles(bob) == []


def test_a_sign_in_with_a_hostile_browser_name_says_nothing_of_it(alice: Any) -> None:
    Client().force_login(alice)
    for agent in ("<script>alert(1)</script>", "\x00", "x" * 10_000, ""):
        response = Client(headers={"User-Agent": agent}).post("/accounts/login/", {"username": "alice", "password": "alice-password"})
        assert response.status_code == 302
    assert all("script" not in title for title in titles(alice))
