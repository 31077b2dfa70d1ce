"""`manage.py demo`: made once, printed at every start, refused on other people's databases."""

import json
from pathlib import Path

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.core.management import CommandError, call_command

from core import demo
from core.tokens import of_token

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def data_dir(settings, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path
    settings.BASE_URL = "http://127.0.0.1:8000"
    return tmp_path


def test_it_prints_the_address_the_people_and_a_curl_line():
    address, alice, bob, charlie, curl = demo.make()
    assert address == "Signalbox: http://127.0.0.1:8000/"
    assert alice.startswith("alice  ") and alice.endswith("  staff, sends broadcasts")
    assert bob.startswith("bob  ") and bob.endswith("  in ops")
    assert charlie.startswith("charlie  ") and charlie.endswith("  no rights")
    assert curl.startswith('curl -H "Authorization: Bearer sbx_')
    assert curl.endswith('" -d "Backup done" http://127.0.0.1:8000/api/v1/notify/ops')


def test_the_printed_passwords_work_and_are_random(data_dir: Path):
    passwords = {line.split("  ")[0]: line.split("  ")[1] for line in list(demo.make())[1:4]}
    assert len(set(passwords.values())) == 3
    assert all(authenticate(username=name, password=password) for name, password in passwords.items())


def test_the_people_have_the_rights_that_are_printed():
    demo.make()
    users = {user.username: user for user in get_user_model().objects.all()}
    assert users["alice"].is_staff and not users["alice"].is_superuser
    assert users["alice"].has_perm("signalbox.add_apitoken")
    assert users["bob"].groups.filter(name="ops").exists() and not users["bob"].is_staff
    assert not users["charlie"].get_all_permissions() and not users["charlie"].groups.exists()


def test_the_printed_token_is_valid():
    from django.utils import timezone

    token = list(demo.make())[4].split('"')[1].split()[-1]
    caller = of_token(token, now=timezone.now())
    assert caller.user.username == "alice"
    assert caller.scopes == demo.SCOPES


def test_a_second_start_prints_the_same_and_makes_nothing_new():
    first = list(demo.make())
    assert list(demo.make()) == first
    assert get_user_model().objects.count() == 3


def test_its_file_is_read_by_its_owner_only(data_dir: Path):
    demo.make()
    assert (data_dir / "demo.json").stat().st_mode & 0o777 == 0o600


def test_a_changed_password_is_made_to_fit_what_is_printed():
    demo.make()
    bob = get_user_model().objects.get(username="bob")
    bob.set_password("something else")
    bob.save()
    printed = list(demo.make())[2].split("  ")[1]
    assert authenticate(username="bob", password=printed)


def test_a_revoked_token_is_replaced():
    from django.utils import timezone

    from core.models import ApiToken

    before = list(demo.make())[4]
    ApiToken.objects.update(revoked_at=timezone.now())
    assert list(demo.make())[4] != before


def test_a_database_of_other_people_is_refused_and_left_alone():
    get_user_model().objects.create_user("zoe")
    with pytest.raises(CommandError, match="holds other people"):
        call_command("demo")
    assert [user.username for user in get_user_model().objects.all()] == ["zoe"]


def test_an_alice_of_somebody_elses_keeps_her_password():
    get_user_model().objects.create_user("alice", password="her own")
    with pytest.raises(CommandError, match="holds other people"):
        call_command("demo")
    assert authenticate(username="alice", password="her own")


def test_people_added_to_the_demo_do_not_end_it():
    first = list(demo.make())
    get_user_model().objects.create_user("zoe")
    assert list(demo.make()) == first


@pytest.mark.parametrize("content", ["", "{", "[]", json.dumps({"unknown": 1})])
def test_a_broken_file_is_made_anew(data_dir: Path, content: str):
    (data_dir / "demo.json").write_text(content)
    assert len(list(demo.make())) == 5
