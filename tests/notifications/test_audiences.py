"""Whom an audience means: words, models, querysets, lists; and what is said when it means nobody."""

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from pytest_django import DjangoAssertNumQueries

from notifications import audiences, policy
from notifications.audiences import Audience
from notifications.errors import AmbiguousAudience, BadNotification, UnknownAudience

pytestmark = pytest.mark.django_db
User = get_user_model()


def names(audience: object) -> list[str]:
    people = audiences.resolve(audience).people()
    return sorted(people.values_list("username", flat=True))


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("user:alice", ["alice"]), ("bob", ["bob"]), ("group:ops", ["bob"]), ("ops", ["bob"]), ("all", ["alice", "bob", "charlie"]),
        ("staff", ["alice"]), ("perm:signalbox_notifications.send_broadcast", ["alice"]), (" ops ", ["bob"]),
    ],
)  # fmt: skip
def test_every_word_means_its_people(alice: Any, bob: Any, charlie: Any, word: str, meant: list[str]) -> None:
    assert names(word) == meant


def test_models_querysets_and_lists_of_these_mean_each_person_once(alice: Any, bob: Any, charlie: Any, ops: Group) -> None:
    assert names(alice) == ["alice"]
    assert names(ops) == ["bob"]
    assert names(User.objects.exclude(username="alice")) == ["bob", "charlie"]
    assert names([alice, "ops", Group.objects.all(), User.objects.filter(username="bob"), ["alice", [bob]]]) == ["alice", "bob"]
    assert names([User.objects.filter(username="alice"), User.objects.order_by("-pk")[:1]]) == ["alice", "charlie"]


def test_a_permission_counts_by_group_by_person_and_for_superusers(bob: Any, charlie: Any, ops: Group) -> None:
    from django.contrib.auth.models import Permission

    ops.permissions.add(Permission.objects.get(codename="send_broadcast"))
    User.objects.create_superuser("root", password="x")
    assert names("perm:signalbox_notifications.send_broadcast") == ["bob", "root"]


def test_inactive_people_are_not_meant(alice: Any, bob: Any, charlie: Any, ops: Group) -> None:
    User.objects.filter(pk=bob.pk).update(is_active=False)
    assert names("all") == ["alice", "charlie"]
    assert names([bob, ops]) == []
    with pytest.raises(UnknownAudience):
        audiences.resolve("user:bob")


def test_a_name_that_is_a_user_and_a_group_is_refused_with_both_spellings(bob: Any, ops: Group) -> None:
    User.objects.create_user("ops")
    with pytest.raises(AmbiguousAudience) as caught:
        audiences.resolve("ops")
    assert caught.value.allowed == ["user:ops", "group:ops"]
    assert names("user:ops") == ["ops"]
    assert names("group:ops") == ["bob"]


@pytest.mark.parametrize(
    ("word", "near"), [("opps", "group:ops"), ("user:alcie", "user:alice"), ("group:op", "group:ops"), ("stuff", "staff")]
)
def test_an_unknown_name_is_refused_with_those_that_come_near(alice: Any, bob: Any, word: str, near: str) -> None:
    with pytest.raises(UnknownAudience) as caught:
        audiences.resolve(word)
    assert near in caught.value.allowed


@pytest.mark.parametrize(
    "word",
    [
        "nobody-at-all",
        "user:",
        "",
        "room:lobby",
        "perm:nothing",
        "perm:auth.nothing",
        "*",
        "user:%",
        "x" * 10**5,
        "a\0b",
        "\ud800",
        "user:a\nb",
        "<b>",
        "'; --",
    ],
)
def test_whatever_names_nobody_is_refused_with_the_words_that_would_do(alice: Any, word: str) -> None:
    with pytest.raises(UnknownAudience) as caught:
        audiences.resolve(word)
    assert caught.value.allowed


@pytest.mark.parametrize("audience", [None, 7, b"ops", {}, [], [[]], Group, object()])
def test_what_is_no_audience_is_refused(alice: Any, audience: object) -> None:
    with pytest.raises(BadNotification):
        audiences.resolve(audience)


def test_a_queryset_of_something_else_is_refused(alice: Any) -> None:
    from core.models import Event

    with pytest.raises(BadNotification):
        audiences.resolve(Event.objects.all())


def test_many_words_take_as_many_queries_as_one(
    alice: Any, bob: Any, charlie: Any, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(2):
        audiences.resolve(["ops", "alice", "bob", "user:charlie", "group:ops", "all"])


def test_an_audience_survives_storage_and_the_renaming_of_whom_it_names(alice: Any, bob: Any, ops: Group) -> None:
    stored = audiences.resolve(["ops", "user:alice"]).stored()
    Group.objects.update(name="operations")
    User.objects.filter(pk=alice.pk).update(username="alicia")
    assert sorted(Audience.from_stored(stored).people().values_list("username", flat=True)) == ["alicia", "bob"]


# Who may notify whom


def test_the_staff_may_notify_anybody(alice: Any, bob: Any) -> None:
    policy.check_may_notify(alice, audiences.resolve(["all", "bob", "staff"]))


def test_a_member_may_notify_herself_and_her_groups(bob: Any, ops: Group) -> None:
    policy.check_may_notify(bob, audiences.resolve(["bob", "group:ops"]))


@pytest.mark.parametrize("word", ["user:bob", "group:ops", "all", "staff", "perm:signalbox_notifications.send_broadcast"])
def test_a_stranger_may_not_and_learns_only_her_own_words(alice: Any, bob: Any, charlie: Any, word: str) -> None:
    with pytest.raises(UnknownAudience) as caught:
        policy.check_may_notify(charlie, audiences.resolve(word))
    assert caught.value.allowed == ["user:charlie"]
