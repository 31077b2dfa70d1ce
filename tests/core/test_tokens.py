"""Tokens: what scopes cover, who is let in, and what is written of it."""

import hashlib
import logging
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from core import tokens
from core.errors import Code, Problem
from core.logs import LineFormatter
from core.models import ApiToken, Event

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
scope_texts = st.builds(lambda verb, rest: f"{verb}:{rest}", st.sampled_from(["notify", "push", "publish", "read"]), st.text(max_size=30))


# Scopes


@pytest.mark.parametrize(
    ("scope", "needed", "covered"),
    [
        ("notify:ops", "notify:ops", True),
        ("notify:ops", "notify:opsy", False),
        ("notify:*", "notify:perm:app.codename", True),
        ("notify:user:*", "notify:user:alice", True),
        ("notify:user:*", "notify:group:ops", False),
        ("push:ops/*", "push:ops/cpu", True),
        ("push:ops/*", "push:opsy/cpu", False),
        ("push:*", "publish:dashboard:1", False),
        ("read:*", "publish:room:1", False),
        ("broadcast", "broadcast", True),
        ("broadcast", "dashboards", False),
    ],
)
def test_a_scope_covers_exactly_what_it_names(scope: str, needed: str, covered: bool) -> None:
    assert tokens.allows([scope], needed) is covered


def test_no_scopes_cover_nothing_and_a_session_is_not_narrowed() -> None:
    assert not tokens.allows([], "notify:ops")
    assert tokens.allows(None, "notify:ops")


@given(needed=st.text(max_size=40), scopes=st.lists(scope_texts, max_size=5))
def test_a_star_covers_what_begins_so_and_other_scopes_only_themselves(needed: str, scopes: list[str]) -> None:
    expected = any(needed.startswith(s[:-1]) if s.endswith("*") else needed == s for s in scopes)
    assert tokens.allows(scopes, needed) is expected


@given(st.text(max_size=60))
def test_whatever_passes_as_a_scope_has_a_known_verb_and_at_most_one_star_at_its_end(text: str) -> None:
    try:
        (scope,) = tokens.checked_scopes([text])
    except tokens.BadScope:
        return
    assert scope.partition(":")[0] in {"notify", "push", "publish", "read", "broadcast", "dashboards", "critical"}
    assert "*" not in scope[:-1]


@pytest.mark.parametrize(
    "scope",
    [
        *(
            "notify:ops",
            "notify:group:Night shift",
            "notify:perm:app.codename",
            "notify:watching:dashboard:ops",
            "notify:user:al@example.com",
        ),
        *("push:ops/cpu", "push:ops/*", "publish:room:lobby", "read:dashboard:7", "read:*", "broadcast", "dashboards", "critical"),
    ],
)
def test_the_grammar_takes_what_the_interface_names(scope: str) -> None:
    assert tokens.checked_scopes([f" {scope} ", scope, ""]) == [scope]


@pytest.mark.parametrize(
    "scope",
    [
        *("*", "notify:", "notify", "notify:*ops", "notify:**", "notify:a\nb", "notify:a\0", "push:ops", "push:a/b/c", "push:a b/c"),
        *("read:Room:1", "read:room", "write:x", "broadcast:*", "NOTIFY:ops", "notify:" + "x" * 200, " "),
    ],
)
def test_the_grammar_refuses_anything_else(scope: str) -> None:
    with pytest.raises(tokens.BadScope):
        tokens.checked_scopes([scope])


# Making and using


def test_a_token_is_stored_as_its_hash_and_a_hint(alice: Any) -> None:
    row, text = tokens.make_token(alice, " ci ", ["notify:*"])
    assert re.fullmatch(r"sbx_[A-Za-z0-9]{32}", text)
    row.refresh_from_db()
    assert (row.name, row.digest, row.hint) == ("ci", hashlib.sha256(text.encode()).hexdigest(), text[:8])
    assert text not in str(vars(row))


@pytest.mark.parametrize("name", ["", "   ", "x" * 81, "a\nb", "a\0b"])
def test_a_token_has_a_printable_name(alice: Any, name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        tokens.make_token(alice, name, ["notify:*"])


def test_a_token_stands_for_its_owner_within_its_scopes(alice: Any) -> None:
    row, text = tokens.make_token(alice, "ci", ["notify:ops"])
    caller = tokens.of_token(text, now=NOON)
    assert (caller.user, caller.name) == (alice, f"token:{row.pk}")
    assert (caller.reader.user, caller.reader.scopes) == (str(alice.pk), ("notify:ops",))
    caller.require("notify:group:ops", "notify:ops")
    with pytest.raises(Problem) as refused:
        caller.require("notify:dev")
    assert (refused.value.code, refused.value.allowed) == (Code.SCOPE_MISSING, ["notify:dev"])


def spoil(token: ApiToken, how: str) -> None:
    if how == "revoked":
        assert tokens.revoke(token, now=NOON)
        assert not tokens.revoke(token, now=NOON)
    elif how == "expired":
        ApiToken.objects.update(expires_at=NOON)
    elif how == "owner inactive":
        type(token.user).objects.update(is_active=False)
    elif how == "deleted":
        token.delete()


@pytest.mark.parametrize("how", ["revoked", "expired", "owner inactive", "deleted"])
def test_a_token_that_is_no_longer_good_is_refused(alice: Any, how: str) -> None:
    token, text = tokens.make_token(alice, "ci", ["notify:*"])
    assert tokens.of_token(text, now=NOON).user == alice
    spoil(token, how)
    with pytest.raises(Problem) as refused:
        tokens.of_token(text, now=NOON)
    assert refused.value.code is Code.UNAUTHENTICATED


def test_revoking_a_token_ends_what_it_opened(alice: Any) -> None:
    token, _ = tokens.make_token(alice, "ci", ["notify:*"])
    told = Event.objects.filter(channel="system:authority")
    before = told.count()
    tokens.revoke(token, now=NOON)
    assert told.count() == before + 1
    assert str(alice.pk) in told.latest("pk").data
    tokens.revoke(token, now=NOON)
    assert told.count() == before + 1


def test_last_use_is_written_once_a_minute(alice: Any, django_assert_num_queries: Any) -> None:
    token, text = tokens.make_token(alice, "ci", ["notify:*"])
    for seconds, written in [(0, 0), (59, 0), (60, 60), (90, 60), (600, 600)]:
        with django_assert_num_queries(3 if written == seconds else 2):
            tokens.of_token(text, now=NOON + timedelta(seconds=seconds))
        token.refresh_from_db()
        assert token.last_used_at == NOON + timedelta(seconds=written)


@pytest.mark.parametrize(
    "header",
    [
        *("Bearer", "Bearer ", "Bearer x", "Basic YWxpY2U6eA==", "sbx_" + "a" * 32, "Bearer sbx_" + "a" * 31, "Bearer sbx_" + "a" * 33),
        *("Bearer sbx_" + "a" * 10_000, "Bearer sbx_" + "ä" * 32, "Bearer sbx_" + "a" * 31 + "*"),
        "Bearer sbx_" + "a" * 32 + " sbx_" + "b" * 32,
    ],
)
def test_a_header_that_is_no_token_is_refused_without_a_query(header: str) -> None:
    # No database is allowed in this test.
    with pytest.raises(Problem) as refused:
        tokens.caller_of(RequestFactory().get("/", headers={"Authorization": header}))
    assert refused.value.code is Code.UNAUTHENTICATED
    assert "aaaa" not in refused.value.detail


# Never in a log


def test_no_log_line_shows_a_token(alice: Any, api_of: Any, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    text = tokens.make_token(alice, "ci", ["notify:*"])[1]
    caplog.set_level(logging.DEBUG)
    caplog.handler.setFormatter(LineFormatter())
    api = api_of(alice)
    for header in (f"Bearer {text}", f"Basic {text}", text, f"Bearer {text}x"):
        api.headers["Authorization"] = header
        api.get("channels/feed:1/events")
        api.post("publish", {"channel": header})
    api.client.get(f"/api/v1/channels/feed:1/events?token={text}")
    api.client.get(f"/api/v1/{text}")
    logging.getLogger("somebody.careless").warning("Authorization: Bearer %s", text)
    assert "careless" in caplog.text
    assert text[8:] not in caplog.text
    assert text not in "".join(capsys.readouterr())


def test_a_token_in_an_address_is_refused_in_words(alice: Any, problem_of: Any, client: Any) -> None:
    text = tokens.make_token(alice, "ci", ["notify:*"])[1]
    problem = problem_of(client.get(f"/api/v1/channels/feed:1/events?access_token={text}"), 401, "unauthenticated")
    assert "Authorization" in problem["detail"]
