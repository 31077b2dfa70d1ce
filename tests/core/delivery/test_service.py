"""What the service does, over all its processes: each leaves what it counted, and the readings are put together."""

from typing import Any

import pytest
from django.db.models.functions import Now

from core.delivery import figures, presence, service
from core.delivery.publishing import publish
from core.models import Process

pytestmark = pytest.mark.django_db


def test_a_process_reckons_its_rates_between_two_looks() -> None:
    meter = service.Meter()
    assert set(meter.look(100.0)) == {"connections"}, "the first look has nothing to compare with"
    for _ in range(10):
        publish("testlog:a", "line", {"text": "x"})
    figures.deliveries.inc(40)
    figures.lag.observe(0.010)
    figures.lag.observe(0.030)
    found = meter.look(105.0)
    assert (found["publishes"], found["deliveries"], found["lags"]) == (2.0, 8.0, 2.0)
    assert found["lag"] == pytest.approx(20.0)
    quiet = meter.look(110.0)
    assert (quiet["publishes"], quiet["deliveries"], quiet.get("lag")) == (0.0, 0.0, None)


def leave(name: str, left: dict[str, Any] | None, *, lives: bool = True) -> None:
    ends = Now() + presence.LEASE if lives else Now() - presence.LEASE
    Process.objects.create(pk=name, expires_at=ends, figures=left)


def test_the_living_processes_are_put_together() -> None:
    leave("one", {"connections": 3, "publishes": 5.0, "deliveries": 30.0, "lags": 10.0, "lag": 4.0})
    leave("two", {"connections": 4, "publishes": 5.5, "deliveries": 12.0, "lags": 30.0, "lag": 8.0})
    leave("young", {"connections": 1})
    leave("older release", None)
    leave("celery worker 4f21", {"worker": "celery@host", "job": "trim_events"})
    leave("dead", {"connections": 100, "publishes": 99.0, "deliveries": 99.0, "lags": 1.0, "lag": 99.0}, lives=False)
    assert service.together() == service.Service(4, 8, 5.5, 42.0, 7.0)


def test_where_nobody_serves_there_is_nothing() -> None:
    assert service.together() == service.Service(0, 0, 0.0, 0.0, None)
