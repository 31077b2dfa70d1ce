"""Notifications and broadcasts over HTTP: alice is staff, bob is in ops, charlie has no rights."""

import json
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.utils import timezone

from core import rates
from core.tokens import make_token, revoke
from notifications.actions.sending import MAX_RECIPIENTS
from notifications.broadcasts import actions as broadcasts
from notifications.models import Broadcast, InboxItem, Notification, Priority
from tests.core.conftest import Api
from tests.notifications.conftest import carried, newest_event, titles

pytestmark = pytest.mark.django_db
ApiOf = Callable[..., Api]
User = get_user_model()


@pytest.fixture(autouse=True)
def calm(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Rates begin anew, and nothing that a client sends is an ERROR of ours."""
    rates.CALLS.forget()
    yield
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR or record.exc_info] == []


def plain(api: Api, audience: str, body: str | bytes, **headers: str) -> Any:
    sent = body if isinstance(body, bytes) else body.encode()
    return api.post(f"notify/{audience}", sent, content_type="application/x-www-form-urlencoded", **headers)


def problem(response: Any, status: int, code: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(response.content)
    assert (response.status_code, found["code"]) == (status, code), found
    assert not Notification.objects.exists()
    return found


# One line of curl


def test_one_line_of_curl_notifies(alice: Any, bob: Any, api_of: ApiOf) -> None:
    answer = plain(api_of(alice), "ops", "Backup done")
    sent = Notification.objects.get()
    assert (answer.status_code, json.loads(answer.content)) == (202, {"id": sent.pk, "recipients": 1})
    assert titles(bob) == ["Backup done"]
    assert (sent.sender, sent.owner, sent.audience) == (alice, f"user:{alice.pk}", ["group:ops"])


def test_headers_say_the_rest_in_utf_8(alice: Any, api_of: ApiOf) -> None:
    headers = {
        "Title": "Übung beendet".encode().decode("latin-1"),
        "Priority": "4",
        "Click": "/rooms/",
        "Key": "drill",
        "Category": "drill",
    }
    answer = plain(api_of(alice), "user:alice", "Alle draußen", At="30m", Expires="2h", **headers)
    assert answer.status_code == 202, answer.content
    sent = Notification.objects.get()
    assert (sent.title, sent.body, sent.priority) == ("Übung beendet", "Alle draußen", Priority.HIGH)
    assert (sent.url, sent.key, sent.category) == ("/rooms/", "drill", "drill")
    assert sent.deliver_at is not None
    assert abs(sent.deliver_at - timezone.now() - timedelta(minutes=30)) < timedelta(seconds=30)


def test_a_long_text_has_its_first_80_characters_as_title(alice: Any, api_of: ApiOf) -> None:
    plain(api_of(alice), "alice", "word " * 100)
    sent = Notification.objects.get()
    assert len(sent.title) <= 80
    assert sent.body == ("word " * 100).strip()


def test_several_words_are_parted_by_commas_and_each_person_is_told_once(alice: Any, bob: Any, api_of: ApiOf) -> None:
    assert json.loads(plain(api_of(alice), "ops,user:bob,alice", "x").content)["recipients"] == 2


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid"),
        (b"  \n ", "invalid"),
        (b"\xff\xfe", "not_text"),
        (b"a\0b", "not_text"),
        (b"x" * 4001, "invalid"),
        ("\u202e".encode(), "invalid"),
    ],
)
def test_a_body_that_says_nothing_or_cannot_be_carried_is_a_422(alice: Any, api_of: ApiOf, body: bytes, code: str) -> None:
    problem(plain(api_of(alice), "alice", body), 422, code)


@pytest.mark.parametrize(
    ("headers", "field"),
    [
        ({"Click": "javascript:alert(1)"}, "url"), ({"Click": "//evil.example"}, "url"), ({"Priority": "loud"}, "priority"),
        ({"At": "soon"}, "At"),
        ({"At": "2020-01-01T00:00:00Z"}, "deliver_at"), ({"Expires": "2020-01-01T00:00:00Z"}, "expires_at"), ({"Key": "x" * 129}, "key"),
        ({"Category": "Not A Slug"}, "category"), ({"Title": "x" * 201}, "title"), ({"Title": "\u0080\u00ff"}, "Title"),
    ],
)  # fmt: skip
def test_a_bad_header_is_a_422_that_names_it(alice: Any, api_of: ApiOf, headers: dict[str, str], field: str) -> None:
    assert problem(plain(api_of(alice), "alice", "x", **headers), 422, "not_text" if field == "Title" else "invalid")["field"] == field


# Whom: known, unknown, ambiguous, not allowed


@pytest.mark.parametrize(
    ("word", "near"), [("opps", "group:ops"), ("user:alcie", "user:alice"), ("nonsense:x", "all"), ("zzzzzz", "staff")]
)
def test_an_unknown_audience_is_a_404_with_the_names_that_would_do(alice: Any, bob: Any, api_of: ApiOf, word: str, near: str) -> None:
    assert near in problem(plain(api_of(alice), word, "x"), 404, "not_found")["allowed"]


def test_a_name_of_two_is_a_422_with_both_spellings(alice: Any, bob: Any, api_of: ApiOf) -> None:
    User.objects.create_user("ops")
    assert problem(plain(api_of(alice), "ops", "x"), 422, "ambiguous")["allowed"] == ["user:ops", "group:ops"]


def test_an_audience_of_nobody_is_a_422(alice: Any, bob: Any, api_of: ApiOf) -> None:
    User.objects.filter(pk=bob.pk).update(is_active=False)
    problem(plain(api_of(alice), "ops", "x"), 422, "invalid")


@pytest.mark.parametrize("word", ["bob", "ops"])
def test_a_member_may_tell_herself_and_her_groups(alice: Any, bob: Any, api_of: ApiOf, word: str) -> None:
    assert plain(api_of(bob), word, "x").status_code == 202


@pytest.mark.parametrize("word", ["user:alice", "group:ops", "ops", "all", "staff", "perm:auth.add_user", "group:none", "user:nobody"])
def test_a_stranger_is_told_the_same_whether_there_is_such_a_name_or_not(
    alice: Any, bob: Any, charlie: Any, api_of: ApiOf, word: str
) -> None:
    found = problem(plain(api_of(charlie), word, "x"), 404, "not_found")
    assert found["allowed"] == ["user:charlie"]
    assert found["detail"] == "You may notify user:charlie; there is nobody else for you."


def test_who_may_not_tell_them_is_told_the_same_of_a_name_of_two(bob: Any, charlie: Any, api_of: ApiOf) -> None:
    User.objects.create_user("ops")
    for person, allowed in ((charlie, ["user:charlie"]), (bob, ["user:bob", "group:ops"])):
        answers = [problem(plain(api_of(person), word, "x"), 404, "not_found") for word in ("ops", "nobody", "user:ops")]
        assert [answer["allowed"] for answer in answers] == [allowed] * 3
        assert answers[0]["detail"] == answers[1]["detail"] == answers[2]["detail"]


@pytest.mark.parametrize("word", ["ops", "alcie", "user:alcie", "alice", "user:alice", "ops,alcie", "ops,user:alcie", "bob,ops,alice"])
def test_a_token_learns_no_name_that_it_was_not_made_for(alice: Any, bob: Any, api_of: ApiOf, word: str) -> None:
    User.objects.create_user("ops")  # a name of two
    found = problem(plain(api_of(alice, "notify:bob", "notify:op"), word, "x"), 403, "scope_missing")
    assert set(found["allowed"]) & {"notify:ops", "notify:alcie", "notify:alice"}
    assert "user:ops" not in found["detail"]
    if "alcie" in word:
        assert "alice" not in json.dumps(found)


@pytest.mark.parametrize("words", [["ops", "nobody"], ["user:bob", "alice"], ["ops", "group:nobody"]])
def test_the_first_words_scope_opens_nothing_for_the_second(alice: Any, bob: Any, api_of: ApiOf, words: list[str]) -> None:
    answer = api_of(alice, "notify:ops", "notify:user:bob").post("notifications", {"audience": words, "title": "x"})
    found = problem(answer, 403, "scope_missing")
    # The same words, whether there is such a name or not.
    assert found["detail"] == f"This token has not the scope notify:{words[1]}."


@pytest.mark.parametrize(
    ("scope", "word", "status"),
    [
        ("notify:*", "ops", 202), ("notify:ops", "ops", 202), ("notify:group:ops", "ops", 202), ("notify:ops", "group:ops", 202),
        ("notify:group:*", "ops", 202), ("notify:alice", "ops", 403), ("notify:ops", "ops,alice", 403), ("broadcast", "ops", 403),
        ("notify:ops", "nobody", 403), ("read:*", "all", 403),
    ],
)  # fmt: skip
def test_the_scope_covers_every_word(alice: Any, bob: Any, api_of: ApiOf, scope: str, word: str, status: int) -> None:
    response = plain(api_of(alice, scope), word, "x")
    assert response.status_code == status, response.content
    assert Notification.objects.exists() == (status == 202)


def test_no_wrong_or_revoked_token_is_a_401(alice: Any, caplog: pytest.LogCaptureFixture) -> None:
    row, revoked = make_token(alice, "old", ["notify:*"])
    revoke(row, now=timezone.now())
    for token in (None, "sbx_" + "x" * 32, "nonsense", revoked, "x" * 10_000):
        problem(plain(Api(token), "alice", "x"), 401, "unauthenticated")
    assert revoked not in caplog.text
    session = Client()
    session.force_login(alice)
    assert session.post("/api/v1/notify/alice", "x", content_type="text/plain").status_code == 401
    assert not Notification.objects.exists()


def test_critical_needs_its_own_scope_and_the_owners_permission(alice: Any, bob: Any, api_of: ApiOf) -> None:
    problem(plain(api_of(alice, "notify:*"), "alice", "x", Priority="critical"), 403, "scope_missing")
    problem(plain(api_of(bob, "notify:*", "critical"), "bob", "x", Priority="5"), 403, "forbidden")
    assert plain(api_of(alice, "notify:*", "critical"), "alice", "x", Priority="5").status_code == 202


# JSON


def test_json_takes_everything(alice: Any, bob: Any, api_of: ApiOf) -> None:
    sent = {
        "audience": ["group:ops", "user:alice"], "title": "Backup done", "body": "48 GB", "url": "https://ci.example.com/42",
        "category": "backup", "priority": "high", "key": "backup", "actions": [{"label": "Log", "url": "/log/"}],
        "expires_at": "2h", "data": {"build": 42},
    }  # fmt: skip
    answer = api_of(alice).post("notifications", sent)
    assert json.loads(answer.content)["recipients"] == 2, answer.content
    row = Notification.objects.get()
    assert (row.actions, row.data, row.priority) == ([{"label": "Log", "url": "/log/"}], {"build": 42}, Priority.HIGH)


@pytest.mark.parametrize(
    "change",
    [
        {"title": ""}, {"title": None}, {"title": 7}, {"titel": "x"}, {"audience": 7}, {"audience": []}, {"audience": {}}, {"priority": 9},
        {"priority": True}, {"expires_at": "2020-01-01T00:00:00Z"}, {"deliver_at": "2026-11-21T07:10:00"}, {"deliver_at": 10**13},
        {"deliver_at": "10000-01-01T00:00:00Z"}, {"actions": [{"label": "x", "url": "javascript:x"}]},
        {"actions": [{"label": "x"}] * 3},
        {"url": "data:text/html,x"}, {"data": {"x": "y" * 9000}}, {"data": []}, {"key": "\u00e9"}, {"body": "x" * 4001}, {"body": "\ud800"},
    ],
)  # fmt: skip
def test_a_bad_field_is_a_422_and_nothing_is_stored(alice: Any, api_of: ApiOf, change: dict[str, Any]) -> None:
    response = api_of(alice).post("notifications", {"audience": "alice", "title": "x"} | change)
    assert response.status_code == 422, response.content
    assert not Notification.objects.exists()


def test_a_retried_request_notifies_once(alice: Any, api_of: ApiOf) -> None:
    api, sent = api_of(alice), {"audience": "alice", "title": "x"}
    first, again = (api.post("notifications", sent, key="intent-1") for _ in range(2))
    assert first.content == again.content
    assert again.headers["Idempotent-Replayed"] == "true"
    assert Notification.objects.count() == 1


# Keys


def test_a_key_replaces_changes_and_withdraws(alice: Any, bob: Any, api_of: ApiOf) -> None:
    api = api_of(alice)
    for title in ("Down", "Still down"):
        api.post("notifications", {"audience": "ops", "title": title, "key": "db/main"})
    assert titles(bob) == ["Still down"]
    assert api.post("notifications/by-key/db/main", {"title": "Up", "priority": "low"}, method="PATCH").status_code == 202
    assert titles(bob) == ["Up"]
    answer = api.post("notifications/by-key/db/main", method="DELETE")
    assert json.loads(answer.content) == {"recipients": 1}
    assert titles(bob) == []


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_key_is_not_there_for_another_sender(alice: Any, bob: Any, api_of: ApiOf, method: str) -> None:
    api_of(alice).post("notifications", {"audience": "bob", "title": "x", "key": "k"})
    assert api_of(bob).post("notifications/by-key/k", {"title": "y"}, method=method).status_code == 404
    assert api_of(alice).post("notifications/by-key/other", {"title": "y"}, method=method).status_code == 404
    assert api_of(alice, "notify:ops").post("notifications/by-key/k", {"title": "y"}, method=method).status_code == 403
    assert titles(bob) == ["x"]


def later(**times: timedelta) -> None:
    """As if so much time had passed since these were written, and nobody had swept meanwhile."""
    Notification.objects.update(**{name: timezone.now() - ago for name, ago in times.items()})


def test_what_was_due_while_nobody_swept_may_be_changed_and_arrives(alice: Any, bob: Any, api_of: ApiOf) -> None:
    api = api_of(alice)
    api.post("notifications", {"audience": "bob", "title": "x", "key": "k", "deliver_at": "2h"})
    later(deliver_at=timedelta(minutes=5))
    mark = newest_event()
    answer = api.post("notifications/by-key/k", {"title": "y"}, method="PATCH")
    assert answer.status_code == 202, answer.content
    put = [event.data["row"]["title"] for event in carried(f"user:{bob.pk}", after=mark) if event.type == "notification.put"]
    assert put == ["y"]
    sent = Notification.objects.get()
    assert (sent.deliver_at, sent.delivered_at) == (None, sent.updated_at)
    # A time that somebody does send is judged as ever.
    past = {"deliver_at": "2020-01-01T00:00:00Z"}
    assert json.loads(api.post("notifications/by-key/k", past, method="PATCH").content)["field"] == "deliver_at"


def test_a_change_judges_nothing_that_was_not_sent(alice: Any, bob: Any, api_of: ApiOf) -> None:
    api = api_of(alice)
    api.post("notifications", {"audience": "bob", "title": "x", "key": "k", "deliver_at": "2h", "expires_at": "3h", "data": {"build": 42}})
    # A button to a page that was there when it was sent.
    button = {"label": "Again", "url": "/gone/", "method": "post"}
    Notification.objects.update(actions=[button])
    before = Notification.objects.get()
    assert api.post("notifications/by-key/k", {"title": "y"}, method="PATCH").status_code == 202
    after = Notification.objects.get()
    assert (after.title, after.actions, after.data) == ("y", [button], {"build": 42})
    assert (after.deliver_at, after.expires_at) == (before.deliver_at, before.expires_at)
    # Together they must still make sense.
    assert json.loads(api.post("notifications/by-key/k", {"deliver_at": "4h"}, method="PATCH").content)["field"] == "expires_at"
    assert Notification.objects.get().deliver_at == before.deliver_at


def test_what_has_expired_is_not_changed_even_before_it_is_swept_away(alice: Any, bob: Any, api_of: ApiOf) -> None:
    api = api_of(alice)
    api.post("notifications", {"audience": "bob", "title": "x", "key": "k", "expires_at": "2h"})
    later(expires_at=timedelta(seconds=3))
    mark = newest_event()
    for change in ({"title": "y"}, {"expires_at": "2h"}):
        assert api.post("notifications/by-key/k", change, method="PATCH").status_code == 404
    assert (titles(bob), newest_event()) == (["x"], mark)


# Broadcasts


def test_a_broadcast_is_sent_and_its_state_told(alice: Any, bob: Any, api_of: ApiOf) -> None:
    api = api_of(alice)
    answer = json.loads(api.post("broadcasts", {"title": "Maintenance at 22:00", "audience": "all"}).content)
    made = Broadcast.objects.get()
    assert (answer["id"], answer["state"], answer["total"], answer["audience"]) == (made.pk, "sending", 2, ["all"])
    assert json.loads(api.get(f"broadcasts/{made.pk}").content) == answer


def test_a_broadcast_takes_everything(alice: Any, bob: Any, api_of: ApiOf) -> None:
    sent = {
        "audience": ["group:ops"], "title": "Maintenance", "body": "At **22:00**", "markdown": True, "url": "/rooms/", "category": "plant",
        "priority": "high", "actions": [{"label": "Log", "url": "/log/"}], "expires_at": "2h", "data": {"window": 7},
    }  # fmt: skip
    assert api_of(alice).post("broadcasts", sent).status_code == 202
    row = Notification.objects.get()
    assert (row.body, row.markdown, row.data, row.category) == ("At **22:00**", True, {"window": 7}, "plant")
    assert (row.url, row.priority, row.actions) == ("/rooms/", Priority.HIGH, [{"label": "Log", "url": "/log/"}])
    assert row.expires_at is not None


def test_a_planned_broadcast_that_was_not_sent_says_why(alice: Any, bob: Any, api_of: ApiOf) -> None:
    api = api_of(alice)
    made = json.loads(api.post("broadcasts", {"title": "x", "audience": "ops", "send_at": "1h", "expires_at": "2h"}).content)
    assert (made["state"], made["reason"]) == ("scheduled", "")
    broadcasts.work_off_due(timezone.now() + timedelta(hours=3))
    late = json.loads(api.get(f"broadcasts/{made['id']}").content)
    assert (late["state"], late["reason"]) == ("cancelled", "Not sent: it expired before its time came.")


def test_a_broadcast_needs_the_scope_and_its_owners_permission(alice: Any, bob: Any, api_of: ApiOf) -> None:
    sent = {"title": "x", "audience": "all"}
    assert api_of(alice, "notify:*").post("broadcasts", sent).status_code == 403
    assert api_of(bob).post("broadcasts", sent).status_code == 403
    assert api_of(bob).get("broadcasts/1").status_code == 403
    assert not Broadcast.objects.exists()


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"audience": "nobody"}, 404),
        ({"title": ""}, 422),
        ({"send_at": "2020-01-01T00:00:00Z"}, 422),
        ({"url": "//x"}, 422),
        ({"x": 1}, 422),
        ({"markdown": "maybe"}, 422),
        ({"data": []}, 422),
        ({"data": {"x": "y" * 9000}}, 422),
    ],
)
def test_a_bad_broadcast_is_refused_and_nothing_is_stored(alice: Any, api_of: ApiOf, change: dict[str, Any], status: int) -> None:
    assert api_of(alice).post("broadcasts", {"title": "x", "audience": "all"} | change).status_code == status
    assert not Broadcast.objects.exists()
    assert not Notification.objects.exists()


@pytest.mark.parametrize(
    ("id", "status", "code"),
    [
        ("999", 404, "not_found"), (str(2**63 - 1), 404, "not_found"), ("0", 422, "invalid"), ("-1", 422, "invalid"), ("x", 422, "invalid"),
        ("1.5", 422, "invalid"), (str(2**63), 422, "invalid"), (str(10**30), 422, "invalid"),
    ],
)  # fmt: skip
def test_an_id_of_no_broadcast_is_not_found_and_what_is_no_id_is_invalid(
    alice: Any, api_of: ApiOf, id: str, status: int, code: str
) -> None:
    assert problem(api_of(alice).get(f"broadcasts/{id}"), status, code)["field"] == "id"


def test_a_refusal_leaves_no_half_of_anything(alice: Any, bob: Any, api_of: ApiOf) -> None:
    assert plain(api_of(alice), "ops,nobody", "x").status_code == 404
    assert not InboxItem.objects.exists()
    assert connection.in_atomic_block  # the test's own transaction, not one that a request left


def test_more_people_than_one_notification_tells_are_refused_with_what_would_do(alice: Any, api_of: ApiOf) -> None:
    names = [f"u{n}" for n in range(MAX_RECIPIENTS)]
    User.objects.bulk_create(User(username=name) for name in names)
    api = api_of(alice)
    for answer in (plain(api, "all", "x"), api.post("notifications", {"audience": "all", "title": "x"})):
        found = problem(answer, 422, "invalid")
        assert found["field"] == "audience"
        assert found["detail"].startswith("A notification tells at most 10000 people") and "POST /api/v1/broadcasts" in found["detail"]
    listed = problem(api.post("notifications", {"audience": names, "title": "x"}), 422, "invalid")
    assert listed["detail"] == "An audience is at most 1000 words; a group would do."
    assert api.post("broadcasts", {"audience": "all", "title": "x"}).status_code == 202
