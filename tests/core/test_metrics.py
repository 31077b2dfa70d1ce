"""Figures: what they say in Prometheus' words, also when many threads write them."""

import re
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from core import metrics
from core.delivery import broker, figures
from core.delivery.channel import ChannelName
from core.metrics import Counter, Gauge, Histogram, Registry
from core.models import Event
from scripts import grafana
from tests.support.servers import ROOT, start_valkey, wait_until


@pytest.fixture
def registry() -> Registry:
    return Registry()


def test_a_counter_says_what_happened(registry: Registry) -> None:
    plain = Counter("signalbox_a_total", "How many a.", registry=registry)
    by_kind = Counter("signalbox_b_total", "How many b.", labels=("kind",), registry=registry)
    by_kind.inc(kind="user")
    by_kind.inc(2, kind='a "b"\n\\')
    plain.inc(1.5)
    assert registry.exposition().splitlines() == [
        "# HELP signalbox_a_total How many a.",
        "# TYPE signalbox_a_total counter",
        "signalbox_a_total 1.5",
        "# HELP signalbox_b_total How many b.",
        "# TYPE signalbox_b_total counter",
        'signalbox_b_total{kind="a \\"b\\"\\n\\\\"} 2',
        'signalbox_b_total{kind="user"} 1',
    ]
    assert (plain.value(), by_kind.value(kind="user"), by_kind.value(kind="never")) == (1.5, 1, 0)


def test_a_gauge_is_set_moved_or_read(registry: Registry) -> None:
    gauge = Gauge("signalbox_g", "Now.", registry=registry)
    gauge.set(5)
    gauge.inc(2)
    gauge.dec()
    read = Gauge("signalbox_r", "Read.", read=lambda: 42, registry=registry)
    assert (gauge.value(), read.value()) == (6, 42)
    assert "signalbox_g 6\n" in registry.exposition()
    assert "signalbox_r 42\n" in registry.exposition()


def test_a_histogram_counts_up_to_each_bound(registry: Registry) -> None:
    sizes = Histogram("signalbox_h", "Sizes.", labels=("op",), buckets=(1, 2.5), registry=registry)
    for value in (0.5, 1, 2, 3):
        sizes.observe(value, op="a")
    assert registry.exposition().splitlines()[2:] == [
        'signalbox_h_bucket{op="a",le="1"} 2',
        'signalbox_h_bucket{op="a",le="2.5"} 3',
        'signalbox_h_bucket{op="a",le="+Inf"} 4',
        'signalbox_h_sum{op="a"} 6.5',
        'signalbox_h_count{op="a"} 4',
    ]
    assert sizes.count(op="a") == 4


def test_a_block_is_timed_also_when_it_raises(registry: Registry) -> None:
    seconds = Histogram("signalbox_s", "Seconds.", registry=registry)
    with pytest.raises(KeyError), seconds.time():
        raise KeyError
    assert seconds.count() == 1


@pytest.mark.parametrize("name", ["a", "signalbox_", "signalbox_A", "signalbox_a-b", "signalbox_a\n", "other_a"])
def test_a_bad_name_is_refused(registry: Registry, name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        Counter(name, "Help.", registry=registry)


def test_a_name_is_given_once(registry: Registry) -> None:
    Counter("signalbox_a_total", "Help.", registry=registry)
    with pytest.raises(ValueError, match="taken"):
        Gauge("signalbox_a_total", "Help.", registry=registry)


def test_labels_are_those_declared(registry: Registry) -> None:
    counter = Counter("signalbox_a_total", "Help.", labels=("kind",), registry=registry)
    with pytest.raises(ValueError, match="kind"):
        counter.inc()
    with pytest.raises(ValueError, match="kind"):
        counter.inc(other="x")


def test_a_label_with_too_many_values_ends_in_other(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "MAX_SERIES", 3)
    counter = Counter("signalbox_a_total", "Help.", labels=("kind",), registry=registry)
    for number in range(10):
        counter.inc(kind=str(number))
    assert counter.value(kind="other") == 7


def test_nothing_is_lost_between_threads(registry: Registry) -> None:
    counter = Counter("signalbox_a_total", "Help.", registry=registry)
    sizes = Histogram("signalbox_h", "Help.", registry=registry)

    def work() -> None:
        for _ in range(2_000):
            counter.inc()
            sizes.observe(1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (counter.value(), sizes.count()) == (16_000, 16_000)


def test_all_of_ours_have_a_help_text_and_their_kind_of_name() -> None:
    for name, metric in metrics.registry._metrics.items():
        assert metric.help.endswith("."), name
        assert name.endswith("_total") is isinstance(metric, Counter), name


def test_every_figure_on_the_grafana_dashboard_is_one_of_ours_with_its_labels(client: Client, db: None) -> None:
    assert client.get("/metrics").status_code == 200  # by then all of ours has been imported
    for _, _, lines in grafana.PANELS:
        for legend, query in lines.items():
            names = [name.removesuffix("_bucket") for name in re.findall(r"signalbox_\w+", query)]
            found = [metrics.registry.get(name) for name in names]
            assert all(found), query
            labels = {label for metric in found if metric for label in metric.labels} | {"instance"}
            assert set(re.findall(r"{{(\w+)}}", legend)) <= labels, legend


def test_every_figure_of_ours_is_in_the_docs_and_the_docs_name_no_other(client: Client, db: None) -> None:
    assert client.get("/metrics").status_code == 200  # as above
    named = {name.removesuffix("_bucket") for name in re.findall(r"signalbox_[a-z0-9_]+", (ROOT / "docs/operations.md").read_text())}
    ours = {name for name in metrics.registry._metrics if not name.startswith("signalbox_test")}
    assert named - {"signalbox_things_total"} == ours


def test_the_grafana_dashboard_is_the_one_that_the_script_writes() -> None:
    assert grafana.FILE.read_text() == grafana.text()


@pytest.mark.django_db
def test_the_age_of_the_outbox_is_that_of_its_oldest_event(client: Client) -> None:
    def told() -> float:
        lines = client.get("/metrics").content.decode().splitlines()
        return float(next(line.split()[1] for line in lines if line.startswith("signalbox_outbox_age_seconds ")))

    assert told() == 0
    for minutes in (1, 5):
        Event.objects.create(channel="user:1", type="notification.put", data="{}", created_at=timezone.now() - timedelta(minutes=minutes))
    assert 300 <= told() < 400


@pytest.mark.valkey
def test_the_breaker_is_open_while_redis_is_dead_and_what_is_lost_is_counted(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others move where the thing happens: core/delivery/test_live_socket.py, test_flow_control.py, deliveries/test_outcomes.py."""
    monkeypatch.setattr(broker, "REST", 0.0)
    with start_valkey() as valkey:
        layer = {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {"hosts": [valkey.url]}}
        settings.CHANNEL_LAYERS = {"default": layer}
        one = broker.Broker()

        def said_until(figure: Counter | Gauge, *, is_now: float) -> None:
            one.ephemeral(ChannelName.parse("user:1"), "x", {})
            wait_until(lambda: figure.value() == is_now, described=f"{figure.name} to be {is_now}")

        sent, lost = figures.broadcasts.value(), figures.broadcasts_lost.value()
        said_until(figures.broadcasts, is_now=sent + 1)
        assert figures.breaker_open.value() == 0
        valkey.kill()
        said_until(figures.breaker_open, is_now=1)
        assert figures.broadcasts_lost.value() == lost + 1
        valkey.start()

        def said_and_heard() -> bool:
            one.ephemeral(ChannelName.parse("user:1"), "x", {})
            return figures.breaker_open.value() == 0

        wait_until(said_and_heard, described="the breaker to close")


def test_a_gauge_that_knows_nothing_just_now_tells_nothing() -> None:
    registry = Registry()
    Gauge("signalbox_test_unknown", "Not known.", read=lambda: None, registry=registry)
    assert [line for line in registry.exposition().splitlines() if not line.startswith("#")] == []
