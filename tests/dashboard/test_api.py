"""Pushing values over HTTP, as curl does it."""

import json
from typing import Any

import pytest

from core.errors import PREFIX
from core.models import Event
from dashboard import widgets
from dashboard.actions import save_widget
from dashboard.models import Dashboard, Role, Sample, Widget

pytestmark = pytest.mark.django_db


def stored() -> list[float]:
    return list(Sample.objects.order_by("at", "pk").values_list("value", flat=True))


SHAPES = {
    "42": [42.0],
    " -1.5\n": [-1.5],
    '{"value": 7}': [7.0],
    '{"value": 7, "at": 1795245000, "label": "after the deploy"}': [7.0],
    '{"value": 7, "at": "2025-11-21T07:10:00Z"}': [7.0],
    "[1, 2, 3]": [1.0, 2.0, 3.0],
    '[{"value": 1, "at": 1763709000}, {"value": 2, "at": 1763709001.5}, 3]': [1.0, 2.0, 3.0],
}


@pytest.mark.parametrize("body", SHAPES)
def test_curl_takes_a_number_an_object_or_a_list(stat: Widget, owner: Any, curl: Any, body: str) -> None:
    if "1795245000" in body:
        body = body.replace("1795245000", "1763709000")
    answer = curl(owner, "widgets/ops/queue", body)
    assert (answer.status_code, answer.json()) == (202, {"stored": len(stored())})
    assert stored() == SHAPES.get(body, [7.0])
    assert Event.objects.filter(type="widget.value", key=f"{stat.pk}/").count() == 1


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/x-www-form-urlencoded", ""])
def test_whatever_curl_calls_it(stat: Widget, owner: Any, curl: Any, kind: str) -> None:
    assert curl(owner, "widgets/ops/queue", "42", kind=kind).status_code == 202


def test_one_request_fills_many_widgets(stat: Widget, chart: Widget, feed: Widget, owner: Any, curl: Any) -> None:
    body = {"ops/queue": 42, "ops/load": [{"value": 1, "series": "cpu"}, {"value": 2, "series": "memory"}], "ops/events": "Backup done"}
    answer = curl(owner, "widgets", json.dumps(body))
    assert (answer.status_code, answer.json()) == (202, {"stored": 4})


def test_a_feed_takes_text(feed: Widget, owner: Any, curl: Any) -> None:
    for body in ('"Backup done"', '{"value": "Backup done", "url": "/inbox/"}', '{"label": "Backup done"}'):
        assert curl(owner, "widgets/ops/events", body).status_code == 202
    assert list(Sample.objects.values_list("label", flat=True)) == ["Backup done"] * 3


BAD = {
    "nothing": "",
    "comma": "1,5",
    "word": "forty-two",
    "text": '"42"',
    "true": "true",
    "null": "null",
    "nan": "NaN",
    "infinity": "Infinity",
    "too large": "1e400",
    "long": "9" * 4400,
    "2**53+1": str(2**53 + 1),
    "empty list": "[]",
    "list in list": "[[1]]",
    "empty object": "{}",
    "misspelt": '{"vale": 42}',
    "time": '{"value": 1, "at": "yesterday"}',
    "milliseconds": '{"value": 1, "at": 1795245000000}',
    "naive": '{"value": 1, "at": "2025-11-21T07:10:00"}',
    "series": '{"value": 1, "series": "a b"}',
    "series number": '{"value": 1, "series": 3}',
    "label": '{"value": 1, "label": 3}',
    "nul": '{"value": 1, "label": "\\u0000"}',
    "surrogate": '{"value": 1, "label": "\\ud800"}',
    "half": '{"value": 1',
    "deep": "[" * 20_000,
    "too many": json.dumps([1] * 5001),
    "one of many": "[1, 2, true]",
    "not utf-8": b"\xff\xfe",
    "nul byte": b"4\x002",
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD)
def test_what_is_no_value_is_422_and_stores_nothing(stat: Widget, owner: Any, curl: Any, body: str | bytes) -> None:
    answer = curl(owner, "widgets/ops/queue", body)
    assert answer.status_code == 422, answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert not stored()


def test_a_refusal_says_the_shape(stat: Widget, owner: Any, curl: Any) -> None:
    for body in ("1,5", "true", "{}", "forty-two"):
        assert "for example 42" in curl(owner, "widgets/ops/queue", body).json()["detail"]


@pytest.mark.parametrize("kind", sorted(widgets.KINDS))
def test_a_refusal_says_the_shape_that_this_kind_of_widget_takes(board: Dashboard, owner: Any, curl: Any, kind: str) -> None:
    one = widgets.of(kind)
    save_widget(Widget(dashboard=board, slug="w", kind=kind, title="W"))
    bodies = {"ops/w": {"value": {"a": []}}}, {"ops/w": [{"value": [None]}]}
    for path, body in (("widgets/ops/w", bodies[0]["ops/w"]), *(("widgets", body) for body in bodies)):
        answer = curl(owner, path, json.dumps(body))
        assert (answer.status_code, answer.headers["Content-Type"]) == (422, "application/problem+json")
        assert one.shape in answer.json()["detail"], answer.json()
    assert not stored()
    if one.takes_values:
        assert curl(owner, "widgets/ops/w", one.curl.strip("'")).status_code == 202, "what it says to try is taken"
        assert len(stored()) == 1


@pytest.mark.parametrize("body", ["42", "[]", "{}", '{"ops/queue": "x"}', '{"ops/queue": null}'])
def test_many_widgets_take_an_object(stat: Widget, owner: Any, curl: Any, body: str) -> None:
    assert curl(owner, "widgets", body).status_code == 422
    assert not stored()


def test_nothing_is_stored_where_one_of_many_is_wrong(stat: Widget, owner: Any, curl: Any) -> None:
    assert curl(owner, "widgets", '{"ops/queue": 1, "ops/nothing": 2}').status_code == 404
    assert not stored()


def test_the_owner_and_editors_push_members_are_forbidden_strangers_find_nothing(
    stat: Widget, board: Dashboard, owner: Any, alice: Any, bob: Any, charlie: Any, curl: Any
) -> None:
    statuses = {user.username: curl(user, "widgets/ops/queue", "1").status_code for user in (owner, alice, bob, charlie)}
    assert statuses == {"olga": 202, "alice": 202, "bob": 403, "charlie": 404}
    assert curl(charlie, "widgets", '{"ops/queue": 1}').status_code == 404
    assert curl(bob, "widgets", '{"ops/queue": 1}').status_code == 403
    Role.objects.filter(user=bob).update(level=Role.Level.EDIT)
    assert curl(bob, "widgets/ops/queue", "1").status_code == 202


def test_a_role_of_a_group_counts(stat: Widget, board: Dashboard, bob: Any, ops: Any, curl: Any) -> None:
    Role.objects.create(dashboard=board, group=ops, level=Role.Level.EDIT)
    assert curl(bob, "widgets/ops/queue", "1").status_code == 202


def test_an_unknown_widget_is_404_with_near_names_that_the_caller_may_see(stat: Widget, owner: Any, charlie: Any, curl: Any) -> None:
    missing = curl(owner, "widgets/ops/queues", "1")
    assert (missing.status_code, missing.json()["allowed"]) == (404, ["ops/queue"])
    hidden, absent = curl(charlie, "widgets/ops/queue", "1"), curl(charlie, "widgets/ops/absent", "1")
    assert hidden.json() | {"detail": ""} == absent.json() | {"detail": ""}
    assert hidden.json()["allowed"] == []


@pytest.mark.parametrize(
    ("scopes", "status"),
    [
        (("push:*",), 202),
        (("push:ops/*",), 202),
        (("push:ops/queue",), 202),
        (("push:ops/queues",), 403),
        (("push:dev/*",), 403),
        (("notify:*",), 403),
    ],
)
def test_a_token_pushes_where_its_scopes_reach(stat: Widget, owner: Any, curl: Any, scopes: tuple[str, ...], status: int) -> None:
    assert curl(owner, "widgets/ops/queue", "1", scopes=scopes).status_code == status
    assert curl(owner, "widgets", '{"ops/queue": 1}', scopes=scopes).status_code == status


def test_without_a_token_nothing_is_pushed(stat: Widget, client: Any, owner: Any) -> None:
    assert client.post(f"{PREFIX}v1/widgets/ops/queue", "1", content_type="text/plain").status_code == 401
    client.force_login(owner)
    assert client.post(f"{PREFIX}v1/widgets/ops/queue", "1", content_type="text/plain").status_code == 401


def test_the_snapshot_of_a_board_is_its_newest_values(
    stat: Widget, chart: Widget, owner: Any, charlie: Any, curl: Any, client: Any
) -> None:
    curl(owner, "widgets", '{"ops/queue": [1, 2], "ops/load": {"value": 3, "series": "cpu"}}')
    client.force_login(owner)
    answer = client.get("/api/v1/channels/dashboard:ops/events").json()
    assert {event["key"]: event["data"]["value"] for event in answer["events"]} == {f"{stat.pk}/": 2.0, f"{chart.pk}/cpu": 3.0}
    client.force_login(charlie)
    assert client.get("/api/v1/channels/dashboard:ops/events").status_code == 404
