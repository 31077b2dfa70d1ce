"""The core's own operations, and what the guard does for every operation."""

import json
import logging
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from core import bodies, rates
from core.delivery import history
from core.delivery.channel import Reader, registry
from core.models import ApiToken, Event
from tests.core.conftest import Api, number_all, stored

NOTE = {"channel": "feed:news", "type": "note", "data": {"text": "Deploy 42"}}

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_traceback_at_error(caplog: pytest.LogCaptureFixture) -> Any:
    """Nothing that a client sends is an ERROR of ours, whatever it is."""
    yield
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR or record.exc_info] == []


# Publishing: alice may, bob may only read, charlie is a stranger


def test_a_published_event_is_stored_when_the_answer_comes(feed: Any, alice: Any, api_of: Any) -> None:
    answer = api_of(alice).post("publish", {**NOTE, "key": "deploy"})
    row = stored().get()
    assert (answer.status_code, json.loads(answer.content)) == (202, {"id": row.pk})
    assert (row.channel, row.type, row.key, json.loads(row.data)) == ("feed:1", "note", "deploy", {"text": "Deploy 42"})


def test_a_reader_may_not_publish_and_a_stranger_sees_no_channel(feed: Any, bob: Any, charlie: Any, api_of: Any, problem_of: Any) -> None:
    problem_of(api_of(bob).post("publish", NOTE), 403, "forbidden")
    stranger = problem_of(api_of(charlie).post("publish", NOTE), 404, "not_found")
    nothing = problem_of(api_of(charlie).post("publish", {**NOTE, "channel": "feed:nope"}), 404, "not_found")
    assert stranger["detail"].replace("news", "nope") == nothing["detail"]
    assert not stored().exists()


@pytest.mark.parametrize(
    ("scope", "status"), [("publish:feed:news", 202), ("publish:feed:1", 202), ("publish:feed:*", 202), ("read:*", 403)]
)
def test_a_scope_names_a_channel_by_slug_or_by_key(feed: Any, alice: Any, api_of: Any, scope: str, status: int) -> None:
    assert api_of(alice, scope).post("publish", NOTE).status_code == status


def test_a_missing_scope_is_named(feed: Any, alice: Any, api_of: Any, problem_of: Any) -> None:
    problem = problem_of(api_of(alice, "notify:*").post("publish", NOTE), 403, "scope_missing")
    assert problem["allowed"] == ["publish:feed:news", "publish:feed:1"]


@pytest.mark.parametrize(
    ("change", "status", "code", "field"),
    [
        ({"channel": "nope:1"}, 404, "not_found", "channel"),
        ({"channel": "system:authority"}, 404, "not_found", "channel"),
        ({"channel": "presence:feed.1"}, 404, "not_found", "channel"),
        ({"channel": "feed"}, 422, "invalid", "channel"),
        ({"channel": "feed:1\n"}, 422, "invalid", "channel"),
        ({"channel": "feed:\u0661"}, 422, "invalid", "channel"),
        ({"channel": "../../etc"}, 422, "invalid", "channel"),
        ({"channel": "feed:*"}, 422, "invalid", "channel"),
        ({"channel": "FEED:1"}, 422, "invalid", "channel"),
        ({"channel": "feed:" + "x" * 1_000_00}, 422, "invalid", "channel"),
        ({"channel": 7}, 422, "invalid", "channel"),
        ({"channel": None}, 422, "invalid", "channel"),
        ({"type": "backed"}, 422, "invalid", "type"),
        ({"type": "nope"}, 422, "invalid", "type"),
        ({"type": "__class__"}, 422, "invalid", "type"),
        ({"data": []}, 422, "invalid", "data"),
        ({"data": "text"}, 422, "invalid", "data"),
        ({"data": {"text": "x" * 20_000}}, 422, "invalid", None),
        ({"data": {"n": 2**64}}, 422, "invalid", "body"),
        ({"data": {"text": "a\0b"}}, 422, "invalid", "body"),
        ({"key": "x" * 129}, 422, "invalid", "key"),
        ({"surprise": 1}, 422, "invalid", "surprise"),
    ],
)
def test_bad_fields_are_named_and_nothing_is_stored(
    feed: Any, alice: Any, api_of: Any, problem_of: Any, change: dict[str, Any], status: int, code: str, field: str | None
) -> None:
    problem = problem_of(api_of(alice).post("publish", {**NOTE, **change}), status, code)
    assert problem["field"] == field
    assert not stored().exists()


def test_an_unknown_kind_is_told_which_there_are(feed: Any, alice: Any, api_of: Any, problem_of: Any) -> None:
    problem = problem_of(api_of(alice).post("publish", {**NOTE, "channel": "nope:1"}), 404, "not_found")
    assert {"feed", "panel"} <= set(problem["allowed"])
    assert not {"system", "presence"} & set(problem["allowed"])


def test_an_unknown_channel_is_told_which_would_do_and_a_stranger_is_not(
    feed: Any, bob: Any, charlie: Any, api_of: Any, problem_of: Any
) -> None:
    reader = problem_of(api_of(bob).post("publish", {**NOTE, "channel": "feed:nope"}), 404, "not_found")
    assert reader["allowed"] == ["feed:news"]
    stranger = problem_of(api_of(charlie).get("channels/feed:nope/events"), 404, "not_found")
    assert stranger["allowed"] == []


def test_every_kind_of_ours_names_only_what_its_reader_may_read(alice: Any, bob: Any, charlie: Any) -> None:
    for user in (alice, bob, charlie):
        reader = Reader(user=str(user.pk))
        for kind in registry.kinds.values():
            keys = [kind.resolve(name) for name in kind.names(reader)]
            assert {(reader, key) for key in keys} == kind.readable([reader], [key for key in keys if key])


def test_an_unknown_type_is_told_which_may_be_published(feed: Any, alice: Any, api_of: Any, problem_of: Any) -> None:
    problem = problem_of(api_of(alice).post("publish", {**NOTE, "type": "backed"}), 422, "invalid")
    assert problem["allowed"] == ["note", "typing"]


# Bodies


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[1,",
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":1e400}',
        b'{"a":"\\ud800"}',
        b'{"channel":1}}',
        b"[" * 20_000,
        b"\x00",
        b"1" * 4_400,
    ],
)
def test_what_is_not_json_is_refused(feed: Any, alice: Any, api_of: Any, problem_of: Any, body: bytes) -> None:
    answer = api_of(alice).post("publish", body)
    problem_of(answer, 422, json.loads(answer.content)["code"])
    assert json.loads(answer.content)["code"] in {"bad_json", "not_text", "invalid"}


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"7", b'"text"', b"true"])
def test_json_of_another_shape_is_refused(feed: Any, alice: Any, api_of: Any, problem_of: Any, body: bytes) -> None:
    problem_of(api_of(alice).post("publish", body), 422, "invalid")


def test_bytes_that_are_not_utf8_are_refused(feed: Any, alice: Any, api_of: Any, problem_of: Any) -> None:
    problem_of(api_of(alice).post("publish", b'{"channel":"feed:\xff"}'), 422, "not_text")


def test_json_twenty_levels_too_deep_is_refused(feed: Any, alice: Any, api_of: Any, problem_of: Any) -> None:
    deep: Any = 1
    for _ in range(50):
        deep = {"a": deep}
    problem_of(api_of(alice).post("publish", {**NOTE, "data": deep}), 422, "invalid")


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", "text/plain", "application/vnd.x+json", ""]
)
def test_json_may_come_under_names_that_do_not_say_otherwise(feed: Any, alice: Any, api_of: Any, content_type: str) -> None:
    assert api_of(alice).post("publish", NOTE, content_type=content_type).status_code == 202


def test_curl_sends_json_under_the_name_of_a_form(feed: Any, alice: Any, api_of: Any) -> None:
    assert api_of(alice).post("publish", NOTE, content_type="application/x-www-form-urlencoded").status_code == 202


@pytest.mark.parametrize("content_type", ["multipart/form-data; boundary=x", "application/xml", "application/octet-stream", "nonsense"])
def test_other_content_types_are_refused(feed: Any, alice: Any, api_of: Any, problem_of: Any, content_type: str) -> None:
    assert problem_of(api_of(alice).post("publish", NOTE, content_type=content_type), 422, "content_type")["allowed"] == [
        "application/json"
    ]


def test_a_body_that_is_too_large_is_refused_unread(feed: Any, alice: Any, api_of: Any, problem_of: Any) -> None:
    problem_of(api_of(alice).post("publish", b" " * (bodies.MAX_BODY + 1)), 413, "too_large")


@pytest.mark.parametrize("length", ["-1", "ten", "1e9", "9" * 40, "\u0661"])
def test_a_length_that_is_none_is_refused(feed: Any, alice: Any, api_of: Any, length: str) -> None:
    api = api_of(alice)
    answer = api.client.post("/api/v1/publish", NOTE, content_type="application/json", headers=api.headers, CONTENT_LENGTH=length)
    assert answer.status_code in {400, 413, 422}
    assert answer.headers["Content-Type"] == "application/problem+json"


# Who


@pytest.mark.parametrize("header", [None, "", "Bearer nonsense", "Bearer sbx_" + "a" * 32, "Basic YWxpY2U6eA=="])
def test_without_a_good_token_nothing_is_done(feed: Any, problem_of: Any, header: str | None) -> None:
    api = Api(None)
    if header is not None:
        api.headers["Authorization"] = header
    answer = api.post("publish", NOTE)
    problem_of(answer, 401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert not stored().exists()


def test_a_revoked_token_is_refused_at_once(feed: Any, alice: Any, api_of: Any, problem_of: Any) -> None:
    api = api_of(alice)
    assert api.post("publish", NOTE).status_code == 202
    ApiToken.objects.update(revoked_at=timezone.now())
    assert "revoked" in problem_of(api.post("publish", NOTE), 401, "unauthenticated")["detail"]


def test_an_expired_token_is_refused(feed: Any, alice: Any, api_of: Any, problem_of: Any) -> None:
    api = api_of(alice)
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert "expired" in problem_of(api.post("publish", NOTE), 401, "unauthenticated")["detail"]


def test_a_session_reads_and_never_writes(feed: Any, bob: Any, problem_of: Any) -> None:
    browser = Client()
    browser.force_login(bob)
    assert Api(None, browser).get("channels/feed:news/events").status_code == 200
    problem_of(Api(None, browser).post("publish", NOTE), 401, "unauthenticated")


def test_a_bad_token_is_not_helped_by_a_good_session(feed: Any, bob: Any, problem_of: Any) -> None:
    browser = Client()
    browser.force_login(bob)
    problem_of(Api("sbx_" + "a" * 32, browser).get("channels/feed:news/events"), 401, "unauthenticated")


# How fast


def test_a_token_that_calls_too_fast_is_told_when_to_come_back(
    feed: Any, alice: Any, api_of: Any, problem_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rates, "CALLS", rates.Rate(50, 2, clock=lambda: 0.0))
    api, other = api_of(alice), api_of(alice)
    assert [api.get("channels/feed:1/events").status_code for _ in range(2)] == [200, 200]
    answer = api.get("channels/feed:1/events")
    problem_of(answer, 429, "too_many")
    assert answer.headers["Retry-After"] == "1"
    assert other.get("channels/feed:1/events").status_code == 200


# Addresses and methods


@pytest.mark.parametrize(
    "path", ["nope", "publish/", "channels/feed:1/event", "", "channels//events", "%2e%2e/admin", "channels/a/b/events"]
)
def test_an_unknown_address_is_a_problem(alice: Any, api_of: Any, problem_of: Any, path: str) -> None:
    problem_of(api_of(alice).get(path), 404, "not_found")
    problem_of(api_of(alice).post(path), 404, "not_found")


@pytest.mark.parametrize("path", ["/api/", "/api/v2/publish", "/api/v1"])
def test_addresses_beside_the_api_are_problems_too(client: Client, problem_of: Any, path: str) -> None:
    problem_of(client.post(path), 404, "not_found")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
def test_another_method_is_told_which_would_do(alice: Any, api_of: Any, problem_of: Any, method: str) -> None:
    answer = api_of(alice).post("publish", method=method)
    assert problem_of(answer, 405, "method_not_allowed")["allowed"] == ["POST"]
    assert answer.headers["Allow"] == "POST"


def test_a_method_cannot_be_overridden(feed: Any, alice: Any, api_of: Any) -> None:
    assert api_of(alice).post("publish", NOTE, method="PUT", X_HTTP_Method_Override="POST").status_code == 405
    assert not stored().exists()


@pytest.mark.parametrize("path", ["channels/feed:%00/events", "channels/feed:1/events?since=%00", "channels/feed:1/events?%00=1"])
def test_nul_in_an_address_is_refused(feed: Any, alice: Any, api_of: Any, problem_of: Any, path: str) -> None:
    problem_of(api_of(alice).get(path), 422, "not_text")


def test_too_many_query_parameters_are_refused(feed: Any, alice: Any, api_of: Any, problem_of: Any) -> None:
    problem_of(api_of(alice).get("channels/feed:1/events?" + "&".join(f"a{n}=1" for n in range(2_000))), 400, "bad_request")


def test_answers_are_not_kept_by_caches(feed: Any, alice: Any, api_of: Any) -> None:
    assert api_of(alice).get("channels/feed:1/events").headers["Cache-Control"] == "no-store"
    assert api_of(alice).get("nope").headers["Cache-Control"] == "no-store"


# Catching up


def publish_notes(api: Api, *texts: str, channel: str = "feed:1", **more: Any) -> None:
    for text in texts:
        assert api.post("publish", {"channel": channel, "type": "note", "data": {"text": text}, **more}).status_code == 202
        number_all()


def caught_up(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 200, answer.content
    return dict(json.loads(answer.content))


def texts_of(found: dict[str, Any]) -> list[str]:
    return [event["data"]["text"] for event in found["events"]]


def test_a_log_is_followed_from_position_to_position(feed: Any, alice: Any, bob: Any, api_of: Any) -> None:
    writer, reader = api_of(alice), api_of(bob)
    assert caught_up(reader.get("channels/feed:news/events"))["events"] == []
    publish_notes(writer, "one", "two")
    first = caught_up(reader.get("channels/feed:news/events"))
    assert (first["channel"], first["recovered"], texts_of(first)) == ("feed:1", True, ["one", "two"])
    publish_notes(writer, "three")
    then = caught_up(reader.get("channels/feed:news/events", since=first["position"]))
    assert (texts_of(then), then["position"]) == (["three"], then["events"][-1]["position"])
    again = caught_up(reader.get("channels/feed:news/events", since=then["position"]))
    assert (again["events"], again["position"], again["recovered"]) == ([], then["position"], True)


def test_without_a_position_a_log_gives_its_newest_fifty(feed: Any, alice: Any, api_of: Any) -> None:
    Event.objects.bulk_create(Event(channel="feed:1", type="note", data=json.dumps({"text": str(n)})) for n in range(60))
    number_all()
    found = caught_up(api_of(alice).get("channels/feed:1/events"))
    assert texts_of(found) == [str(n) for n in range(10, 60)]
    assert found["position"].endswith(":60")


def test_an_event_says_when_and_where_it_stands(feed: Any, alice: Any, api_of: Any) -> None:
    publish_notes(api_of(alice), "one", key="k")
    (event,) = caught_up(api_of(alice).get("channels/feed:1/events"))["events"]
    assert list(event) == ["channel", "position", "type", "key", "data", "at"]
    assert (event["channel"], event["type"], event["key"], event["position"]) == ("feed:1", "note", "k", f"{history.epoch()}:1")
    assert event["at"].endswith("Z")


def test_without_a_position_a_state_channel_gives_its_state(feed: Any, alice: Any, api_of: Any) -> None:
    publish_notes(api_of(alice), "old", channel="panel:1", key="a")
    found = caught_up(api_of(alice).get("channels/panel:1/events"))
    assert (texts_of(found), found["recovered"]) == (["now"], True)
    assert found["position"] == f"{history.epoch()}:1"


@pytest.mark.parametrize("since", ["00000000:1", "{epoch}:99", "{epoch}:9223372036854775807"])
def test_a_position_of_another_life_or_beyond_starts_again(feed: Any, alice: Any, api_of: Any, since: str) -> None:
    publish_notes(api_of(alice), "one")
    found = caught_up(api_of(alice).get("channels/feed:1/events", since=since.format(epoch=history.epoch())))
    assert (found["recovered"], texts_of(found), found["position"]) == (False, ["one"], f"{history.epoch()}:1")


def test_a_position_that_was_trimmed_starts_again(feed: Any, alice: Any, api_of: Any) -> None:
    publish_notes(api_of(alice), "one", "two", "three")
    stored().filter(offset=1).delete()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE signalbox_channel SET tail = 2 WHERE name = 'feed:1'")
    found = caught_up(api_of(alice).get("channels/feed:1/events", since=f"{history.epoch()}:0"))
    assert (found["recovered"], texts_of(found)) == (False, ["two", "three"])


@pytest.mark.parametrize(
    "since",
    ["", "x", "41", "e3f1", ":", "e3f1:", "e3f1:-1", "e3f1:1.5", "e3f1:01", "e3f1:1\n", "e3f1:\u0661", "e3f1:" + "9" * 20, "f" * 1_000_000],
)
def test_a_position_that_is_none_is_refused(feed: Any, alice: Any, api_of: Any, problem_of: Any, since: str) -> None:
    assert problem_of(api_of(alice).get("channels/feed:1/events", since=since), 422, "invalid")["field"] == "since"


@pytest.mark.parametrize("wait", ["-1", "31", "x", "", "nan", "inf", "1e400"])
def test_a_wait_that_is_none_is_refused(feed: Any, alice: Any, api_of: Any, problem_of: Any, wait: str) -> None:
    assert problem_of(api_of(alice).get("channels/feed:1/events", wait=wait), 422, "invalid")["field"] == "wait"


def test_a_stranger_cannot_tell_refusal_from_absence(feed: Any, charlie: Any, api_of: Any, problem_of: Any) -> None:
    there = problem_of(api_of(charlie).get("channels/feed:news/events"), 404, "not_found")
    nowhere = problem_of(api_of(charlie).get("channels/feed:nope/events"), 404, "not_found")
    assert there["detail"].replace("news", "nope") == nowhere["detail"]


@pytest.mark.parametrize("channel", ["system:authority", "presence:feed.1"])
def test_internal_channels_do_not_exist_here(feed: Any, alice: Any, api_of: Any, problem_of: Any, channel: str) -> None:
    problem_of(api_of(alice).get(f"channels/{channel}/events"), 404, "not_found")


def test_reading_needs_its_scope(feed: Any, alice: Any, api_of: Any, problem_of: Any) -> None:
    assert api_of(alice, "read:feed:news").get("channels/feed:1/events").status_code == 403
    assert api_of(alice, "read:feed:news").get("channels/feed:news/events").status_code == 200
    problem_of(api_of(alice, "publish:*").get("channels/feed:news/events"), 403, "scope_missing")
