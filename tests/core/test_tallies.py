"""Counters of the whole installation: every process adds what it counted, once."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError

from core import metrics, tallies
from core.models import Tally
from core.tallies import SharedCounter

pytestmark = pytest.mark.django_db


@pytest.fixture
def things(monkeypatch: pytest.MonkeyPatch) -> Iterator[SharedCounter]:
    counter = SharedCounter("signalbox_test_things_total", "Things.", labels=("kind",))
    monkeypatch.setattr(tallies, "_all", [counter])
    monkeypatch.setattr(tallies, "_written_at", float("-inf"))
    yield counter
    del metrics.registry._metrics[counter.name]


def told(counter: SharedCounter) -> list[str]:
    return [line for line in counter.lines() if not line.startswith("#")]


def test_what_another_process_counted_is_told_too(things: SharedCounter):
    Tally.objects.create(name=things.name, labels='["mail"]', value=40)
    things.inc(2, kind="mail")
    things.inc(kind='a "b"')
    tallies.write()
    tallies.write()  # nothing twice
    assert told(things) == ['signalbox_test_things_total{kind="a \\"b\\""} 1', 'signalbox_test_things_total{kind="mail"} 42']
    assert things.value(kind="mail") == 2


def test_a_database_that_is_away_gets_it_later(things: SharedCounter, monkeypatch: pytest.MonkeyPatch):
    real, fails = tallies._add, [True]

    def add(name: str, labels: str, amount: float) -> None:
        if "mail" in labels and fails:
            raise OperationalError("away")
        real(name, labels, amount)

    monkeypatch.setattr(tallies, "_add", add)
    things.inc(kind="a")
    things.inc(3, kind="mail")
    tallies.write()
    things.inc(kind="mail")
    fails.clear()
    tallies.write()
    assert dict(Tally.objects.values_list("labels", "value")) == {'["a"]': 1, '["mail"]': 4}


def test_a_scrape_goes_on_without_the_database(things: SharedCounter, monkeypatch: pytest.MonkeyPatch):
    def away() -> Any:
        raise OperationalError("away")

    monkeypatch.setattr(tallies, "_rows", away)
    assert told(things) == []
    assert "# TYPE signalbox_test_things_total counter" in list(things.lines())


def test_jobs_one_after_the_other_write_now_and_then(things: SharedCounter):
    things.inc(kind="a")
    tallies.write_soon()
    things.inc(kind="a")
    tallies.write_soon()
    assert told(things) == ['signalbox_test_things_total{kind="a"} 1']


def test_a_forked_process_does_not_write_what_its_parent_counted(things: SharedCounter):
    things.inc(kind="a")
    tallies._forget()
    tallies.write()
    assert told(things) == []


def test_a_row_of_other_labels_is_left_out(things: SharedCounter):
    Tally.objects.create(name=things.name, labels='["mail", "sent"]', value=1)
    assert told(things) == []
