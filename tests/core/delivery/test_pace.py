"""Publishing to a paced channel again and again: whoever finds a timer of its process waiting leaves the numbering to it."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.delivery.broker import broker
from core.delivery.publishing import publish
from core.models import Event
from tests.support.kinds import PacedValues
from tests.support.servers import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
PACED = "testpaced:again"


def waiting() -> int:
    return Event.objects.filter(channel=PACED, offset=None).count()


def send(value: int) -> int:
    """Publish; says how many queries there were besides writing the event itself."""
    with CaptureQueriesContext(connection) as queries:
        publish(PACED, "value", {"value": value}, key="x")
    return sum(not query["sql"].startswith("INSERT") for query in queries)


@pytest.fixture
def long_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pace that no test outlasts, however slow the machine."""
    monkeypatch.setattr(PacedValues, "pace", 600.0)


def has_timer() -> bool:
    return broker.rings_later(PACED)


def test_while_a_timer_waits_publishing_asks_nobody_what_is_due_and_nothing_is_left_behind(
    long_pace: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert send(1) and send(2)
    wait_until(has_timer, described="a timer")
    assert send(3) == 0
    assert waiting() == 2
    monkeypatch.setattr(PacedValues, "pace", 0.01)
    broker._started().call_soon_threadsafe(broker._ring, PACED)
    wait_until(lambda: not waiting() and not has_timer(), described="the timer's numbering")
    assert Event.objects.get(channel=PACED).data == '{"value":3}'


def test_a_timer_of_one_channel_holds_up_no_other(long_pace: None) -> None:
    send(1)
    send(2)
    wait_until(has_timer, described="a timer")
    publish("testpaced:other", "value", {"value": 1}, key="x")
    assert Event.objects.get(channel="testpaced:other").offset == 1
