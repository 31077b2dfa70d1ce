"""`manage.py token`: makes, lists and revokes, in words that a script can read."""

import io
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from core import tokens
from core.models import ApiToken

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("token", *arguments, stdout=out)
    return out.getvalue()


def test_make_writes_the_token_and_nothing_else(alice: Any) -> None:
    text = run("make", "alice", "--name", "ci", "--scope", "notify:*", "--scope", "read:*", "--expires", "90d")
    caller = tokens.of_token(text.rstrip("\n"), now=timezone.now())
    assert (caller.user, caller.scopes) == (alice, ("notify:*", "read:*"))
    assert timedelta(days=89) < ApiToken.objects.get().expires_at - timezone.now() <= timedelta(days=90)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["nobody", "--name", "ci", "--scope", "read:*"], "no user"),
        (["alice", "--name", "ci", "--scope", "*"], "not a scope"),
        (["alice", "--name", " ", "--scope", "read:*"], "name"),
        (["alice", "--name", "ci", "--scope", "read:*", "--expires", "yesterday"], "--expires"),
        (["alice", "--name", "ci", "--scope", "read:*", "--expires", "2020-01-01T00:00:00Z"], "--expires"),
        (["alice", "--name", "ci", "--scope", "read:*", "--expires", "2099-01-01T00:00:00"], "--expires"),
        (["alice", "--name", "ci", "--scope", "read:*", "--expires", "99999999d"], "--expires"),
        (["alice", "--name", "ci", "--scope", "read:*", "--expires", "2099-99-01T00:00:00Z"], "--expires"),
        (["alice", "--name", "ci"], "--scope"),
        (["alice", "--scope", "read:*"], "--name"),
    ],
)
def test_what_cannot_be_made_is_told_and_not_made(alice: Any, change: list[str], said: str) -> None:
    with pytest.raises((CommandError, SystemExit), match=said if "--scope" in change and "--name" in change else None):
        run("make", *change)
    assert not ApiToken.objects.exists()


def test_list_shows_hints_and_states_but_no_token(alice: Any, bob: Any) -> None:
    used, text = tokens.make_token(alice, "used", ["read:*"])
    tokens.of_token(text, now=timezone.now())
    gone, _ = tokens.make_token(alice, "gone", ["read:*"])
    tokens.revoke(gone, now=timezone.now())
    tokens.make_token(bob, "old", ["read:*"], timezone.now())
    lines = run("list").splitlines()
    assert [line.split("\t")[3] for line in lines] == ["used", "gone", "old"]
    assert [line.split("\t")[-1].split()[0] for line in lines] == ["last", "revoked", "expired"]
    assert lines[0].split("\t")[:3] == [str(used.pk), f"{text[:8]}...", "alice"]
    assert text not in run("list")
    assert len(run("list", "bob").splitlines()) == 1


def test_a_token_is_revoked_by_number_or_by_its_beginning(alice: Any) -> None:
    for given in ("number", "beginning"):
        row, text = tokens.make_token(alice, "ci", ["read:*"])
        said = run("revoke", str(row.pk) if given == "number" else text)
        assert "refused from now on" in said
        row.refresh_from_db()
        assert row.revoked_at is not None
        with pytest.raises(CommandError, match="before"):
            run("revoke", str(row.pk))


@pytest.mark.parametrize("which", ["999", "sbx_none", "", "\u0661"])
def test_what_is_no_token_is_not_revoked(alice: Any, which: str) -> None:
    tokens.make_token(alice, "ci", ["read:*"])
    with pytest.raises(CommandError, match="begins"):
        run("revoke", which)
