"""Prometheus queries as a source, against a stand-in of its HTTP API."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import override_settings
from django.utils import timezone

from core import jobs
from core.errors import Problem
from core.models import Presence, Process
from dashboard import polling, sources, widgets
from dashboard.actions import save_source, save_widget
from dashboard.models import Dashboard, Sample, Source, Widget
from tests.support.prometheus import Prometheus, matrix, prometheus, scalar, vector
from tests.support.receiver import Answer, receiver


@pytest.fixture
def server(settings: Any) -> Iterator[Prometheus]:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    up = vector(({"__name__": "up", "job": "web", "instance": "a:80"}, 1), ({"__name__": "up", "job": "db", "instance": "b:90"}, 0))
    with prometheus(up=up, one=vector(({}, "2.5")), two=scalar("7"), ranges=matrix(1, 2)) as made:
        yield made


def look(widget: str, url: str, query: str, **config: Any) -> dict[str, tuple[Any, str]]:
    reader, shown = sources.KINDS["prometheus"], widgets.of(widget)
    found = reader.look(reader.settings({"url": url, "query": query} | config, shown), shown)
    return {one.series: (one.value, one.label) for one in found.found}


def test_each_series_is_a_line_named_by_a_label_or_by_what_tells_them_apart(server: Prometheus) -> None:
    assert look("bars", server.url, "up", label="job") == {"web": (1, "web"), "db": (0, "db")}
    assert [label for _, label in look("bars", f"{server.url}/", "up").values()] == ["a:80 web", "b:90 db"]
    assert look("stat", server.url, "one") == {"": (2.5, "")}
    assert look("timeseries", server.url, "two") == {"": (7, "")}
    server.results["sum(rate(x[5m])) > 0"] = vector(({}, "1e3"))
    assert look("stat", server.url, "sum(rate(x[5m])) > 0") == {"": (1000, "")}
    assert server.asked[-1] == "sum(rate(x[5m])) > 0"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("sum(", "Prometheus refuses the query: .*parse error"),
        ("ranges", "gives ranges"),
        ("words", "no number"),
        ("empty", "finds nothing"),
        ("nan", "not a number just now"),
        ("up", "finds 2 series; a stat shows one"),
        ("flood", "finds 10000 series; at most 60"),
        ("odd", "not as Prometheus does"),
        ("odder", "not as Prometheus does"),
    ],
)
def test_what_a_stat_cannot_show_is_said_in_words(server: Prometheus, query: str, words: str) -> None:
    server.results |= {
        "words": {"resultType": "string", "result": [1, "hello"]},
        "empty": vector(),
        "nan": vector(({}, "NaN")),
        "flood": vector(*(({"n": str(number)}, number) for number in range(10_000))),
        "odd": {"resultType": "vector", "result": [{"metric": {}}]},
        "odder": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "twelve"]}]},
    }
    with pytest.raises(Problem, match=words):
        look("stat", server.url, query)


def test_a_series_that_is_no_number_just_now_is_left_out_of_several(server: Prometheus) -> None:
    server.results["ratio"] = vector(({"job": "a"}, "NaN"), ({"job": "b"}, "+Inf"), ({"job": "c"}, "0.5"))
    assert look("bars", server.url, "ratio") == {"c": (0.5, "c")}


def test_a_label_must_be_there_and_tell_the_series_apart(server: Prometheus) -> None:
    server.results["same"] = vector(({"job": "web", "n": "1"}, 1), ({"job": "web", "n": "2"}, 2))
    with pytest.raises(Problem, match="Several of the 2 series have the same label 'job'"):
        look("bars", server.url, "same", label="job")
    with pytest.raises(Problem, match="no label 'zone'; they have job, n"):
        look("bars", server.url, "same", label="zone")


def test_another_server_than_prometheus_is_recognised(server: Prometheus) -> None:
    with receiver(
        Answer(200, body=b"[1, 2]"), Answer(502, body=b'{"status": "success"}'), Answer(200, body=b'{"status": "success"}')
    ) as other:
        for _ in range(3):
            with pytest.raises(Problem, match="not as Prometheus does"):
                look("stat", other.url, "up")


@override_settings(OUTBOUND_ALLOW=[])
def test_one_that_stands_inside_is_not_asked_unless_the_settings_allow_it() -> None:
    with prometheus(up=scalar(1)) as inside, pytest.raises(Problem, match="OUTBOUND_ALLOW"):
        look("stat", inside.url, "up")
    assert inside.asked == []


@pytest.mark.django_db
def test_a_watched_board_shows_what_the_query_gives_and_keeps_it_when_the_server_ends(board: Dashboard, server: Prometheus) -> None:
    widget = save_widget(Widget(dashboard=board, slug="up", kind="bars", title="Up"))
    with jobs.collected(), pytest.raises(ValidationError, match="`query` says what is asked"):
        save_source(Source(widget=widget, kind="prometheus", config={"url": server.url, "query": " "}))
    with jobs.collected():
        save_source(Source(widget=widget, kind="prometheus", config={"url": server.url, "query": "up", "label": "job"}))
    process = Process.objects.create(pk="web", expires_at=timezone.now() + timedelta(minutes=5))
    Presence.objects.create(process=process, channel=board.channel, who="bob")
    assert polling.poll_now() == 1
    shown = dict(Sample.objects.values_list("series__name", "value"))
    assert shown == {"web": 1, "db": 0}
    server.results.clear()
    Source.objects.update(due_at=timezone.now())
    assert polling.poll_now() == 1
    widget.refresh_from_db()
    assert (widget.state, dict(Sample.objects.values_list("series__name", "value"))) == ("error", shown)
    assert "parse error" in widget.error
