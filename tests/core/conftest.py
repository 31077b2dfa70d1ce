"""Two kinds of channel for the core's own tests, and calls to the API as somebody.

`feed:` keeps a log, `panel:` keeps states; both take raw notes. Bob reads both and alice writes them too; charlie is a stranger.
"""

import json
from collections.abc import Callable, Collection, Iterator
from typing import Any

import pytest
from django.db.models import QuerySet
from django.http import HttpResponse
from django.test import Client

from core import rates
from core.delivery import sequencer
from core.delivery.channel import EventType, Keeps, Kind, Reader, registry
from core.models import Event
from core.tokens import make_token


class Feed(Kind):
    name = "feed"
    types = (EventType("note", raw=True), EventType("typing", raw=True, ephemeral=True), EventType("backed"))
    may_read: set[str]
    may_write: set[str]

    def __init__(self) -> None:
        self.may_read, self.may_write = set(), set()

    def readable(self, readers: Collection[Reader], keys: Collection[str]) -> set[tuple[Reader, str]]:
        return {(reader, key) for reader in readers for key in keys if key == "1" and reader.user in self.may_read}

    def writable(self, reader: Reader, key: str) -> bool:
        return key == "1" and reader.user in self.may_write

    def resolve(self, name: str) -> str | None:
        return {"news": "1", "1": "1", "2": "2"}.get(name)

    def names(self, reader: Reader) -> list[str]:
        return ["news"] if reader.user in self.may_read else []


class Panel(Feed):
    name = "panel"
    keeps = Keeps.STATE

    def snapshot(self, key: str) -> list[dict[str, Any]]:
        return [{"type": "note", "key": "a", "data": {"text": "now"}, "at": 1_700_000_000.0}]


@pytest.fixture
def feed(alice: Any, bob: Any) -> Iterator[Feed]:
    kinds = [Feed(), Panel()]
    for kind in kinds:
        kind.may_read, kind.may_write = {str(alice.pk), str(bob.pk)}, {str(alice.pk)}
        registry.kinds[kind.name] = kind
    yield kinds[0]
    for kind in kinds:
        del registry.kinds[kind.name]


@pytest.fixture(autouse=True)
def full_buckets() -> None:
    rates.CALLS.forget()
    rates.WIDGETS.forget()


class Api:
    """The API as the holder of one token sees it: `api.post("publish", {...}, key="k")`."""

    def __init__(self, token: str | None, client: Client | None = None) -> None:
        self.client = client or Client()
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def post(self, path: str, body: Any = b"", *, key: str | None = None, method: str = "POST", **headers: str) -> HttpResponse:
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        content_type = headers.pop("content_type", "application/json")
        named = {name.replace("_", "-"): value for name, value in headers.items()} | ({"Idempotency-Key": key} if key is not None else {})
        return self.client.generic(method, f"/api/v1/{path}", sent, content_type=content_type, headers={**self.headers, **named})

    def get(self, path: str, **query: Any) -> HttpResponse:
        return self.client.get(f"/api/v1/{path}", query, headers=self.headers)


@pytest.fixture
def api_of() -> Callable[..., Api]:
    """The API with a token of somebody's; it may everything, or what `scopes` say."""

    def make(user: Any, *scopes: str) -> Api:
        wanted = scopes or ("notify:*", "push:*", "publish:*", "read:*", "broadcast", "dashboards")
        return Api(make_token(user, "test", wanted)[1])

    return make


@pytest.fixture
def problem_of() -> Callable[..., dict[str, Any]]:
    """Hold an answer to the shape of a problem, and return it."""

    def check(response: HttpResponse, status: int, code: str) -> dict[str, Any]:
        assert response.headers["Content-Type"] == "application/problem+json", response.content
        problem = json.loads(response.content)
        assert list(problem) == ["type", "title", "status", "code", "field", "detail", "allowed"]
        assert (response.status_code, problem["status"], problem["code"]) == (status, status, code), problem
        assert problem["type"] == f"/api/v1/docs#{code}"
        assert problem["detail"]
        return dict(problem)

    return check


def stored() -> QuerySet[Event]:
    """The events of the test's own channels; the core publishes some too, when people come and go."""
    return Event.objects.filter(channel__regex="^(feed|panel):")


def number_all() -> None:
    """Number what waits: in a test's transaction nothing commits."""
    waiting = set(Event.objects.filter(offset=None).values_list("channel", flat=True))
    if waiting:
        sequencer.sequence(waiting)
