"""Guessing passwords gets slow, by name and address; nobody is locked out by somebody else's guesses."""

from typing import Any

import pytest
from django.test import Client

from core import attempts

HERE, THERE = "192.0.2.1", "192.0.2.2"


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A clock that stands still until it is moved, and nobody counted yet."""

    class Clock:
        now = 1000.0

        def __call__(self) -> float:
            return self.now

    held = Clock()
    for rate in (attempts.BOTH, attempts.ADDRESS, attempts.NAME):
        rate.forget()
        monkeypatch.setattr(rate, "clock", held)
    yield held
    for rate in (attempts.BOTH, attempts.ADDRESS, attempts.NAME):
        rate.forget()


def attempt(name: str, password: str, address: str = HERE) -> Any:
    return Client(REMOTE_ADDR=address).post("/accounts/login/", {"username": name, "password": password})


def test_after_five_wrong_passwords_even_the_right_one_has_to_wait(alice: Any, clock: Any) -> None:
    assert [attempt("alice", "wrong").status_code for _ in range(6)] == [200] * 5 + [429]
    refused = attempt("alice", "alice-password")
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "12"
    assert "Too many attempts. Try again in 12 seconds." in refused.content.decode()
    clock.now += 12
    assert attempt("alice", "alice-password").status_code == 302


def test_a_name_is_one_name_however_it_is_written(alice: Any) -> None:
    for name in ("alice", "ALICE", "Alice", "aLice", "alicE"):
        attempt(name, "wrong")
    assert attempt("alice", "wrong").status_code == 429


def test_somebody_elses_guesses_lock_nobody_out(alice: Any) -> None:
    for _ in range(6):
        attempt("alice", "wrong", THERE)
    assert attempt("alice", "alice-password", HERE).status_code == 302


def test_many_names_from_one_address_are_one_guesser(alice: Any, bob: Any) -> None:
    for number in range(20):
        attempt(f"user{number}", "wrong")
    assert attempt("bob", "bob-password").status_code == 429
    assert attempt("bob", "bob-password", THERE).status_code == 302


def test_one_name_from_many_addresses_gets_slow(alice: Any) -> None:
    for number in range(60):
        attempt("alice", "wrong", f"198.51.100.{number}")
    assert attempt("alice", "wrong", THERE).headers["Retry-After"] == "30"


def test_signing_in_counts_nothing(alice: Any) -> None:
    assert [attempt("alice", "alice-password").status_code for _ in range(10)] == [302] * 10


def test_a_name_of_any_length_is_counted(db: None) -> None:
    assert [attempt("x" * 100_000, "wrong").status_code for _ in range(6)] == [200] * 5 + [429]


def test_the_admin_has_no_form_of_its_own(alice: Any, charlie: Any, client: Client) -> None:
    assert client.get("/admin/", follow=True).redirect_chain[-1] == ("/accounts/login/?next=/admin/", 302)
    assert (
        client.post("/admin/login/", {"username": "alice", "password": "alice-password"}).headers["Location"].startswith("/accounts/login/")
    )
    client.force_login(charlie)
    assert client.get("/admin/", follow=True).status_code == 404
    client.force_login(alice)
    assert client.get("/admin/").status_code == 200
