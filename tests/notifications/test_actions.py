"""notify, replace, withdraw, and what a person does with what she was told."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from core.models import Event
from notifications import actions, inbox
from notifications.actions import notify
from notifications.errors import BadNotification, TooLarge, UnknownAudience, UnknownKey
from notifications.models import InboxItem, Notification, Priority
from tests.notifications.conftest import carried, newest_event, titles

pytestmark = pytest.mark.django_db
User = get_user_model()


def told() -> QuerySet[Event]:
    """The events on people's own channels."""
    return Event.objects.filter(channel__startswith="user:")


def put_events(user: Any, *, after: int = 0) -> list[dict[str, Any]]:
    return [event.data for event in carried(f"user:{user.pk}", after=after) if event.type == "notification.put"]


# Sending


def test_a_notification_is_one_payload_one_row_and_one_event_for_each_person(alice: Any, bob: Any, charlie: Any) -> None:
    sent = notify(["ops", alice], title="Backup done", body="48 GB", url="/dashboards/", category="backup", sender=charlie)
    assert sent.recipients == 2
    assert Notification.objects.get().pk == sent.id
    assert titles(alice) == titles(bob) == ["Backup done"]
    assert titles(charlie) == []
    assert [event.channel for event in told().order_by("id")] == [f"user:{alice.pk}", f"user:{bob.pk}"]
    assert put_events(bob)[0]["row"]["title"] == "Backup done"


def test_what_was_sent_in_a_transaction_that_rolls_back_never_shows(alice: Any) -> None:
    with transaction.atomic():
        notify(alice, title="Backup done")
        transaction.set_rollback(True)
    assert not Notification.objects.exists()
    assert not InboxItem.objects.exists()
    assert not told().exists()


@pytest.mark.parametrize(
    "bad",
    [
        {"title": ""}, {"title": "x", "url": "javascript:x"}, {"title": "x", "body": "a\0"}, {"title": "x", "body": "x" * 4001},
        {"title": "x", "key": "\n"}, {"title": "x", "category": "Not A Slug"}, {"title": "x", "priority": 9},
        {"title": "x", "data": {"a": float("nan")}}, {"title": "x", "data": {"a": "x" * 9000}},
        {"title": "x", "deliver_at": timezone.now().replace(tzinfo=None)}, {"title": "x", "expires_at": timezone.now() - timedelta(days=1)},
    ],
)  # fmt: skip
def test_what_cannot_be_said_is_refused_and_nothing_is_stored(alice: Any, bad: dict[str, Any]) -> None:
    with pytest.raises(BadNotification):
        notify(alice, **bad)
    assert not Notification.objects.exists()
    assert not told().exists()


def test_an_unknown_audience_stores_nothing(alice: Any) -> None:
    with pytest.raises(UnknownAudience):
        notify(["alice", "group:nobody"], title="x")
    assert not Notification.objects.exists()


def test_an_audience_of_nobody_is_no_error_and_stores_nothing(alice: Any) -> None:
    Group.objects.create(name="empty")
    assert notify("group:empty", title="x") == actions.Sent(0, 0)
    assert not Notification.objects.exists()


def test_more_people_than_notify_takes_are_refused(alice: Any, bob: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions.sending, "MAX_RECIPIENTS", 1)
    with pytest.raises(TooLarge):
        notify("all", title="x")
    assert not Notification.objects.exists()


def test_a_thousand_people_take_a_fixed_number_of_statements(ops: Group, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    people = User.objects.bulk_create(User(username=f"u{n}") for n in range(1000))
    User.groups.through.objects.bulk_create(User.groups.through(user=person, group=ops) for person in people)
    # SQLite takes at most 999 values in one INSERT of ours, so the rows come in a few.
    with django_assert_max_num_queries(60):
        assert notify(ops, title="x").recipients == 1000
    assert InboxItem.objects.count() == told().count() == 1000


# Keys


def test_the_same_key_replaces_moves_to_the_top_and_is_unread_again(alice: Any) -> None:
    first = notify(alice, title="Import 10 %", key="import")
    notify(alice, title="Other")
    actions.mark_read(alice, [first.id])
    actions.archive(alice, [first.id])
    second = notify(alice, title="Import done", key="import")
    assert second.id == first.id
    assert titles(alice) == ["Import done", "Other"]
    item = InboxItem.objects.get(notification=first.id)
    assert (item.read_at, item.seen_at, item.archived_at) == (None, None, None)


def test_a_low_priority_replaces_quietly_where_it_stands(alice: Any) -> None:
    first = notify(alice, title="Import 10 %", key="import", priority=Priority.LOW)
    notify(alice, title="Other")
    actions.mark_read(alice, [first.id])
    mark = newest_event()
    notify(alice, title="Import 20 %", key="import", priority=Priority.LOW)
    assert titles(alice) == ["Other", "Import 20 %"]
    assert InboxItem.objects.get(notification=first.id).read_at is not None
    event = put_events(alice, after=mark)[0]
    assert (event["quiet"], event["row"]["read"]) == (True, True)


def test_a_key_belongs_to_its_sender(alice: Any, bob: Any, charlie: Any) -> None:
    notify(charlie, title="Of alice", key="k", sender=alice)
    notify(charlie, title="Of bob", key="k", sender=bob)
    notify(charlie, title="Of the site", key="k")
    assert sorted(titles(charlie)) == ["Of alice", "Of bob", "Of the site"]
    assert actions.withdraw("k", sender=bob) == 1
    assert sorted(titles(charlie)) == ["Of alice", "Of the site"]


def test_a_key_sent_to_somebody_else_leaves_what_others_have_under_it(alice: Any, bob: Any) -> None:
    notify(alice, title="Welcome alice", key="welcome")
    notify(bob, title="Welcome bob", key="welcome")
    assert titles(alice) == ["Welcome alice"]
    assert titles(bob) == ["Welcome bob"]
    notify(alice, title="Welcome again", key="welcome")
    assert titles(alice) == ["Welcome again"]
    assert titles(bob) == ["Welcome bob"]


def test_a_key_sent_to_more_people_reaches_the_new_ones_too(alice: Any, bob: Any, charlie: Any) -> None:
    first = notify([alice, bob], title="Down", key="db")
    second = notify([alice, bob, charlie], title="Up", key="db")
    assert second.id == first.id
    assert titles(alice) == titles(bob) == titles(charlie) == ["Up"]


def test_a_key_sent_to_fewer_people_does_not_show_the_others_what_is_not_for_them(alice: Any, bob: Any) -> None:
    first = notify([alice, bob], title="Down", key="db")
    mark = newest_event()
    second = notify([alice], title="Salary list", key="db")
    assert second.id != first.id
    assert titles(alice) == ["Salary list"]
    assert titles(bob) == ["Down"]
    assert put_events(alice, after=mark)[0]["replaces"] == [first.id]
    assert put_events(bob, after=mark) == []
    notify("all", title="Up", key="db")
    assert titles(alice) == titles(bob) == ["Up"]


def test_replace_changes_what_is_given_for_everybody_who_has_it(alice: Any, bob: Any, charlie: Any) -> None:
    notify(bob, title="Down", body="since 14:02", key="db", sender=alice)
    notify(charlie, title="Down here too", body="since 14:03", key="db", sender=alice)
    assert actions.replace("db", title="Up", sender=alice).recipients == 2
    assert titles(bob) == titles(charlie) == ["Up"]
    assert set(Notification.objects.values_list("body", flat=True)) == {"since 14:02", "since 14:03"}


def test_an_unknown_or_foreign_key_cannot_be_replaced(alice: Any, bob: Any) -> None:
    notify(bob, title="x", key="k", sender=alice)
    for key, sender in (("other", alice), ("k", bob), ("k", None), ("", alice)):
        with pytest.raises(UnknownKey):
            actions.replace(key, title="y", sender=sender)
    assert titles(bob) == ["x"]


# Withdrawing and time


def test_a_withdrawn_notification_leaves_the_list_and_the_screens(alice: Any, bob: Any) -> None:
    sent = notify([alice, bob], title="Down", key="db")
    mark = newest_event()
    assert actions.withdraw("db") == 2
    now = timezone.now()
    assert not inbox.of(alice, now=now).exists()
    assert inbox.counts([str(alice.pk)], now=now)[str(alice.pk)] == inbox.Counts()
    assert [event.data for event in carried(f"user:{bob.pk}", after=mark)] == [{"ids": [sent.id]}]
    assert actions.withdraw("db") == 0


def test_a_withdrawn_key_is_free_for_something_new(alice: Any) -> None:
    first = notify(alice, title="Down", key="db")
    actions.withdraw("db")
    assert notify(alice, title="Down again", key="db").id != first.id
    assert titles(alice) == ["Down again"]


def test_what_is_planned_arrives_when_it_is_due_and_once(alice: Any) -> None:
    sent = notify(alice, title="Later", deliver_at=timezone.now() + timedelta(hours=1))
    now = timezone.now()
    assert not inbox.of(alice, now=now).exists()
    actions.work_off_due(now)
    assert carried(f"user:{alice.pk}") == []
    later = now + timedelta(hours=1, seconds=1)
    actions.work_off_due(later)
    actions.work_off_due(later)
    assert [event.data["row"]["id"] for event in carried(f"user:{alice.pk}")] == [sent.id]
    assert inbox.of(alice, now=later).exists()


def test_what_somebody_planned_shows_nowhere_before_she_was_asked_about_again(alice: Any, bob: Any, browser_of: Any) -> None:
    later, browser = timezone.now() + timedelta(hours=1), browser_of(bob)
    sent = notify([alice, bob], title="Planned by alice", deliver_at=later, sender=alice)
    own = notify(bob, title="Planned by our own code", deliver_at=later)
    # Its time has come, and nobody has swept yet.
    past = timezone.now() - timedelta(seconds=3)
    Notification.objects.update(deliver_at=past)
    InboxItem.objects.update(arrived_at=past)
    page = browser.get("/inbox/").content.decode()
    assert ("Planned by alice" in page, "Planned by our own code" in page) == (False, True)
    assert inbox.counts([str(bob.pk)], now=timezone.now())[str(bob.pk)].unseen == 1
    assert (browser.get(f"/inbox/{sent.id}/").status_code, browser.get(f"/inbox/{own.id}/").status_code) == (404, 200)
    actions.work_off_due()
    assert "Planned by alice" in browser.get("/inbox/").content.decode()
    # What he has had before his eyes meanwhile is no news when its time is swept.
    told = [(event["row"]["title"], event["quiet"]) for event in put_events(bob)]
    assert told == [("Planned by alice", False), ("Planned by our own code", True)]


def test_what_is_said_quietly_of_something_that_has_not_come_yet_comes_at_once(alice: Any) -> None:
    notify(alice, title="Deploy at noon", key="deploy", deliver_at=timezone.now() + timedelta(hours=1))
    notify(alice, title="No deploy today", key="deploy", priority=Priority.LOW)
    assert [item.notification.title for item in inbox.of(alice, now=timezone.now())] == ["No deploy today"]
    assert [event["row"]["title"] for event in put_events(alice)] == ["No deploy today"]


def test_what_is_planned_can_be_withdrawn_before_it_arrives(alice: Any) -> None:
    notify(alice, title="Later", key="later", deliver_at=timezone.now() + timedelta(hours=1))
    actions.withdraw("later")
    actions.work_off_due(timezone.now() + timedelta(hours=2))
    assert put_events(alice) == []


def test_what_expired_before_it_could_arrive_never_shows(alice: Any) -> None:
    now = timezone.now()
    notify(alice, title="Lunch at noon", deliver_at=now + timedelta(hours=1), expires_at=now + timedelta(hours=2))
    actions.work_off_due(now + timedelta(hours=3))
    assert put_events(alice) == []
    assert Notification.objects.get().delivered_at is None
    assert titles(alice) == []


@pytest.mark.parametrize("lost", ["nothing", "account", "active", "group", "critical"])
def test_what_somebody_planned_arrives_only_while_she_may_still_say_it(alice: Any, bob: Any, charlie: Any, ops: Group, lost: str) -> None:
    critical = Permission.objects.get(codename="send_critical")
    charlie.groups.add(ops)
    charlie.user_permissions.add(critical)
    later = timezone.now() + timedelta(hours=1)
    notify([alice, bob, charlie], title="Later", priority=Priority.CRITICAL, deliver_at=later, sender=charlie)
    match lost:
        case "account":
            charlie.delete()
        case "active":
            User.objects.filter(pk=charlie.pk).update(is_active=False)
        case "group":
            charlie.groups.remove(ops)
        case "critical":
            charlie.user_permissions.remove(critical)
    actions.work_off_due(later + timedelta(seconds=1))
    assert titles(bob) == (["Later"] if lost == "nothing" else [])
    assert (titles(alice), put_events(alice)) == ([], [])  # she is in no group of his
    assert [event["row"]["title"] for event in put_events(bob)] == (["Later"] if lost == "nothing" else [])
    if lost != "account":
        # What she tells herself needs no right but to be there, and to be so loud.
        assert titles(charlie) == (["Later"] if lost in ("nothing", "group") else [])


def test_what_has_expired_leaves_by_itself(alice: Any) -> None:
    sent = notify(alice, title="Lunch", expires_at=timezone.now() + timedelta(hours=1))
    later = timezone.now() + timedelta(hours=2)
    assert not inbox.of(alice, now=later).exists()
    actions.work_off_due(later)
    actions.work_off_due(later)
    gone = [event.data for event in carried(f"user:{alice.pk}") if event.type == "notification.gone"]
    assert gone == [{"ids": [sent.id]}]


# A person's own state


def counts(user: Any) -> tuple[int, int]:
    found = inbox.counts([str(user.pk)], now=timezone.now())[str(user.pk)]
    return found.unseen, found.unread


def test_the_counts_follow_every_change_of_state(alice: Any, bob: Any) -> None:
    ids = [notify([alice, bob], title=f"Number {n}").id for n in range(4)]
    assert counts(alice) == (4, 4)
    assert actions.mark_seen(alice) == 4
    assert counts(alice) == (0, 4)
    assert actions.mark_read(alice, ids[:2]) == 2
    assert counts(alice) == (0, 2)
    assert actions.mark_unread(alice, ids[:1]) == 1
    assert counts(alice) == (0, 3)
    assert actions.archive(alice, ids[3:]) == 1
    assert counts(alice) == (0, 2)
    assert actions.unarchive(alice, ids[3:]) == 1
    assert counts(alice) == (0, 3)
    notify(alice, title="Number 5")
    assert counts(alice) == (1, 4)
    assert actions.mark_matching_read(alice, inbox.Query()) == 4
    assert counts(alice) == (0, 0)
    assert counts(bob) == (4, 4)


def test_reading_is_seeing(alice: Any) -> None:
    sent = notify(alice, title="x")
    actions.mark_read(alice, [sent.id])
    assert InboxItem.objects.get().seen_at is not None


def test_a_change_that_changes_nothing_says_nothing(alice: Any) -> None:
    sent = notify(alice, title="x")
    actions.mark_read(alice, [sent.id])
    mark = newest_event()
    for act in (actions.mark_read, actions.unarchive):
        assert act(alice, [sent.id]) == 0
    assert actions.mark_seen(alice) == 0
    assert carried(f"user:{alice.pk}", after=mark) == []
    assert InboxItem.objects.get().version == 2


def test_nobody_changes_somebody_elses_items(alice: Any, bob: Any) -> None:
    sent = notify(alice, title="x")
    for act in (actions.mark_read, actions.mark_unread, actions.archive, actions.unarchive):
        assert act(bob, [sent.id]) == 0
    assert (InboxItem.objects.get().read_at, InboxItem.objects.get().archived_at) == (None, None)


def test_every_change_is_told_on_the_persons_own_channel(alice: Any) -> None:
    sent = notify(alice, title="x")
    mark = newest_event()
    actions.mark_read(alice, [sent.id])
    actions.archive(alice, [sent.id])
    changes = carried(f"user:{alice.pk}", after=mark)
    assert [(event.type, event.data["what"]) for event in changes] == [("notification.state", "read"), ("notification.state", "archived")]
    assert [row["read"] for row in changes[0].data["rows"]] == [True]


def test_many_changes_at_once_are_told_as_one_thing(alice: Any, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    for n in range(actions.states.ROWS_SHOWN + 1):
        notify(alice, title=f"Number {n}")
    mark = newest_event()
    with django_assert_max_num_queries(8):
        actions.mark_matching_read(alice, inbox.Query())
    assert [event.data for event in carried(f"user:{alice.pk}", after=mark)] == [{"what": "read", "many": True}]


def test_the_longest_rows_fit_into_an_event(alice: Any) -> None:
    wide = "\U0001f9ea"
    for _ in range(6):
        notify(alice, title=wide * 200, body=wide * 4000, actions=[{"label": wide * 40, "url": "/"}] * 2, category="c" * 40)
    assert actions.mark_matching_read(alice, inbox.Query()) == 6
