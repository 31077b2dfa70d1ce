"""A CSV file of names as an audience: who is in it, and what is wrong with it, by line."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from notifications.broadcasts import actions as broadcasts
from notifications.broadcasts import names
from notifications.errors import BadNotification
from notifications.models import Broadcast
from tests.notifications.conftest import titles

pytestmark = pytest.mark.django_db
ADD = "/admin/signalbox_notifications/broadcast/add/"
SAID = {"title": "Maintenance", "priority": "2", "audience": "names", "intent": "i1"}


def file(content: str | bytes, name: str = "team.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content.encode() if isinstance(content, str) else content)


@pytest.mark.parametrize(
    "content",
    [
        "bob\ncharlie\n",
        "bob\r\ncharlie",
        "\ufeffusername\nbob\n\ncharlie\n",
        "mail;username\nb@example.com;bob\nc@example.com;charlie\n",
        '"bob","x"\n" charlie ","y"\n',
    ],
)
def test_a_file_names_people_in_its_first_column_or_in_the_one_that_says_so(alice: Any, bob: Any, charlie: Any, content: str) -> None:
    found = names.read(file(content))
    assert [user.username for user in found.people().order_by("username")] == ["bob", "charlie"]
    assert found.shown == ("2 people of team.csv",)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "names nobody"),
        ("username\n", "names nobody"),
        ("bob\nnobody-1\nnobody-2\n", "no active user nobody-1 (line 2), nobody-2 (line 3)."),
        ("bob\n" + "".join(f"n{n}\n" for n in range(9)), "and 4 more"),
        ("bob\ncharlie\nbob\n", "Line 3 names bob, who stands in line 1 already"),
        ("bob\n=HYPERLINK(1)\n", "Line 2 looks like a formula"),
        ("@SUM(1)\n", "Line 1 looks like a formula"),
        ("bob\n+1+1\n", "Line 2 looks like a formula"),
        ("bob\n-1\nnobody-1\n", "Line 2 looks like a formula"),
        ('bob,x\n"\t=1+1",x\n', "Line 2 looks like a formula: '=1+1'"),
        ("username\nbob\n\u202ebob\n", "Line 3 is no user name"),
        ("bob\n,x\n", "Line 2 names nobody"),
        ("bob\n" + "x" * 200_000 + "\n", "Line 2"),
        ("bob\nm\u00fcller\n".encode("latin-1"), "not UTF-8 (line 2)"),
        ("bob\n".encode("utf-16"), "not UTF-8 (line 1)"),
        (b"PK\x03\x04\x00\x00", "no text"),
        ("".join(f"u{n}\n" for n in range(names.MOST + 1)), "more than 10000 people (line 10001)"),
        ("".join(f"u{n}\n" for n in range(1_000_000)), "at most 1 MB"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_line(bob: Any, charlie: Any, content: str | bytes, words: str) -> None:
    with pytest.raises(BadNotification) as caught:
        names.read(file(content))
    assert words in str(caught.value)
    assert caught.value.field == "file"


def test_who_is_called_like_a_formula_is_a_person_and_blanks_around_a_name_do_not_count(django_user_model: Any) -> None:
    for name in ("+49", "-x", "@ann"):
        django_user_model.objects.create_user(name)
    assert names.read(file('+49,a\n"\t-x ",b\n@ann,c\n')).people().count() == 3


def test_the_console_counts_and_sends_to_a_file_and_to_names_beside_it(
    alice: Any, bob: Any, charlie: Any, browser_of: Callable[[Any], Client]
) -> None:
    browser = browser_of(alice)
    assert "Send to 1 person" in browser.post(ADD + "count/", SAID | {"file": file("bob\n")}).content.decode()
    browser.post(ADD, SAID | {"file": file("bob\n"), "names": "alice"})
    broadcasts.work_off_due()
    assert (titles(bob), titles(alice), titles(charlie)) == (["Maintenance"], ["Maintenance"], [])


def test_a_corrected_file_of_the_same_name_is_another_broadcast_and_the_same_one_is_not(
    alice: Any, bob: Any, charlie: Any, browser_of: Callable[[Any], Client]
) -> None:
    browser = browser_of(alice)
    for content in ("bob\n", "bob\n", "charlie\n"):
        browser.post(ADD, SAID | {"file": file(content)})
    broadcasts.work_off_due()
    assert (Broadcast.objects.count(), titles(bob), titles(charlie)) == (2, ["Maintenance"], ["Maintenance"])


def test_a_page_that_comes_back_has_lost_the_file_says_so_and_counts_without_it(
    alice: Any, bob: Any, charlie: Any, browser_of: Callable[[Any], Client]
) -> None:
    for more, count in (({"names": "charlie"}, "Send to 1 person"), ({}, "Name somebody.")):
        page = browser_of(alice).post(ADD, SAID | {"_test": "1", "file": file("bob\n")} | more).content.decode()
        assert "Choose the file again" in page
        assert count in page
    assert (titles(alice), Broadcast.objects.count()) == (["Maintenance"], 0)


def test_the_console_says_what_is_wrong_with_a_file_and_sends_nothing(alice: Any, bob: Any, browser_of: Callable[[Any], Client]) -> None:
    for content, words in (("bob\n=1+1\n", "looks like a formula"), ("b\xf6b\n".encode("latin-1"), "not UTF-8"), ("", "empty")):
        page = browser_of(alice).post(ADD, SAID | {"file": file(content)})
        assert page.status_code == 200
        assert words in page.content.decode()
    assert not Broadcast.objects.exists()
