"""The pages of personal data: her own copy on her account's page; in the admin a copy, and an erasure that asks twice."""

import json
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client

from core import person_pages
from notifications.actions import notify

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def unhurried() -> None:
    person_pages.COPIES.forget()


def browser_of(user: Any, *permissions: str) -> Client:
    user.user_permissions.add(*Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def test_she_sees_what_is_stored_and_takes_a_copy_of_her_own_only(bob: Any, charlie: Any):
    notify([bob], title="For bob")
    notify([charlie], title="For charlie")
    client = browser_of(bob)
    page = client.get("/accounts/data/").content.decode()
    assert "inbox: 1" in page and "/accounts/data/copy/" in page
    answer = client.get("/accounts/data/copy/")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="signalbox-bob.json"'
    assert answer.headers["Cache-Control"] == "no-store"
    told = json.loads(answer.content)
    assert told["account"]["username"] == "bob"
    assert "For bob" in answer.content.decode() and "For charlie" not in answer.content.decode()


def test_copies_are_not_made_without_end(bob: Any):
    client = browser_of(bob)
    answers = [client.get("/accounts/data/copy/") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert int(answers[-1].headers["Retry-After"]) > 0


def test_the_numbers_cost_the_same_for_any_number_of_rows(bob: Any, django_assert_max_num_queries: Any):
    client = browser_of(bob)
    for _ in range(30):
        notify([bob], title="x")
    with django_assert_max_num_queries(60):
        client.get("/accounts/data/")


def test_in_the_admin_each_right_is_one_of_its_own(alice: Any, bob: Any):
    alice.user_permissions.clear()
    address = f"/admin/people/{bob.pk}/"
    assert browser_of(alice).get(address).status_code == 403
    copier = browser_of(get_user_model().objects.get(pk=alice.pk), "export_people")
    page = copier.get(address).content.decode()
    assert "Download a copy" in page and "Erase" not in page
    assert json.loads(copier.get(f"{address}copy/").content)["account"]["username"] == "bob"
    assert copier.post(address, {"name": "bob"}).status_code == 403
    alice.user_permissions.clear()
    eraser = browser_of(get_user_model().objects.get(pk=alice.pk), "erase_people")
    page = eraser.get(address).content.decode()
    assert "Download a copy" not in page and "Erase bob" in page
    assert eraser.get(f"{address}copy/").status_code == 403


def test_she_is_erased_only_by_her_name(alice: Any, bob: Any):
    eraser, address = browser_of(alice, "erase_people"), f"/admin/people/{bob.pk}/"
    refused = eraser.post(address, {"name": "Bob"})
    assert refused.status_code == 422 and "Nothing was erased" in refused.content.decode()
    assert eraser.get(address).status_code == 200
    done = eraser.post(address, {"name": "bob"}, follow=True)
    assert "Erased: bob." in done.content.decode()
    assert not get_user_model().objects.filter(pk=bob.pk).exists()
    assert eraser.post(address, {"name": "bob"}).status_code == 404


def test_nobody_erases_herself_or_a_superuser_above_her(alice: Any, bob: Any):
    eraser = browser_of(alice, "erase_people")
    assert eraser.post(f"/admin/people/{alice.pk}/", {"name": "alice"}).status_code == 403
    bob.is_superuser = True
    bob.save()
    assert eraser.post(f"/admin/people/{bob.pk}/", {"name": "bob"}).status_code == 403
    assert get_user_model().objects.filter(username__in=["alice", "bob"]).count() == 2


@pytest.mark.parametrize("key", ["0", "x", "9" * 100, "-1", "٧"])
def test_a_number_that_nobody_has_is_not_found(alice: Any, key: str):
    assert browser_of(alice, "export_people", "erase_people").get(f"/admin/people/{key}/").status_code == 404


def test_the_page_of_a_user_in_the_admin_leads_there(alice: Any, bob: Any):
    client = browser_of(alice, "view_user", "change_user", "export_people")
    assert f"/admin/people/{bob.pk}/" in client.get(f"/admin/auth/user/{bob.pk}/change/").content.decode()
