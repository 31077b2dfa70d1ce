"""Every call about notifications and broadcasts: as owner, member and stranger, without the scope, without a token, and asked twice."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.utils import timezone

from core.api import api as signalbox_api
from core.tokens import make_token, revoke
from notifications import actions
from notifications.actions import notify
from notifications.models import Broadcast, InboxItem, Notification
from tests.core.conftest import Api
from tests.notifications.conftest import titles

pytestmark = pytest.mark.django_db
ApiOf = Callable[..., Api]

# Alice, of the staff, owns the key "k" and the broadcast; bob, in ops, has got both; charlie is nobody here.
# (owner, member, stranger, a token of the owner's without the scope, no token): interface.md's table, call by call.
CALLS: dict[str, tuple[str, str, Any, tuple[int, int, int, int, int]]] = {
    "notify plainly": ("POST", "notify/ops", b"Done", (202, 202, 404, 403, 401)),
    "notify fully": ("POST", "notifications", {"audience": "group:ops", "title": "Done"}, (202, 202, 404, 403, 401)),
    "notify a person": ("POST", "notifications", {"audience": "user:alice", "title": "Done"}, (202, 404, 404, 403, 401)),
    "notify everybody": ("POST", "notifications", {"audience": "all", "title": "Done"}, (202, 404, 404, 403, 401)),
    "change": ("PATCH", "notifications/by-key/k", {"title": "Changed"}, (202, 404, 404, 403, 401)),
    "withdraw": ("DELETE", "notifications/by-key/k", b"", (200, 404, 404, 403, 401)),
    "broadcast": ("POST", "broadcasts", {"audience": "all", "title": "Hear"}, (202, 403, 403, 403, 401)),
    "how far it is": ("GET", "broadcasts/{id}", b"", (200, 403, 403, 403, 401)),
    "pause": ("POST", "broadcasts/{id}/pause", b"", (200, 403, 403, 403, 401)),
    "resume": ("POST", "broadcasts/{id}/resume", b"", (409, 403, 403, 403, 401)),
    "cancel": ("POST", "broadcasts/{id}/cancel", {"withdraw": True}, (200, 403, 403, 403, 401)),
}


def told() -> list[Any]:
    rows = Notification.objects.order_by("pk").values("pk", "title", "withdrawn_at")
    return [*rows, *Broadcast.objects.order_by("pk").values("pk", "state"), *InboxItem.objects.order_by("pk").values("pk", "version")]


@pytest.fixture
def made(alice: Any, bob: Any, charlie: Any) -> Broadcast:
    notify(bob, title="Under a key", key="k", sender=alice)
    return actions.broadcast("group:ops", title="Broadcast", sender=alice)


@pytest.mark.parametrize("call", CALLS)
def test_a_call_is_answered_by_who_asks(call: str, made: Broadcast, alice: Any, bob: Any, charlie: Any, api_of: ApiOf) -> None:
    method, path, body, wanted = CALLS[call]
    kind = {"content_type": "text/plain"} if call == "notify plainly" else {}
    revoked, text = make_token(alice, "revoked", ["notify:*", "broadcast"])
    revoke(revoked, now=timezone.now())
    askers = {"member": api_of(bob), "stranger": api_of(charlie), "no scope": api_of(alice, "read:*"), "no token": Api(None)}
    before = told()

    def status(asker: Api) -> int:
        answer = asker.post(path.format(id=made.pk), body, method=method, **kind)
        if answer.status_code >= 400:
            problem = json.loads(answer.content)
            assert answer.headers["Content-Type"].startswith("application/problem+json")
            assert {"type", "title", "status", "code", "detail"} <= problem.keys()
        return answer.status_code

    assert status(Api(text)) == 401
    for asker, expected in zip(askers, wanted[1:], strict=True):
        assert (asker, status(askers[asker])) == (asker, expected)
        if expected >= 400:
            assert told() == before
        before = told()
    assert status(api_of(alice)) == wanted[0]


def test_every_call_of_the_table_is_in_the_document_and_here() -> None:
    document = signalbox_api.get_openapi_schema()
    described = {
        f"{method.upper()} {path.removeprefix('/api/v1/').partition('{')[0].rstrip('/')}"
        for path, methods in document["paths"].items()
        for method in methods
        if path.startswith(("/api/v1/notif", "/api/v1/broadcasts"))
    }
    paths = [(method, path.replace("/ops", "").replace("/k", "")) for method, path, _, _ in CALLS.values()]
    tested = {f"{method} {path.partition('{')[0].rstrip('/')}" for method, path in paths}
    assert described == tested


@pytest.mark.parametrize("call", [name for name in CALLS if name not in ("how far it is", "resume")])
def test_a_retried_request_does_it_once_and_is_answered_the_same(call: str, made: Broadcast, alice: Any, api_of: ApiOf) -> None:
    method, path, body, _ = CALLS[call]
    kind = {"content_type": "text/plain"} if call == "notify plainly" else {}
    api = api_of(alice)
    first = api.post(path.format(id=made.pk), body, method=method, key="intent", **kind)
    before = told()
    again = api.post(path.format(id=made.pk), body, method=method, key="intent", **kind)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert told() == before
    # Another body under the same key is another intent.
    other = api.post(path.format(id=made.pk), {"title": "Other"}, method=method, key="intent", **kind)
    assert (other.status_code, json.loads(other.content)["code"]) == (409, "key_reused")
    assert told() == before


@pytest.mark.parametrize("key", ["a/b", "..", "%2e%2e%2f", "a b", "?", "~!@$&'()*+,;=:", "k" * 128])
def test_a_key_of_any_printable_characters_is_found_again_by_its_address(key: str, alice: Any, bob: Any, api_of: ApiOf) -> None:
    from urllib.parse import quote

    api = api_of(alice)
    assert api.post("notifications", {"audience": "bob", "title": "x", "key": key}).status_code == 202
    assert api.post(f"notifications/by-key/{quote(key, safe='')}", {"title": "y"}, method="PATCH").status_code == 202
    assert titles(bob) == ["y"]
    assert api.post(f"notifications/by-key/{quote(key, safe='')}", method="DELETE").status_code == 200
    assert titles(bob) == []


@pytest.mark.parametrize("key", ["%00", "%0a", "%c3%a9", "%ff", "k" * 129, "*", "k%25", "K"])
def test_a_key_that_is_none_or_another_finds_nothing(key: str, made: Broadcast, alice: Any, bob: Any, api_of: ApiOf) -> None:
    for method in ("PATCH", "DELETE"):
        answer = api_of(alice).post(f"notifications/by-key/{key}", {"title": "y"}, method=method)
        assert answer.status_code in (404, 422), answer.content
    assert titles(bob) == ["Under a key"]


def test_blanks_around_a_key_are_no_part_of_it(made: Broadcast, alice: Any, bob: Any, api_of: ApiOf) -> None:
    answer = api_of(alice).post("notifications/by-key/%20k%20", method="DELETE")
    assert (answer.status_code, json.loads(answer.content)) == (200, {"recipients": 1})
    assert titles(bob) == []


@pytest.mark.parametrize("words", [["ops", "ops"], ["bob", "user:bob", "ops"], ["bob"] * 500])
def test_who_is_named_twice_is_told_once(words: list[str], alice: Any, bob: Any, api_of: ApiOf) -> None:
    answer = api_of(alice).post("notifications", {"audience": words, "title": "x"})
    assert (answer.status_code, json.loads(answer.content).get("recipients")) == (202, 1), answer.content
    assert titles(bob) == ["x"]


def test_an_audience_of_nobody_is_refused_by_every_call_that_takes_one(alice: Any, bob: Any, api_of: ApiOf) -> None:
    type(bob).objects.filter(pk=bob.pk).update(is_active=False)
    api = api_of(alice)
    answers = [
        api.post("notify/ops", b"x", content_type="text/plain"),
        api.post("notifications", {"audience": "ops", "title": "x"}),
        api.post("notifications", {"audience": [], "title": "x"}),
        api.post("broadcasts", {"audience": "ops", "title": "x"}),
    ]
    for answer in answers:
        assert (answer.status_code, json.loads(answer.content)["field"]) == (422, "audience")
    assert not Notification.objects.exists()
    assert not Broadcast.objects.exists()


# What somebody sent while she still might


def lose_the_right_to_tell(alice: Any) -> None:
    alice.is_staff = False
    alice.save(update_fields=["is_staff"])
    alice.user_permissions.remove(*Permission.objects.filter(codename="add_notification"))


def lose_the_right_to_be_critical(alice: Any) -> None:
    alice.user_permissions.remove(Permission.objects.get(codename="send_critical"))


@pytest.mark.parametrize(
    ("lose", "change", "code"),
    [
        (lose_the_right_to_tell, {"title": "y"}, "not_found"),
        (lose_the_right_to_tell, {"priority": "low"}, "not_found"),
        (lose_the_right_to_be_critical, {"title": "y"}, "forbidden"),
        (lose_the_right_to_be_critical, {"priority": "critical"}, "forbidden"),
    ],
)
def test_who_lost_the_right_changes_nothing_and_is_answered_as_if_she_sent_it_anew(
    alice: Any, bob: Any, api_of: ApiOf, lose: Callable[[Any], None], change: dict[str, Any], code: str
) -> None:
    sent = {"audience": "bob", "title": "x", "priority": "critical", "key": "k"}
    api = api_of(alice, "notify:*", "critical")
    assert api.post("notifications", sent).status_code == 202
    lose(alice)
    before = told()
    anew = api.post("notifications", sent | {"key": "other"} | change)
    changed = api.post("notifications/by-key/k", change, method="PATCH")
    assert (changed.status_code, changed.content) == (anew.status_code, anew.content)
    assert json.loads(changed.content)["code"] == code
    assert (told(), titles(bob)) == (before, ["x"])
    # What is no longer hers to say is still hers to take back.
    assert api.post("notifications/by-key/k", method="DELETE").status_code == 200
    assert titles(bob) == []


def test_who_may_no_longer_be_critical_may_say_it_less_loudly(alice: Any, bob: Any, api_of: ApiOf) -> None:
    api = api_of(alice, "notify:*", "critical")
    api.post("notifications", {"audience": "bob", "title": "x", "priority": "critical", "key": "k"})
    narrow = api_of(alice, "notify:*").post("notifications/by-key/k", {"title": "y"}, method="PATCH")
    assert (narrow.status_code, json.loads(narrow.content)["code"]) == (403, "scope_missing")
    lose_the_right_to_be_critical(alice)
    assert api.post("notifications/by-key/k", {"title": "y", "priority": "high"}, method="PATCH").status_code == 202
    assert titles(bob) == ["y"]


def test_a_member_changes_what_her_group_has_until_somebody_of_them_has_left_it(bob: Any, charlie: Any, ops: Group, api_of: ApiOf) -> None:
    charlie.groups.add(ops)
    api = api_of(bob)
    api.post("notifications", {"audience": "ops", "title": "x", "key": "k"})
    assert api.post("notifications/by-key/k", {"title": "y"}, method="PATCH").status_code == 202
    charlie.groups.remove(ops)
    assert api.post("notifications/by-key/k", {"title": "z"}, method="PATCH").status_code == 404
    assert api.post("notifications", {"audience": "ops", "title": "z", "key": "k"}).status_code == 202
    assert (titles(bob), titles(charlie)) == (["z"], ["y"])
