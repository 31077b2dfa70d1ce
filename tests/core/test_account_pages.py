"""The pages of a person's account: signing in and out, sessions, password, theme."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from core import browsers, signins
from core.delivery.identity import session_hash
from core.models import Event, Profile, SignIn

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1"


def sign_in(person: Any, *, agent: str = FIREFOX, client: Client | None = None) -> Client:
    client = client or Client(headers={"user-agent": agent})
    answer = client.post("/accounts/login/", {"username": person.username, "password": f"{person.username}-password"})
    assert answer.status_code == 302, answer.content
    return client


def is_in(client: Client) -> bool:
    return client.get("/accounts/sessions/").status_code == 200


def test_a_wrong_password_says_so_in_words(alice: Any, client: Client) -> None:
    page = client.post("/accounts/login/", {"username": "alice", "password": "wrong"})
    assert page.status_code == 200
    assert "Please enter a correct username and password" in page.content.decode()


def test_signing_in_never_leads_to_another_site(alice: Any, client: Client) -> None:
    answer = client.post("/accounts/login/", {"username": "alice", "password": "alice-password", "next": "//evil.example/"})
    assert answer.headers["Location"] == "/"


def test_there_is_no_registration(client: Client, db: None) -> None:
    assert client.get("/accounts/register/").status_code == 404
    assert client.get("/accounts/signup/").status_code == 404


def test_signing_out_takes_a_post(alice: Any) -> None:
    client = sign_in(alice)
    assert client.get("/accounts/logout/").status_code == 405 and is_in(client)
    client.post("/accounts/logout/")
    assert not is_in(client)
    assert not SignIn.objects.exists()


def test_signing_out_without_a_csrf_token_is_refused(alice: Any) -> None:
    client = sign_in(alice, client=Client(enforce_csrf_checks=False))
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = client.cookies
    answer = strict.post("/accounts/logout/")
    assert answer.status_code == 403 and "Please try again" in answer.content.decode()
    assert is_in(client)


@pytest.mark.parametrize("page", ["/accounts/sessions/", "/accounts/data/", "/accounts/data/copy/", "/accounts/password_change/"])
def test_a_stranger_is_sent_to_sign_in(page: str, client: Client, db: None) -> None:
    assert client.get(page).headers["Location"] == f"/accounts/login/?next={page}"


# Sessions


def test_a_person_sees_where_she_is_signed_in(alice: Any) -> None:
    here, _there = sign_in(alice), sign_in(alice, agent=PHONE)
    page = here.get("/accounts/sessions/").content.decode()
    assert "Firefox on Linux" in page and "Safari on iPhone" in page
    assert page.count("This session") == 1


def test_a_session_that_she_ends_is_out_at_once(alice: Any) -> None:
    here, there = sign_in(alice), sign_in(alice, agent=PHONE)
    here.post(f"/accounts/sessions/{SignIn.objects.get(user_agent=PHONE).pk}/end/")
    assert is_in(here) and not is_in(there)


def test_what_runs_on_an_ended_session_is_told_to_every_hub(alice: Any) -> None:
    sign_in(alice)
    session = SignIn.objects.get()
    signins.end([session])
    told = Event.objects.filter(channel="system:authority").latest("id")
    assert session_hash(session.session_key) in told.data


def test_a_stranger_cannot_end_her_session(alice: Any, bob: Any) -> None:
    hers, his = sign_in(alice), sign_in(bob)
    answer = his.post(f"/accounts/sessions/{SignIn.objects.get(user=alice).pk}/end/")
    assert answer.status_code == 404 and is_in(hers)


def test_a_guest_cannot_end_her_session(alice: Any, client: Client) -> None:
    hers = sign_in(alice)
    assert client.post(f"/accounts/sessions/{SignIn.objects.get(user=alice).pk}/end/").status_code == 302
    assert is_in(hers)


def test_ending_all_others_keeps_this_one(alice: Any, bob: Any) -> None:
    here, there, his = sign_in(alice), sign_in(alice, agent=PHONE), sign_in(bob)
    here.post("/accounts/sessions/end-others/")
    assert is_in(here) and not is_in(there) and is_in(his)


def test_a_session_older_than_the_table_gets_its_row_when_it_is_looked_at(alice: Any) -> None:
    client = Client()
    client.force_login(alice)
    SignIn.objects.all().delete()
    assert "This session" in client.get("/accounts/sessions/").content.decode()


def test_sessions_that_ran_out_are_not_listed_and_go_at_the_next_sign_in(alice: Any) -> None:
    here = sign_in(alice, agent=PHONE)
    SignIn.objects.update(expires_at="2020-01-01T00:00:00Z")
    other = sign_in(alice)
    assert SignIn.objects.filter(user=alice).count() == 1
    assert "Safari" not in other.get("/accounts/sessions/").content.decode()
    assert is_in(here)


def test_a_session_in_use_is_noted_every_few_minutes_and_not_each_time(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client = sign_in(alice)
    SignIn.objects.update(last_seen="2020-01-01T00:00:00Z")
    client.get("/accounts/password_change/")
    assert SignIn.objects.get().last_seen.year == 2020
    monkeypatch.setattr(signins, "NOTE_EVERY", timedelta())
    client.get("/accounts/password_change/")
    assert SignIn.objects.get().last_seen.year > 2020


def test_noting_forgets_rather_than_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signins, "REMEMBERED", 3)
    noted: dict[str, Any] = {}
    assert all(signins._due(noted, str(number), now=timezone.now()) for number in range(10))
    assert len(noted) <= 3
    assert not signins._due(noted, "9", now=timezone.now())


def test_a_user_agent_of_any_size_does_no_harm(alice: Any) -> None:
    sign_in(alice, agent="<script>" * 1000)
    assert len(SignIn.objects.get().user_agent) <= 300


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (FIREFOX, "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36", "Chrome on Android"),
        ("curl/8.0", "curl"),
        ("", "Unknown browser"),
    ],
)
def test_browsers_have_names(agent: str, name: str) -> None:
    assert browsers.named(agent) == name


# Password


def test_a_new_password_ends_the_other_sessions_and_keeps_this_one(alice: Any) -> None:
    here, there = sign_in(alice), sign_in(alice, agent=PHONE)
    words = {"old_password": "alice-password", "new_password1": "a-long-new-one-7", "new_password2": "a-long-new-one-7"}
    assert here.post("/accounts/password_change/", words).headers["Location"] == "/accounts/password_change/done/"
    assert is_in(here) and not is_in(there)
    assert here.get("/accounts/password_change/done/").status_code == 200
    assert [one.session_key for one in SignIn.objects.all()] == [here.session.session_key]


def test_a_bad_new_password_names_its_field(alice: Any) -> None:
    page = sign_in(alice).post("/accounts/password_change/", {"old_password": "alice-password", "new_password1": "1", "new_password2": "2"})
    text = page.content.decode()
    assert 'class="summary"' in text and "field wrong" in text
    assert "didn’t match" in text or "didn&#x27;t match" in text


# Theme


@pytest.mark.parametrize(("chosen", "shown"), [("dark", 'data-theme="dark"'), ("light", 'data-theme="light"'), ("auto", "")])
def test_the_theme_is_kept_for_the_person(alice: Any, chosen: str, shown: str) -> None:
    client = sign_in(alice)
    assert client.post("/accounts/theme/", {"theme": chosen, "next": "/accounts/sessions/"}).headers["Location"] == "/accounts/sessions/"
    assert Profile.objects.get(user=alice).theme == chosen
    again = sign_in(alice).get("/accounts/sessions/").content.decode()
    assert ("data-theme" in again) == bool(shown) and shown in again


def test_a_theme_that_is_none_is_refused(alice: Any) -> None:
    assert sign_in(alice).post("/accounts/theme/", {"theme": "pink"}).status_code == 422
    assert not Profile.objects.filter(user=alice).exists()


def test_the_theme_switch_never_leads_to_another_site(alice: Any) -> None:
    answer = sign_in(alice).post("/accounts/theme/", {"theme": "dark", "next": "https://evil.example/"})
    assert answer.headers["Location"] == "/"


def test_a_guest_has_no_theme_to_keep(client: Client, db: None) -> None:
    assert client.post("/accounts/theme/", {"theme": "dark"}).status_code == 302
    assert not Profile.objects.exists()
