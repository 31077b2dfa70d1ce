"""What broadcasts, alerts and rooms owe outside the page."""

from typing import Any

import pytest
from django.core.management import call_command

from core import sinks
from notifications.broadcasts import actions as broadcasts
from notifications.broadcasts.actions.writing import write_chunk
from notifications.models import Mute, Notification
from tests.notifications.deliveries.conftest import Clock, Pigeon, owed, work_off

pytestmark = pytest.mark.django_db


def test_a_broadcast_is_owed_chunk_by_chunk_to_everybody_once(pigeon: Pigeon, clock: Clock, django_user_model: Any):
    people = [django_user_model.objects.create_user(f"p{n}", first_name="P" if n % 2 else "") for n in range(7)]
    made = broadcasts.broadcast("all", title="To all")
    # Somebody's own page was quicker than the worker.
    broadcasts.ensure_items(people[3])
    while write_chunk(made.pk, size=2):
        pass
    assert sorted(one.item.user.username for one in owed()) == ["p1", "p3", "p5"]
    clock.passes(minutes=2)
    work_off(clock)
    assert pigeon.titles == ["To all"] * 3


def test_a_broadcast_that_is_withdrawn_is_owed_no_more(pigeon: Pigeon, clock: Clock, anna: Any):
    made = broadcasts.broadcast("all", title="To all")
    while write_chunk(made.pk):
        pass
    broadcasts.cancel(made, withdraw=True)
    assert [one.state for one in owed()] == ["skipped"]
    clock.passes(minutes=2)
    assert work_off(clock) == 0


def test_an_alert_of_a_muted_dashboard_disturbs_nobody(pigeon: Pigeon, clock: Clock, anna: Any):
    Mute.objects.create(user=anna, channel="dashboard:7", level="nothing")
    sinks.alerts.tell(sinks.Alert("alert-1", (str(anna.pk),), "Latency", channel="dashboard:7"))
    sinks.alerts.tell(sinks.Alert("alert-2", (str(anna.pk),), "Storage", channel="dashboard:8"))
    clock.passes(minutes=2)
    work_off(clock)
    assert pigeon.titles == ["Storage"]
    assert Notification.objects.get(title="Latency").channel == "dashboard:7"


def test_an_alert_that_is_over_before_its_grace_is_not_sent(pigeon: Pigeon, clock: Clock, anna: Any):
    sinks.alerts.tell(sinks.Alert("alert-1", (str(anna.pk),), "Alert: latency"))
    sinks.alerts.tell(sinks.Alert("alert-1", (str(anna.pk),), "Resolved: latency", priority=1))
    clock.passes(minutes=2)
    work_off(clock)
    assert pigeon.carried == [] and [(one.state, one.reason) for one in owed()] == [("skipped", "low")]


def test_the_api_and_the_command_line_owe_it_too(pigeon: Pigeon, anna: Any, api_of: Any, alice: Any):
    call_command("notify", "user:anna", "By command")
    assert api_of(alice).post("notify/user:anna", b"By curl", content_type="text/plain").status_code == 202
    assert [one.item.notification.title for one in owed()] == ["By command", "By curl"]
