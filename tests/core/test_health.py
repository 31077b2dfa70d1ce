"""What a watcher is told: alive, ready, degraded by what, and the figures."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import DatabaseError, connection, connections

from core import health
from core.models import Process

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_memory() -> Iterator[None]:
    """Every request looks anew."""
    health._last = (float("-inf"), [])
    yield
    health._last = (float("-inf"), [])


def ready(client: Any) -> tuple[int, dict[str, Any]]:
    answer = client.get("/readyz")
    return answer.status_code, json.loads(answer.content)


def test_alive_asks_nobody(client: Any, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        answer = client.get("/healthz")
    assert (answer.status_code, json.loads(answer.content)) == (200, {"status": "alive"})


@pytest.mark.parametrize("address", ["/healthz", "/readyz", "/metrics"])
def test_a_watcher_is_answered_by_whatever_name_it_asks(client: Any, settings: Any, address: str) -> None:
    """As the containers' health checks do it in production: by 127.0.0.1:8000, which is no name that browsers may use."""
    settings.ALLOWED_HOSTS, settings.BASE_URL = ["live.example.org"], "https://live.example.org"
    for host in ("127.0.0.1:8000", "web:8000", "live.example.org", "a b", ""):
        assert client.get(address, headers={"Host": host}).status_code == 200, host
    assert client.get("/accounts/login/", headers={"Host": "127.0.0.1:8000"}).status_code == 400
    assert client.get(address + "/x", headers={"Host": "127.0.0.1:8000"}).status_code in {400, 404}


def test_without_redis_it_serves_and_names_what_is_missing(client: Any, settings: Any) -> None:
    settings.REDIS_URL, settings.CHANNEL_REDIS_URLS, settings.CELERY_BROKER_URL = "", [], ""
    status, content = ready(client)
    assert (status, content["status"]) == (200, "degraded")
    assert content["degraded"] == ["redis", "channel_layer", "broker", "beat", "worker"]
    assert set(content["why"]) == set(content["degraded"])


@pytest.mark.valkey
def test_with_everything_it_is_ready(client: Any, settings: Any, valkey: Any) -> None:
    settings.REDIS_URL, settings.CHANNEL_REDIS_URLS, settings.CELERY_BROKER_URL = valkey.url, [valkey.url], valkey.url
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer"}}
    health.note_alive(health.BEAT)
    health.note_worker_alive()
    assert ready(client) == (200, {"status": "ready", "degraded": [], "why": {}})


def test_a_redis_that_does_not_answer_is_named(client: Any, settings: Any, unused_tcp_port: int) -> None:
    url = f"redis://127.0.0.1:{unused_tcp_port}/0"
    settings.REDIS_URL, settings.CHANNEL_REDIS_URLS, settings.CELERY_BROKER_URL = url, [url], url
    assert {"redis", "broker"} <= set(ready(client)[1]["degraded"])


def test_a_job_that_runs_in_the_web_process_is_no_worker(client: Any, settings: Any) -> None:
    settings.CELERY_BROKER_URL = ""
    health.note_worker_alive()
    assert "worker" in ready(client)[1]["degraded"]


def test_whoever_was_not_heard_of_lately_is_missing(client: Any) -> None:
    for who in (health.WORKER, health.BEAT):
        health.note_alive(who)
        health.note_alive(who)
    assert not {"worker", "beat"} & {lack.what for lack in health.missing()}
    with connection.cursor() as cursor:
        past = "datetime('now', '-1 second')" if connection.vendor == "sqlite" else "now() - interval '1 second'"
        cursor.execute(f"UPDATE {Process._meta.db_table} SET expires_at = {past}")
    assert {"worker", "beat"} <= {lack.what for lack in health.missing()}


def test_without_a_database_it_does_not_serve(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*args: Any) -> None:
        raise DatabaseError("password of the database")

    monkeypatch.setattr(type(connections["default"]), "cursor", gone)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert json.loads(answer.content)["degraded"] == ["database"]
    assert b"password" not in answer.content


def test_unapplied_migrations_do_not_serve(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Loader:
        disk_migrations = {("signalbox", "0001"): None, ("signalbox", "0002"): None}
        applied_migrations = {("signalbox", "0001"): None}

    monkeypatch.setattr(health, "_migrated", False)
    monkeypatch.setattr(health, "MigrationLoader", lambda connection: Loader())
    status, content = ready(client)
    assert (status, content["degraded"], content["status"]) == (503, ["migrations"], "unavailable")


def test_many_questions_are_one_look(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    monkeypatch.setattr(health, "missing", lambda: looks.append(1) or [])
    for _ in range(5):
        client.get("/readyz")
    assert len(looks) == 1


def test_an_app_may_add_what_it_needs(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_checks", [])
    health.check(lambda: health.Missing("mail", "No mail server answers."))
    assert ready(client)[1] == {"status": "degraded", "degraded": ["mail"], "why": {"mail": "No mail server answers."}}


def test_figures_come_in_prometheus_words(client: Any) -> None:
    client.get("/api/v1/channels/x:1/events")
    answer = client.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert b"# TYPE signalbox_api_requests_total counter\n" in answer.content
    assert b'signalbox_api_requests_total{operation="channel_events",status="401"}' in answer.content


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_a_watcher_only_looks(client: Any, path: str) -> None:
    assert client.post(path).status_code == 405
    assert client.head(path).status_code in {200, 503}
    assert client.get(path).headers["Cache-Control"] == "no-store"


def test_what_a_watcher_is_told_anew_is_in_the_log_once(client: Any, settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.REDIS_URL, settings.CHANNEL_REDIS_URLS, settings.CELERY_BROKER_URL = "", [], ""
    for _ in range(2):
        ready(client)
        health._last = (float("-inf"), health._last[1])
    said = [record.getMessage() for record in caplog.records if record.name == "core.health"]
    assert len(said) == 1 and said[0].startswith("Missing now: REDIS_URL is not set")
    health._note_change(health._last[1], [])
    assert caplog.records[-1].getMessage() == "Nothing is missing any more."
