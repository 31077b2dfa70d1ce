"""Alerts in the database: from a value to an item in the inbox and a sign on the tile, with a clock that the test holds."""

import random
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from core import jobs, sinks
from core.delivery.sequencer import sequence
from core.sinks import Alert
from dashboard import values
from dashboard.actions import record, record_many, remove_widget, save_widget
from dashboard.alerts import actions, audience, seeing
from dashboard.models import AlertDue, AlertRule, Role, Widget
from notifications.models import InboxItem, Notification
from tests.dashboard.alerts.conftest import Watch
from tests.dashboard.conftest import at

pytestmark = pytest.mark.django_db


def inbox(person: Any) -> list[str]:
    return [item.notification.title for item in InboxItem.objects.filter(user=person).select_related("notification").order_by("pk")]


# --- pending, firing, recovery ---


def test_it_fires_after_its_pending_time_and_is_over_after_its_recovery_time(watch: Watch, owner: Any) -> None:
    watch.rule(pending_seconds=10, recovery_seconds=20, severity=3)
    assert watch.sees(95).state == "pending" and watch.told == []
    assert watch.waits_until(9).state == "pending"
    assert watch.waits_until(10).state == "firing" and watch.said == ["Alert 3"]
    assert watch.waits_until(600).sees(50).state == "recovering" and watch.said == ["Alert 3"]
    assert watch.waits_until(619).state == "recovering"
    assert watch.waits_until(620).state == "ok" and watch.said == ["Alert 3", "Resolved 2"]
    assert "It fired for 10 min." in watch.told[-1].body
    assert [one.key for one in watch.told] == [f"alert-{AlertRule.objects.get().pk}"] * 2


def test_firing_and_resolved_are_one_item_in_the_inbox(watch: Watch, owner: Any) -> None:
    watch.rule()
    watch.sees(95)
    assert inbox(owner) == ["Alert: Queue too long"]
    InboxItem.objects.update(read_at=at(1))
    watch.waits_until(60).sees(50)
    assert inbox(owner) == ["Resolved: Queue too long"]
    assert InboxItem.objects.get().read_at is None, "it is unread again"
    assert Notification.objects.get().url == "/dashboards/ops/queue/alerts/"
    watch.waits_until(5000).sees(95)
    assert inbox(owner) == ["Alert: Queue too long"]


def test_an_acknowledged_item_changes_where_it_stands_and_says_by_whom(watch: Watch, owner: Any, bob: Any) -> None:
    rule = watch.rule()
    watch.sees(95)
    InboxItem.objects.update(read_at=at(1))
    assert actions.acknowledge(rule.pk, by=bob, now=at(5))
    assert not actions.acknowledge(rule.pk, by=owner, now=at(6)), "the first one took it"
    watch.settles()
    assert "Acknowledged by bob." in Notification.objects.get().body
    assert InboxItem.objects.get().read_at is not None, "nobody is called again"
    assert watch.events[-1].data["alert"]["by"] == "bob"
    watch.waits_until(60).sees(50)
    assert AlertRule.objects.get().acknowledged_at is None, "the next time somebody else may take it"
    assert not actions.acknowledge(rule.pk, by=bob, now=at(61)), "it does not fire"


@pytest.mark.parametrize(
    ("settings", "value", "says"),
    [
        ({"condition": "above", "high": 90}, 90.5, "above 90 jobs"),
        ({"condition": "below", "low": 5}, 4.5, "below 5 jobs"),
        ({"condition": "outside", "low": 5, "high": 90}, 91, "outside 5 to 90 jobs"),
    ],
)
def test_it_says_what_the_value_is_and_what_it_may_not_be(watch: Watch, settings: dict[str, Any], value: float, says: str) -> None:
    watch.rule(**settings)
    watch.sees(50).sees(value)
    assert f"is at {value:g}; the alert is for {says}." in watch.told[-1].body


def test_no_data_fires_when_nothing_comes_and_ends_with_a_value(watch: Watch) -> None:
    watch.rule(condition="no_data", high=None, pending_seconds=30)
    assert watch.waits_until(29).state == "ok"
    assert watch.sees(1).waits_until(58).state == "ok"
    assert watch.waits_until(59).state == "firing" and watch.said == ["Alert 2"]
    assert watch.waits_until(90).sees(1).state == "ok" and watch.said == ["Alert 2", "Resolved 2"]


def test_stale_fires_when_the_tile_says_stale(watch: Watch) -> None:
    watch.rule(condition="stale", high=None)
    watch.sees(1)  # every 2 s, grace 2: stale after 8
    assert watch.waits_until(7.9).state == "ok"
    assert watch.waits_until(8).state == "firing"
    watch.widget.state = Widget.State.PAUSED
    save_widget(watch.widget)
    assert watch.waits_until(900).state == "firing", "of a paused widget nothing is said"
    assert watch.said == ["Alert 2"]


def test_a_widget_that_may_be_silent_is_never_stale(watch: Watch) -> None:
    watch.widget.interval = None
    save_widget(watch.widget)
    watch.rule(condition="stale", high=None)
    assert watch.sees(1).waits_until(10**7).state == "ok"


# --- once per sample ---


def test_a_spike_that_conflation_hides_is_judged(watch: Watch) -> None:
    watch.rule()
    with transaction.atomic():
        for second, value in ((1, 50), (2, 95), (3, 50)):
            record(watch.widget, value, at(second), now=at(3))
    assert watch.waits_until(3).state == "ok"
    assert watch.said == ["Resolved 2"] and "above 90 jobs for a moment" in watch.told[0].body


def test_values_in_one_list_are_all_judged(watch: Watch) -> None:
    watch.rule()
    watch.sees((1, 50), (2, 95), (3, 50))
    assert watch.said == ["Resolved 2"]


def test_a_late_value_is_judged_once_and_in_its_place(watch: Watch) -> None:
    watch.rule()
    watch.sees((1, 50)).sees((100, 50))
    assert watch.sees((40, 95)).said == ["Resolved 2"]
    watch.sees((30, 50)).waits_until(200)
    assert watch.said == ["Resolved 2"], "what is judged again behind a late value is told once"
    assert AlertRule.objects.get().value == 50


def test_a_late_value_breaks_a_breach_that_waits(watch: Watch) -> None:
    watch.rule(pending_seconds=60)
    watch.sees((10, 95)).sees((50, 95)).sees((40, 50))
    assert watch.waits_until(109).state == "pending"
    assert watch.waits_until(110).state == "firing"


def test_a_value_that_is_replaced_is_judged_anew(watch: Watch) -> None:
    watch.rule()
    assert watch.sees((10, 95)).state == "firing"
    assert watch.sees((10, 50)).state == "ok"


def test_history_that_is_imported_alerts_nobody(watch: Watch) -> None:
    watch.rule()
    watch.sees((0, 50), (-4000, 95), (-5000, 95))
    assert watch.said == [] and not AlertDue.objects.exists()


@pytest.mark.parametrize(
    ("settings", "beyond", "within"),
    [
        ({"condition": "above", "high": 90}, 90.5, 90),
        ({"condition": "below", "low": 5, "high": None}, 4.5, 5),
        ({"condition": "outside", "low": 5, "high": 90}, 4, 90),
    ],
)
def test_what_comes_hours_late_is_judged_once_and_changes_nothing_that_stands(
    watch: Watch, settings: dict[str, Any], beyond: float, within: float
) -> None:
    watch.rule(pending_seconds=60, **settings)
    watch.sees((10, beyond))
    stands = AlertRule.objects.values("state", "since", "judged", "value", "fired").get()
    assert stands["state"] == "pending"
    watch.sees((-7200, beyond), (-7100, within), (-3600, beyond)).settles().sees((-7000, beyond))
    assert AlertRule.objects.values("state", "since", "judged", "value", "fired").get() == stands
    assert AlertRule.objects.values_list("late_breaches", "late_at").get() == (3, values.microseconds(at(-3600)))
    assert watch.waits_until(70).said == ["Alert 2"], "and what waited fires when it would have"
    rule = AlertRule.objects.get()
    actions.save_rule(rule)
    assert AlertRule.objects.values_list("late_breaches", "late_at").get() == (0, None), "by another limit they were something else"


def test_what_stood_there_for_hours_has_not_come_late_for_a_new_rule(watch: Watch) -> None:
    watch.sees((0, 95)).waits_until(9000)
    watch.rule()
    watch.settles()
    assert AlertRule.objects.values_list("state", "late_breaches").get() == ("ok", 0)


def test_only_rules_of_its_line_and_of_values_judge_what_comes_late(watch: Watch, bars: Widget) -> None:
    watch.widget = bars
    for name, more in (("w1", {"series": "w1"}), ("any", {}), ("other", {"series": "w2"}), ("silent", {"condition": "no_data"})):
        watch.rule(name=name, **more)
    watch.sees((-9000, 95), series="w1")
    assert dict(AlertRule.objects.values_list("name", "late_breaches")) == {"w1": 1, "any": 1, "other": 0, "silent": 0}


def test_due_values_go_with_the_numbering_and_only_where_somebody_judges(watch: Watch) -> None:
    record(watch.widget, 95, at(0), now=at(0))
    sequence([watch.board.channel])
    assert not AlertDue.objects.exists()
    rule = watch.rule()
    other = watch.rule(name="off", enabled=False)
    silent = watch.rule(name="silent", condition="no_data", high=None, pending_seconds=30)
    AlertDue.objects.all().delete()
    record(watch.widget, 96, at(1), now=at(1))
    assert not AlertDue.objects.exists(), "not in the publisher's transaction"
    with jobs.collected() as woken:
        sequence([watch.board.channel])
        assert list(AlertDue.objects.values_list("rule", flat=True)) == [rule.pk]
    assert {other.pk, silent.pk, rule.pk} == set(AlertRule.objects.values_list("pk", flat=True))
    assert woken == [], "woken when the numbering commits, which a test's transaction does not"


def test_a_board_without_rules_pays_one_query(watch: Watch) -> None:
    record_many({"ops/queue": 1}, now=at(0))
    with CaptureQueriesContext(connection) as queries:
        sequence([watch.board.channel])
    assert sum("alert" in query["sql"] for query in queries) == 1


def test_judging_a_hundred_rules_takes_few_queries(watch: Watch) -> None:
    for number in range(20):
        watch.rule(name=f"rule {number}", high=200)
    watch.settles()
    record(watch.widget, 100, at(1), now=at(1))
    sequence([watch.board.channel])
    with CaptureQueriesContext(connection) as queries:
        actions.judge(now=at(1))
    assert len([query for query in queries if query["sql"].startswith("SELECT")]) < 12


# --- flapping ---


def test_what_flaps_calls_three_times_and_then_waits_for_calm(watch: Watch) -> None:
    watch.rule(severity=4)
    for second in range(0, 300, 10):
        watch.waits_until(second).sees(95 if second % 20 == 0 else 50)
    assert watch.said == ["Alert 4", "Resolved 2", "Alert 4", "Resolved 2", "Alert 4"]
    assert watch.state == "recovering"
    assert watch.waits_until(290 + 299).state == "recovering"
    assert watch.waits_until(290 + 300).state == "ok"


# --- several lines ---


def test_one_of_several_lines_is_enough_and_is_named(watch: Watch, bars: Widget) -> None:
    watch.widget = bars
    watch.rule(name="Worker busy")
    watch.sees(50, series="w1").sees(95, series="w2").sees(60, series="w1")
    assert watch.state == "firing" and "w2: 95" in watch.told[0].body
    assert watch.waits_until(5).sees(50, series="w2").state == "ok"


def test_a_rule_for_one_line_does_not_look_at_the_others(watch: Watch, bars: Widget) -> None:
    watch.widget = bars
    watch.rule(series="w1")
    assert watch.sees(95, series="w2").state == "ok"
    assert watch.sees(95, series="w1").state == "firing"


# --- muted ---


def test_while_it_is_muted_nobody_is_told_and_then_of_what_still_fires(watch: Watch) -> None:
    rule = watch.rule()
    actions.mute(rule.pk, until=at(100), now=at(0))
    assert watch.sees(95).state == "firing" and watch.said == []
    assert watch.waits_until(99).said == []
    assert watch.waits_until(100).said == ["Alert 2"]


def test_what_fires_when_it_is_unmuted_is_told_at_once(watch: Watch) -> None:
    rule = watch.rule()
    actions.mute(rule.pk, until=at(100), now=at(0))
    watch.sees(95).waits_until(10)
    actions.mute(rule.pk, until=None, now=at(10))
    assert watch.settles().said == ["Alert 2"]


def test_what_came_and_went_while_it_was_muted_is_not_told(watch: Watch) -> None:
    rule = watch.rule()
    actions.mute(rule.pk, until=at(100), now=at(0))
    watch.sees(95).waits_until(10).sees(50).waits_until(200)
    assert watch.said == [] and watch.state == "ok"


def test_muted_while_it_fires_the_item_still_ends(watch: Watch) -> None:
    rule = watch.rule()
    watch.sees(95)
    actions.mute(rule.pk, until=at(100), now=at(5))
    watch.waits_until(10).sees(50)
    assert watch.said == ["Alert 2", "Resolved 1"]
    actions.mute(rule.pk, until=None, now=at(11))
    assert watch.waits_until(12).sees(95).said[-1] == "Alert 2"


# --- rules that change ---


def test_a_new_rule_judges_what_stands_there(watch: Watch) -> None:
    watch.sees(95)
    watch.rule()
    assert watch.waits_until(1).state == "firing"


def test_a_changed_rule_judges_by_what_it_is_now(watch: Watch) -> None:
    rule = watch.rule()
    watch.sees(95)
    rule.high = 99
    actions.save_rule(rule)
    assert watch.waits_until(5).state == "ok" and watch.said == ["Alert 2", "Resolved 2"]


@pytest.mark.parametrize("how", ["removed", "switched off", "widget"])
def test_a_rule_that_goes_ends_what_it_told(watch: Watch, how: str) -> None:
    rule = watch.rule()
    watch.sees(95)
    rule.refresh_from_db()
    if how == "removed":
        actions.remove_rule(rule)
    elif how == "widget":
        remove_widget(watch.widget)
    else:
        rule.enabled = False
        actions.save_rule(rule)
    assert watch.settles().said == ["Alert 2", "Resolved 1"]


# --- on the tile ---


def test_the_sign_is_pushed_when_it_changes_and_not_otherwise(watch: Watch) -> None:
    watch.rule(pending_seconds=10)
    watch.settles()
    watch.events.clear()
    watch.sees(50)
    assert [event.type for event in watch.events] == ["widget.config", "widget.value"], "the first value of a new series"
    watch.events.clear()
    watch.waits_until(1).sees(95)
    watch.waits_until(2).sees(96)
    watch.waits_until(20)
    signs = [event.data["alert"]["state"] for event in watch.events if "alert" in event.data]
    assert signs == ["pending", "firing"]


# --- who is told ---


def test_only_people_who_may_see_the_board_are_told(watch: Watch, owner: Any, bob: Any, charlie: Any, alice: Any) -> None:
    rule = watch.rule(audience=["user:bob", "user:charlie", "group:ops"])
    charlie.groups.set(bob.groups.all())
    assert audience.people_of(rule) == (str(bob.pk),)
    rule.audience = []
    assert audience.people_of(rule) == (str(owner.pk),), "editors, where nobody was named"
    Role.objects.filter(user=bob).update(level=Role.Level.EDIT)
    assert audience.people_of(rule) == (str(owner.pk), str(bob.pk))
    rule.audience = ["owner"]
    assert audience.people_of(rule) == (str(owner.pk),)
    bob.is_active = False
    bob.save()
    rule.audience = ["roles"]
    assert audience.people_of(rule) == (str(owner.pk),)


def test_a_role_of_a_group_counts(watch: Watch, owner: Any, bob: Any, ops: Any) -> None:
    Role.objects.all().delete()
    Role.objects.create(dashboard=watch.board, group=ops, level=Role.Level.EDIT)
    assert audience.people_of(watch.rule()) == (str(owner.pk), str(bob.pk))


def test_whom_nobody_could_tell_is_told_later(watch: Watch, owner: Any, caplog: pytest.LogCaptureFixture) -> None:
    def refuse(alert: Alert) -> None:
        raise RuntimeError("the inbox is on fire")

    watch.rule()
    sinks.alerts.connect(refuse)
    try:
        watch.sees(95)
    finally:
        sinks.alerts.disconnect(refuse)
    assert watch.state == "firing" and inbox(owner) == [], "the tile says it, the inbox has nothing half done"
    assert "nobody could be told" in caplog.text
    assert watch.waits_until(60).state == "firing"
    assert inbox(owner) == ["Alert: Queue too long"]


def test_whatever_comes_in_whatever_order_the_sign_and_the_item_agree(watch: Watch, owner: Any) -> None:
    watch.rule(pending_seconds=3, recovery_seconds=3)
    rolls = random.Random(7)
    for second in range(1, 60, 2):
        watch.waits_until(second).sees((second - rolls.choice([0, 0, 0, 5, 9]), rolls.choice([50, 95])))
        rule = AlertRule.objects.get()
        firing = rule.state in ("firing", "recovering")
        assert rule.told == firing
        titles = inbox(owner)
        assert not titles or titles == [f"{'Alert' if firing else 'Resolved'}: Queue too long"]


def test_more_lines_and_stretches_than_one_query_takes(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeing, "_AT_ONCE", 2)
    watch.rule()
    with transaction.atomic():
        for second in range(7):
            record(watch.widget, 95 if second == 3 else 50, at(second), now=at(7))
    assert watch.waits_until(7).said == ["Resolved 2"]


def test_a_flood_in_one_list_is_judged_once_and_whole(watch: Watch) -> None:
    watch.rule()
    watch.sees(*((second / 2, 95 if second == 4321 else 50) for second in range(5000)))
    assert watch.said == ["Resolved 2"] and not AlertDue.objects.exists()


def test_what_piled_up_while_no_worker_ran_is_worked_off_in_portions(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "MOST_DUE", 4)
    watch.rule()
    for second in range(1, 12):
        record(watch.widget, 95 if second in (3, 9) else 50, at(second), now=at(second))
        sequence([watch.board.channel])
    assert AlertDue.objects.count() == 11
    assert watch.waits_until(12).said == ["Resolved 2", "Resolved 2"] and not AlertDue.objects.exists()
