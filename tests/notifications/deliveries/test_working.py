"""What is owed outside the page: written with the notification, leased, asked about once more, sent, retried, given up."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from core import jobs
from core.models import Profile
from notifications import actions, categories, deliveries, preferences
from notifications.deliveries import leasing, sending
from notifications.models import Delivery, InboxItem, Mute, Notification, Preference, Priority
from notifications.transports import Accepted, NotSent
from tests.notifications.conftest import newest_event, shown
from tests.notifications.deliveries.conftest import Clock, Pigeon, owed, work_off

pytestmark = pytest.mark.django_db


# --- writing ---


def test_it_is_owed_to_whoever_can_be_reached(pigeon: Pigeon, anna: Any, bob: Any):
    actions.notify([anna, bob], title="Hello")
    [one] = owed()
    assert (one.item.user, one.state, one.attempts) == (anna, "due", 0)


def test_it_is_owed_if_and_only_if_the_notification_commits(pigeon: Pigeon, anna: Any):
    with transaction.atomic():
        actions.notify(anna, title="Never")
        assert len(owed()) == 1
        transaction.set_rollback(True)
    assert owed() == []


def test_it_waits_for_its_grace_unless_it_is_urgent(pigeon: Pigeon, anna: Any, django_capture_on_commit_callbacks: Any):
    with jobs.collected() as woken, django_capture_on_commit_callbacks(execute=True):
        actions.notify(anna, title="Calm")
    assert woken == []
    with jobs.collected() as woken, django_capture_on_commit_callbacks(execute=True):
        actions.notify(anna, title="Urgent", priority=Priority.HIGH)
    assert woken == ["deliveries_pigeon"]
    calm, urgent = owed()
    assert calm.due_at - calm.item.arrived_at == timedelta(seconds=60)
    assert urgent.due_at == urgent.item.arrived_at


@pytest.mark.parametrize("may", [True, False])
def test_what_somebody_planned_goes_out_only_after_she_was_asked_about_again(
    pigeon: Pigeon, anna: Any, bob: Any, clock: Clock, django_capture_on_commit_callbacks: Any, may: bool
):
    bob.is_staff = True
    bob.save()
    later = clock.now + timedelta(hours=1)
    actions.notify(anna, title="Calm", deliver_at=later, sender=bob)
    actions.notify(anna, title="Urgent", deliver_at=later, priority=Priority.HIGH, sender=bob)
    type(bob).objects.filter(pk=bob.pk).update(is_staff=may)
    # Nobody swept for a while: the workers look first.
    clock.passes(hours=2)
    assert work_off(clock) == 0
    with jobs.collected() as woken, django_capture_on_commit_callbacks(execute=True):
        actions.work_off_due(clock.now)
    work_off(clock)
    assert pigeon.titles == (["Urgent"] if may else []) and ("deliveries_pigeon" in woken) == may
    # Pages have their time to show what comes only now.
    clock.passes(seconds=61)
    work_off(clock)
    assert pigeon.titles == (["Urgent", "Calm"] if may else [])


def test_what_is_of_low_priority_or_only_for_pages_is_owed_to_nobody(pigeon: Pigeon, anna: Any):
    actions.notify(anna, title="Low", priority=Priority.LOW)
    actions.notify(anna, title="Try", category="try", priority=Priority.HIGH)
    assert owed() == []


def test_her_preferences_decide_when_it_is_written(pigeon: Pigeon, anna: Any):
    Preference.objects.create(user=anna, category="alert", transport="pigeon", enabled=False)
    Preference.objects.create(user=anna, category="", transport="pigeon", enabled=True)
    actions.notify(anna, title="Alert", category="alert")
    actions.notify(anna, title="Mention", category="mention")
    actions.notify(anna, title="Of nobody's category", category="backup")
    assert [one.item.notification.title for one in owed()] == ["Mention", "Of nobody's category"]


def test_a_way_that_is_off_by_default_is_owed_to_who_asked_for_it(pigeon: Pigeon, anna: Any, bob: Any, monkeypatch: Any):
    bob.first_name = "Bob"
    bob.save()
    monkeypatch.setitem(categories._declared, "alert", replace(categories.of("alert"), on=frozenset()))
    actions.notify([anna, bob], title="Nobody asked", category="alert")
    Preference.objects.create(user=bob, category="alert", transport="pigeon", enabled=True)
    actions.notify([anna, bob], title="Bob asked", category="alert")
    assert [(one.item.user, one.item.notification.title) for one in owed()] == [(bob, "Bob asked")]


def test_a_thousand_people_are_written_in_one_statement_for_each_way(pigeon: Pigeon, django_user_model: Any):
    django_user_model.objects.bulk_create(django_user_model(username=f"p{n}", first_name="P") for n in range(1000))
    with CaptureQueriesContext(connection) as few:
        actions.notify("user:p1", title="One")
    with CaptureQueriesContext(connection) as many:
        actions.notify("all", title="All")
    inserts = [query for query in many.captured_queries if "signalbox_notifications_delivery" in query["sql"]]
    assert len(inserts) == 1 == len([query for query in few.captured_queries if "signalbox_notifications_delivery" in query["sql"]])
    assert len(owed()) == 1001


def test_a_chunk_of_a_broadcast_is_owed_between_its_first_and_last(pigeon: Pigeon, django_user_model: Any):
    people = [django_user_model.objects.create_user(f"p{n}", first_name="P") for n in range(4)]
    with jobs.collected():
        sent = actions.notify(people, title="As a broadcast", priority=Priority.LOW)
    said = Notification.objects.get(pk=sent.id)
    said.priority, now = Priority.NORMAL, datetime.now(UTC)
    assert deliveries.write_for(said, arrived_at=now, first=people[1].pk, last=people[2].pk) == 2
    assert deliveries.write_for(said, arrived_at=now, first=people[1].pk, last=people[3].pk) == 1
    assert [one.item.user for one in owed()] == people[1:]


def test_where_no_way_is_set_up_nothing_is_asked_of_the_database(pigeon: Pigeon, anna: Any, django_assert_num_queries: Any):
    sent = actions.notify(anna, title="Hello")
    pigeon.ready = False
    with django_assert_num_queries(0):
        deliveries.write_for(Notification(pk=sent.id, category="x"), arrived_at=datetime.now(UTC))


# --- sending ---


def test_it_is_sent_after_its_grace_and_done_once_it_is_accepted(pigeon: Pigeon, anna: Any, clock: Clock):
    actions.notify(anna, title="Hello")
    assert work_off(clock) == 0
    clock.passes(seconds=61)
    assert work_off(clock) == 1 and pigeon.titles == ["Hello"]
    [one] = owed()
    assert (one.state, one.attempts, one.finished_at) == ("done", 1, clock.now)
    clock.passes(hours=1)
    assert work_off(clock) == 0


@pytest.mark.parametrize(
    ("do", "code"),
    [("mark_read", "read"), ("archive", "archived"), ("mark_seen", "seen")],
)
def test_what_she_has_looked_at_meanwhile_is_not_sent(pigeon: Pigeon, anna: Any, clock: Clock, do: str, code: str):
    sent = actions.notify(anna, title="Hello")
    getattr(actions, do)(*([anna] if do == "mark_seen" else [anna, [sent.id]]))
    clock.passes(minutes=2)
    work_off(clock)
    [one] = owed()
    assert pigeon.carried == [] and one.state == "skipped"
    assert one.reason.split(" ")[0] == code and one.reason.endswith("+00:00")


def test_what_is_withdrawn_is_due_no_more_at_once(pigeon: Pigeon, anna: Any, clock: Clock):
    actions.notify(anna, title="Hello", key="k")
    actions.withdraw("k")
    [one] = owed()
    assert (one.state, one.reason.split(" ")[0]) == ("skipped", "withdrawn")
    clock.passes(minutes=2)
    assert work_off(clock) == 0


def test_what_has_expired_and_who_has_left_is_not_sent_to(pigeon: Pigeon, anna: Any, clock: Clock):
    actions.notify(anna, title="Short", expires_at=clock.now + timedelta(seconds=30))
    clock.passes(minutes=2)
    work_off(clock)
    actions.notify(anna, title="Long")
    anna.is_active = False
    anna.save()
    clock.passes(minutes=5)
    work_off(clock)
    assert [one.reason.split(" ")[0] for one in owed()] == ["expired", "inactive"]
    assert pigeon.carried == []


def test_a_preference_that_changes_meanwhile_counts(pigeon: Pigeon, anna: Any, clock: Clock):
    actions.notify(anna, title="Hello", category="alert")
    preferences.choose(anna, "alert", "pigeon", enabled=False)
    clock.passes(minutes=2)
    work_off(clock)
    assert [(one.state, one.reason) for one in owed()] == [("skipped", "preference")]


def test_quiet_hours_hold_it_back_until_they_end_on_her_wall(pigeon: Pigeon, anna: Any):
    Profile.objects.create(user=anna, time_zone="Europe/Berlin")
    actions.set_quiet_hours(anna, time(22), time(7))
    # The night of 24 to 25 October: clocks go back, so that it lasts ten hours.
    clock = Clock(datetime(2026, 10, 24, 23, 0, tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC))
    actions.notify(anna, title="At night")
    actions.notify(anna, title="Now", priority=Priority.CRITICAL)
    Delivery.objects.update(due_at=clock.now)
    work_off(clock)
    assert pigeon.titles == ["Now"]
    [waiting] = Delivery.objects.filter(state="due")
    assert waiting.due_at == datetime(2026, 10, 25, 6, 0, tzinfo=UTC) and waiting.attempts == 0
    assert waiting.reason.split(" ")[0] == "quiet"
    clock.now = waiting.due_at
    work_off(clock)
    assert pigeon.titles == ["Now", "At night"]


def test_what_was_read_in_the_quiet_hours_is_not_sent_after_them(pigeon: Pigeon, anna: Any, clock: Clock):
    actions.set_quiet_hours(anna, (clock.now - timedelta(hours=1)).time(), (clock.now + timedelta(hours=2)).time())
    sent = actions.notify(anna, title="At night")
    clock.passes(minutes=2)
    work_off(clock)
    actions.mark_read(anna, [sent.id])
    clock.passes(hours=3)
    work_off(clock)
    assert pigeon.carried == [] and owed()[0].reason.split(" ")[0] == "read"


def test_who_muted_a_room_gets_a_silent_row_and_nothing_else(pigeon: Pigeon, anna: Any, clock: Clock):
    Mute.objects.create(user=anna, channel="room:3", level="mentions")
    before = newest_event()
    actions.notify(anna, title="Somebody spoke", channel="room:3", category="chat")
    assert 'class="toast' not in "".join(shown(f"user:{anna.pk}", anna, after=before))
    before = newest_event()
    actions.notify(anna, title="She was named", channel="room:3", category="mention")
    assert 'class="toast' in "".join(shown(f"user:{anna.pk}", anna, after=before))
    clock.passes(minutes=2)
    work_off(clock)
    assert pigeon.titles == ["She was named"]
    assert InboxItem.objects.filter(user=anna).count() == 2
    Mute.objects.update(level="nothing")
    actions.notify(anna, title="Named again", channel="room:3", category="mention")
    clock.passes(minutes=2)
    work_off(clock)
    assert pigeon.titles == ["She was named"] and owed()[-1].reason == "muted"


def test_sent_anew_under_its_key_it_is_owed_anew_with_the_new_words(pigeon: Pigeon, anna: Any, clock: Clock):
    actions.notify(anna, title="Disk full", key="disk")
    clock.passes(minutes=2)
    work_off(clock)
    actions.notify(anna, title="Disk fuller", key="disk")
    [one] = owed()
    assert (one.state, one.attempts) == ("due", 0)
    clock.passes(minutes=2)
    work_off(clock)
    assert pigeon.titles == ["Disk full", "Disk fuller"]
    first, second = pigeon.carried
    assert first.id != second.id
    actions.notify(anna, title="Disk fine", key="disk", priority=Priority.LOW)
    assert owed()[0].state == "done"


def test_at_the_end_of_a_snooze_it_is_owed_again(pigeon: Pigeon, anna: Any, clock: Clock):
    sent = actions.notify(anna, title="Later")
    actions.snooze(anna, [sent.id], until=clock.now + timedelta(hours=1))
    clock.passes(minutes=2)
    work_off(clock)
    assert owed()[0].reason.split(" ")[0] == "snoozed"
    clock.passes(hours=1)
    actions.work_off_due(clock.now)
    clock.passes(minutes=2)
    work_off(clock)
    assert pigeon.titles == ["Later"]


def test_somebody_without_an_address_any_more_is_passed_over(pigeon: Pigeon, anna: Any, clock: Clock):
    actions.notify(anna, title="Hello")
    anna.first_name = ""
    anna.save()
    clock.passes(minutes=2)
    work_off(clock)
    assert [(one.state, one.reason) for one in owed()] == [("skipped", "no first name")]


# --- failing ---


def test_what_is_not_accepted_is_tried_again_later_and_later(pigeon: Pigeon, anna: Any, clock: Clock):
    pigeon.answers = [NotSent("It answered 500.")] * 20
    actions.notify(anna, title="Hello")
    clock.passes(minutes=2)
    pauses = []
    while (one := owed()[0]).state != "dead":
        assert work_off(clock) == 1
        one = owed()[0]
        if one.state == "due":
            pauses.append((one.due_at - clock.now).total_seconds())
            clock.now = one.due_at
    assert (one.state, one.reason, one.attempts) == ("dead", "It answered 500.", leasing.MOST_ATTEMPTS)
    assert all(least <= pause <= 1.5 * least for pause, least in zip(pauses, [30, 60, 120, 240, 480, 960, 1920, 3600], strict=True))
    assert work_off(clock) == 0
    # The dead letter is taken up again by hand.
    pigeon.answers = []
    assert leasing.try_again(Delivery.objects.all(), now=clock.now) == 1
    assert work_off(clock) == 1 and pigeon.titles == ["Hello"]


def test_two_that_failed_together_do_not_return_together():
    assert leasing.pause(3, 0.0) == 120 and leasing.pause(3, 1.0) == 180
    assert leasing.pause(50, 0.0) == leasing.LONGEST_PAUSE


def test_retry_after_is_waited_for_where_it_is_longer(pigeon: Pigeon, anna: Any, clock: Clock):
    pigeon.answers = [NotSent("It answered 429.", after=600), NotSent("It answered 503.", after=1)]
    actions.notify(anna, title="Hello")
    clock.passes(minutes=2)
    work_off(clock)
    assert (owed()[0].due_at - clock.now).total_seconds() == 600
    clock.passes(seconds=600)
    work_off(clock)
    assert (owed()[0].due_at - clock.now).total_seconds() >= 60


def test_what_is_refused_for_good_is_given_up_at_once(pigeon: Pigeon, anna: Any, clock: Clock):
    pigeon.answers = [NotSent("It answered 410.", permanent=True)]
    actions.notify(anna, title="Hello")
    clock.passes(minutes=2)
    work_off(clock)
    assert [(one.state, one.reason, one.attempts) for one in owed()] == [("dead", "It answered 410.", 1)]


def test_a_transport_that_breaks_keeps_nobody_else_waiting(pigeon: Pigeon, anna: Any, bob: Any, clock: Clock, caplog: Any):
    bob.first_name = "Bob"
    bob.save()
    actions.notify([anna, bob], title="Hello")
    pigeon.answers = [ZeroDivisionError("a mistake")]
    clock.passes(minutes=2)
    work_off(clock)
    assert sorted(one.state for one in owed()) == ["done", "due"]
    assert "The transport pigeon broke." in caplog.text


def test_addresses_that_are_none_any_more_are_dropped(pigeon: Pigeon, anna: Any, clock: Clock):
    pigeon.answers = [Accepted(gone=("old",), note="1 of 2 devices")]
    actions.notify(anna, title="Hello")
    clock.passes(minutes=2)
    work_off(clock)
    assert pigeon.forgotten == ["old"] and owed()[0].reason == "1 of 2 devices"


# --- leases ---


def test_what_somebody_works_on_is_given_to_nobody_else_until_he_is_late(pigeon: Pigeon, anna: Any, clock: Clock):
    actions.notify(anna, title="Hello")
    clock.passes(minutes=2)
    [mine] = leasing.claim_due("pigeon", now=clock.now, limit=10)
    assert leasing.claim_due("pigeon", now=clock.now, limit=10) == []
    clock.passes(seconds=leasing.LEASE.total_seconds())
    [theirs] = leasing.claim_due("pigeon", now=clock.now, limit=10)
    assert theirs.pk == mine.pk
    # He was late: what he says does not count any more.
    assert not leasing.finish(mine, "done", "", now=clock.now)
    assert leasing.finish(theirs, "done", "", now=clock.now)


@pytest.mark.parametrize("outcome", ["sent", "not needed", "refused"])
def test_a_lease_of_sixteen_asks_as_many_questions_as_one_of_two(pigeon: Pigeon, clock: Clock, django_user_model: Any, outcome: str):
    people = [django_user_model.objects.create_user(f"p{n}", first_name="P") for n in range(16)]

    def asked(number: int) -> tuple[int, int]:
        """How many questions, and how many rows were noted one by one."""
        told = people[:number]
        sent = [actions.notify(each, title=f"For {each}", category="alert") for each in told]
        if outcome == "not needed":
            for each, one in zip(told, sent, strict=True):
                actions.mark_read(each, [one.id])
        pigeon.answers = [NotSent("No.")] * number if outcome == "refused" else []
        clock.passes(minutes=2)
        with CaptureQueriesContext(connection) as queries:
            [claimed] = [leasing.claim_due("pigeon", now=clock.now, limit=sending.AT_ONCE)]
            sending._deal_with(pigeon, claimed, clock)
        assert len(claimed) == number
        Delivery.objects.all().delete()
        noted = [query for query in queries.captured_queries if query["sql"].startswith("UPDATE") and "leased_until" in query["sql"]]
        return len(queries) - len(noted), len(noted) - 1  # the lease itself

    few, many = asked(2), asked(16)
    assert few[0] == many[0] <= 15
    # Each outcome is noted when it is known and not at the end: a worker that dies has then little to send twice.
    each = 1 if outcome == "not needed" else 2
    assert (few[1], many[1]) == (2 * each, 16 * each)


def test_a_worker_that_dies_every_time_does_not_try_for_ever(pigeon: Pigeon, anna: Any, clock: Clock):
    actions.notify(anna, title="Deadly")
    clock.passes(minutes=2)
    for _ in range(leasing.MOST_ATTEMPTS):
        [one] = leasing.claim_due("pigeon", now=clock.now, limit=1)
        assert leasing.begin(one)
        clock.passes(seconds=leasing.LEASE.total_seconds() + 1)
    assert work_off(clock) == 1
    assert pigeon.carried == [] and owed()[0].state == "dead"
    assert owed()[0].reason == "Its worker died each time."


def test_what_is_withdrawn_after_the_question_and_before_the_sending_is_not_sent(
    pigeon: Pigeon, anna: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    actions.notify(anna, title="Wrong", key="k")
    actions.notify(anna, title="Right")
    clock.passes(minutes=2)
    ask = sending._still_needed

    def asked_and_then_withdrawn(*given: Any) -> Any:
        needed = ask(*given)
        actions.withdraw("k")
        return needed

    monkeypatch.setattr(sending, "_still_needed", asked_and_then_withdrawn)
    work_off(clock)
    wrong, right = owed()
    assert pigeon.titles == ["Right"] and right.state == "done"
    assert (wrong.state, wrong.reason.split(" ")[0], wrong.attempts) == ("skipped", "withdrawn", 0)


def test_what_is_withdrawn_while_it_is_on_its_way_is_noted_as_sent(pigeon: Pigeon, anna: Any, clock: Clock):
    actions.notify(anna, title="Too late", key="k")
    clock.passes(minutes=2)
    [mine] = leasing.claim_due("pigeon", now=clock.now, limit=1)
    assert leasing.begin(mine)
    actions.withdraw("k")
    assert leasing.finish(mine, "done", "", now=clock.now)
    assert owed()[0].state == "done"


def test_a_process_that_ends_takes_no_more_on(pigeon: Pigeon, anna: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch):
    actions.notify(anna, title="Hello")
    clock.passes(minutes=2)
    monkeypatch.setattr(sending, "_ending", lambda: True)
    assert work_off(clock) == 0 and owed()[0].state == "due"


def test_what_a_process_that_ends_can_send_no_more_is_due_at_once(pigeon: Pigeon, anna: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch):
    for number in range(3):
        actions.notify(anna, title=str(number))
    clock.passes(minutes=2)
    submit, taken = ThreadPoolExecutor.submit, []

    def until_it_ends(pool: ThreadPoolExecutor, *given: Any) -> Any:
        if taken:
            raise RuntimeError("cannot schedule new futures after interpreter shutdown")
        taken.append(given)
        return submit(pool, *given)

    monkeypatch.setattr(ThreadPoolExecutor, "submit", until_it_ends)
    monkeypatch.setattr(sending, "_ending", lambda: bool(taken))
    work_off(clock)
    assert pigeon.titles == ["0"]
    assert [(one.state, one.leased_until, one.due_at <= clock.now) for one in owed()[1:]] == [("due", None, True)] * 2


def test_what_was_said_anew_while_it_was_being_sent_goes_out_again(pigeon: Pigeon, anna: Any, clock: Clock):
    actions.notify(anna, title="Old", key="k")
    clock.passes(minutes=2)
    [mine] = leasing.claim_due("pigeon", now=clock.now, limit=1)
    actions.notify(anna, title="New", key="k")
    assert not leasing.finish(mine, "done", "", now=clock.now)
    clock.passes(minutes=2)
    work_off(clock)
    assert pigeon.titles == ["New"]
