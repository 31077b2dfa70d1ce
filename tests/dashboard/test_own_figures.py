"""Sources that show what this installation itself is doing: its machine, its queues and workers, its database and Redis."""

from typing import Any

import pytest
import redis
from celery import Celery
from celery.contrib.testing.worker import start_worker
from django.test import override_settings

from core.errors import Problem
from dashboard import sources, widgets
from dashboard.sources import celery_queues, system
from dashboard.sources.base import Look
from tests.support.servers import Valkey

NOWHERE = "redis://127.0.0.1:1/0"


def look(kind: str, widget: str, **config: Any) -> Look:
    """What a source of this kind finds for such a widget."""
    reader, shown = sources.KINDS[kind], widgets.of(widget)
    return reader.look(reader.settings(config, shown), shown)


def by_series(found: Look) -> dict[str, Any]:
    return {one.series: one.value for one in found.found}


def test_every_figure_of_this_machine_is_a_number_that_its_widget_takes() -> None:
    names = list(system.TITLES)
    found = by_series(look("system", "bars", figures=names))
    assert list(found) == names
    assert all(widgets.of("bars").read(value).value >= 0 for value in found.values())
    assert all(0 <= found[name] <= 100 for name in ("cpu", "memory", "swap", "disk"))
    assert by_series(look("system", "stat", figures=["memory"])).keys() == {""}


@pytest.mark.django_db
def test_the_database_answers_and_what_is_not_configured_is_not_down() -> None:
    states = by_series(look("health", "status"))
    assert states["database"] in {"up", "slow"}
    assert (states["redis"], states["broker"]) == ("off", "off")
    assert all(by_series(look("health", "stat", figure=f"database_{figure}"))[""] >= 0 for figure in ("ms", "mb", "connections"))


@pytest.mark.django_db
def test_redis_answers_with_figures_and_one_that_is_away_is_said_to_be(valkey: Valkey) -> None:
    with override_settings(REDIS_URL=valkey.url, CHANNEL_REDIS_URLS=[valkey.url], CELERY_BROKER_URL=valkey.url):
        found = [by_series(look("health", "stat", figure=f"redis_{figure}"))[""] for figure in ("ms", "mb", "clients", "commands")]
        assert all(value >= 0 for value in found)
        assert by_series(look("health", "status"))["redis"] in {"up", "slow"}
    with override_settings(REDIS_URL=NOWHERE, CHANNEL_REDIS_URLS=[NOWHERE]):
        assert by_series(look("health", "status"))["redis"] == "down"
        with pytest.raises(Problem, match=r"Redis does not answer\."):
            look("health", "stat", figure="redis_ms")


def test_jobs_that_wait_are_counted_by_queue(valkey: Valkey) -> None:
    with override_settings(CELERY_BROKER_URL=valkey.url), redis.Redis.from_url(valkey.url) as client:
        client.flushdb()
        sender = Celery(broker=valkey.url, set_as_current=False)
        for number in range(3):
            sender.send_task("workers.tasks.nothing", queue="bulk", ignore_result=True, args=[number])
        assert by_series(look("celery", "bars")) == {"live": 0, "delivery": 0, "bulk": 3}
        assert by_series(look("celery", "stat")) == {"": 3}
        client.flushdb()


def test_workers_that_answer_are_counted_and_one_that_is_gone_is_down(valkey: Valkey) -> None:
    celery_queues._app.cache_clear()
    with override_settings(CELERY_BROKER_URL=valkey.url):
        app = Celery("worker", broker=valkey.url, set_as_current=False)
        with start_worker(app, pool="solo", perform_ping_check=False, loglevel="error", hostname="w@here"):
            found = look("celery", "status", figure="states")
            assert (by_series(found), found.absent) == ({"w.here": "up"}, "down")
            assert by_series(look("celery", "stat", figure="workers")) == {"": 1}
            assert by_series(look("celery", "bars", figure="busy")) == {"w.here": 0}
    celery_queues._app.cache_clear()


@override_settings(CELERY_BROKER_URL="")
def test_without_a_broker_there_is_nothing_to_count() -> None:
    with pytest.raises(Problem, match="No broker is configured"):
        look("celery", "stat")


@override_settings(CELERY_BROKER_URL=NOWHERE)
@pytest.mark.parametrize("figure", ["waiting", "workers"])
def test_a_broker_that_is_away_is_said_to_be(figure: str) -> None:
    celery_queues._app.cache_clear()
    with pytest.raises(Problem, match=r"The broker does not answer\."):
        look("celery", "stat", figure=figure)
    celery_queues._app.cache_clear()


@pytest.mark.parametrize(
    ("kind", "widget", "config", "words"),
    [
        ("system", "stat", {"figures": ["cpu", "disk"]}, "one line of values"),
        ("system", "bars", {"figures": []}, "length"),
        ("system", "bars", {"figures": ["cpu", "cpu"]}, "named once"),
        ("system", "bars", {"figures": ["temperature"]}, "Invalid enum value"),
        ("system", "status", {}, "does not show numbers"),
        ("system", "clock", {}, "does not show numbers"),
        ("celery", "stat", {"figure": "states"}, "shown by a status grid"),
        ("celery", "feed", {}, "does not show numbers"),
        ("health", "stat", {}, "shown by a status grid"),
        ("health", "status", {"figure": "redis_ms"}, "does not show numbers"),
        ("health", "stat", {"figure": "redis_ms", "url": "redis://elsewhere"}, "unknown field"),
    ],
)
def test_what_does_not_fit_its_widget_is_refused_in_words(kind: str, widget: str, config: dict[str, Any], words: str) -> None:
    with pytest.raises(Problem, match=words):
        look(kind, widget, **config)
