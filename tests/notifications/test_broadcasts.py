"""One message to many: at once on every page, in every inbox by a worker, nobody twice and nobody missed."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks

from core import jobs
from core.delivery.channel import Reader, registry
from notifications import actions, inbox
from notifications.actions import broadcast
from notifications.broadcasts import actions as broadcasts
from notifications.broadcasts import progress, schedules
from notifications.broadcasts.actions import sending
from notifications.errors import BadNotification
from notifications.models import Broadcast, BroadcastChunk, InboxItem, Notification, Priority, Schedule
from tests.core.conftest import Api
from tests.notifications.conftest import carried, newest_event, shown, titles
from tests.notifications.screen import Screen

pytestmark = pytest.mark.django_db
User = get_user_model()
Browser = Callable[[Any], Client]


@pytest.fixture
def crowd(db: None) -> list[Any]:
    return User.objects.bulk_create(User(username=f"u{n:03}") for n in range(25))


def write_all(made: Broadcast, *, size: int = 10_000) -> int:
    chunks = 0
    while broadcasts.write_chunk(made.pk, size=size):
        chunks += 1
    made.refresh_from_db()
    return chunks


# Sending


def test_a_broadcast_is_one_event_for_everybody_and_its_rows_follow(alice: Any, crowd: list[Any]) -> None:
    made = broadcast("all", title="Maintenance at 22:00", sender=alice)
    assert [event.data["broadcast"] for event in carried("audience:all")] == [made.pk]
    assert (made.total, InboxItem.objects.count()) == (26, 0)
    write_all(made)
    assert (made.state, made.written, InboxItem.objects.count()) == ("done", 26, 26)


def test_a_broadcast_has_the_writer_and_the_figures_come_when_it_commits_and_not_before(
    alice: Any, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with jobs.collected() as woken:
        with django_capture_on_commit_callbacks(execute=True):
            broadcast("all", title="Now", sender=alice)
            assert woken == []
        assert sorted(woken) == ["broadcast_figures", "broadcasts_due"]
        woken.clear()
        with django_capture_on_commit_callbacks(execute=True):
            planned = broadcast("all", title="Later", sender=alice, send_at=timezone.now() + timedelta(hours=1))
        assert woken == []  # there is nothing to write yet
        with django_capture_on_commit_callbacks(execute=True):
            sending.begin_scheduled(planned.pk, now=timezone.now() + timedelta(hours=2))
        assert sorted(woken) == ["broadcast_figures", "broadcasts_due"]


def test_a_broadcast_of_a_transaction_that_rolls_back_never_was(alice: Any) -> None:
    with transaction.atomic():
        broadcast("all", title="x")
        transaction.set_rollback(True)
    assert not Broadcast.objects.exists()
    assert carried("audience:all") == []


@pytest.mark.parametrize(
    "bad", [{"title": ""}, {"title": "x", "url": "//evil"}, {"title": "x", "send_at": timezone.now() - timedelta(days=1)}]
)
def test_what_cannot_be_broadcast_is_refused_and_nothing_is_stored(alice: Any, bad: dict[str, Any]) -> None:
    with pytest.raises(BadNotification):
        broadcast("all", **bad)
    assert not Notification.objects.exists()


def test_a_broadcast_to_nobody_is_refused(alice: Any) -> None:
    Group.objects.create(name="empty")
    with pytest.raises(BadNotification):
        broadcast("group:empty", title="x")
    assert not Broadcast.objects.exists()


@pytest.mark.parametrize(
    ("audience", "channel", "meant"),
    [("all", "audience:all", ["alice", "bob", "charlie"]), ("staff", "audience:staff", ["alice"]), ("group:ops", "audience:all", ["bob"])],
)
def test_only_those_who_are_meant_are_shown_it_and_have_it(
    alice: Any, bob: Any, charlie: Any, audience: str, channel: str, meant: list[str]
) -> None:
    made = broadcast(audience, title="Listen")
    people = [alice, bob, charlie]
    assert [user.username for user in people if any("Listen" in html for html in shown(channel, user))] == meant
    write_all(made)
    assert [user.username for user in people if titles(user) == ["Listen"]] == meant
    # Who catches up later is told by what is in her inbox.
    assert [user.username for user in people if any("Listen" in html for html in shown(channel, user))] == meant


def test_a_broadcast_to_a_queryset_is_for_those_whom_it_picked_then(crowd: list[Any], alice: Any) -> None:
    made = broadcast(User.objects.filter(username__startswith="u00"), title="x")
    User.objects.create_user("u009b")
    write_all(made)
    assert InboxItem.objects.count() == 10


def test_people_made_after_the_send_are_not_meant(alice: Any, crowd: list[Any]) -> None:
    made = broadcast("all", title="x")
    late = User.objects.create_user("late")
    write_all(made)
    assert titles(late) == []
    assert made.written == made.total == 26


def test_whoever_read_it_elsewhere_is_shown_it_read_and_without_a_toast_when_she_catches_up(alice: Any) -> None:
    made = broadcast("all", title="Listen")
    assert 'hx-swap="beforeend"' in shown("audience:all", alice)[0]
    broadcasts.ensure_items(alice)
    actions.mark_read(alice, [made.notification_id])
    late = shown("audience:all", alice)[0]
    assert 'hx-swap="beforeend"' not in late
    assert "Mark as unread" in late
    actions.archive(alice, [made.notification_id])
    assert shown("audience:all", alice)[0] == ""


def test_a_hub_asks_about_all_its_people_in_a_fixed_number_of_queries(
    alice: Any, bob: Any, crowd: list[Any], django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    broadcast("group:ops", title="x")
    event = carried("audience:all")[0]
    everybody = [str(user.pk) for user in User.objects.all()]
    with django_assert_max_num_queries(3):
        made = registry.kinds["audience"].personalise(event, "all", everybody)
    assert list(made) == [str(bob.pk)]


# Rows in chunks


def test_rows_come_in_chunks_each_with_a_checkpoint_and_a_word_to_the_hubs(alice: Any, crowd: list[Any]) -> None:
    made = broadcast("all", title="x")
    assert write_all(made, size=10) == 3
    chunks = list(BroadcastChunk.objects.order_by("number").values_list("number", "written"))
    assert chunks == [(1, 10), (2, 10), (3, 6)]
    grew = [event for event in carried("audience:all") if event.type == "inbox.grew"]
    assert [(event.data["first"], event.data["last"]) for event in grew] == list(
        BroadcastChunk.objects.order_by("number").values_list("first_user", "last_user")
    )


def test_a_hub_recounts_only_its_own_people_of_a_chunk() -> None:
    from core.delivery.channel import Event

    kind = registry.kinds["audience"]
    grew = Event(1, "inbox.grew", "", {"first": "9", "last": "100"}, 0.0)
    assert list(kind.dirtied(grew, "all", ["8", "9", "57", "100", "101", "1000"])) == ["9", "57", "100"]
    keys = ["0a000000-0000-0000-0000-000000000000", "0b000000-0000-0000-0000-000000000000", "0c000000-0000-0000-0000-000000000000"]
    uuids = Event(1, "inbox.grew", "", {"first": keys[0], "last": keys[1]}, 0.0)
    assert list(kind.dirtied(uuids, "all", keys)) == keys[:2]
    words = Event(1, "inbox.grew", "", {"first": "a", "last": "b"}, 0.0)
    assert list(kind.dirtied(words, "all", ["c", "d"])) == ["c", "d"]


def test_counts_are_asked_when_rows_stand_and_drawn_once_for_all_who_have_the_same(
    alice: Any, bob: Any, crowd: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand screens were counted twice in the first second of a broadcast, and each badge drawn for itself."""
    audience, user = registry.kinds["audience"], registry.kinds["user"]
    assert [type.name for type in audience.types if type.dirties] == ["broadcast.gone", "inbox.grew"]
    made = broadcast("all", title="x")
    write_all(made)
    actions.notify(bob, title="More")
    drawn: list[inbox.Counts] = []
    monkeypatch.setattr("notifications.kinds.counts_html", lambda counts: drawn.append(counts) or f"<{counts.unseen}>")
    everybody = [str(person.pk) for person in User.objects.all()]
    found = user.counts(everybody)
    assert found == {key: "<2>" if key == str(bob.pk) else "<1>" for key in everybody}
    assert sorted(counts.unseen for counts in drawn) == [1, 2]


def test_a_worker_killed_between_chunks_or_run_twice_writes_everybody_once(alice: Any, crowd: list[Any]) -> None:
    made = broadcast("all", title="x")
    broadcasts.write_chunk(made.pk, size=10)
    # Killed inside the next chunk: all of it is undone.
    with transaction.atomic():
        broadcasts.write_chunk(made.pk, size=10)
        transaction.set_rollback(True)
    broadcasts.work_off_due()
    broadcasts.work_off_due()
    made.refresh_from_db()
    assert (made.state, made.written) == ("done", 26)
    assert InboxItem.objects.values("user").distinct().count() == InboxItem.objects.count() == 26


def test_who_looks_before_her_row_is_written_has_it_and_keeps_its_state(alice: Any, bob: Any, browser_of: Browser) -> None:
    made = broadcast("all", title="Listen")
    browser = browser_of(bob)
    assert "Listen" in browser.get("/inbox/").content.decode()
    browser.post(f"/inbox/{made.notification_id}/read/")
    write_all(made)
    item = InboxItem.objects.get(user=bob)
    assert item.read_at is not None
    assert made.written == 2


def test_a_page_during_the_writing_and_the_events_since_equal_a_fresh_page(alice: Any, crowd: list[Any], browser_of: Browser) -> None:
    browser = browser_of(alice)
    before = Screen.of(browser.get("/inbox/").content.decode())
    mark = newest_event()
    made = broadcast("all", title="Listen")
    during, middle = Screen.of(browser.get("/inbox/").content.decode()), newest_event()
    write_all(made, size=10)
    for html in shown("audience:all", alice, after=mark):
        before.apply(html)
    for html in shown("audience:all", alice, after=middle):
        during.apply(html)
    fresh = Screen.of(browser.get("/inbox/").content.decode())
    assert before.rows("inbox-list") == during.rows("inbox-list") == fresh.rows("inbox-list")
    assert len(fresh.lists["inbox-list"]) == 1


def test_badges_count_a_broadcast_as_soon_as_its_row_is_there(alice: Any, bob: Any) -> None:
    made = broadcast("all", title="x")
    write_all(made)
    found = inbox.counts([str(alice.pk), str(bob.pk)], now=timezone.now())
    assert [counts.unseen for counts in found.values()] == [1, 1]


# The history


def history(made: Any) -> list[tuple[str, int, str]]:
    entries = LogEntry.objects.filter(content_type__model=made._meta.model_name, object_id=str(made.pk)).order_by("pk")
    return list(entries.values_list("user__username", "action_flag", "change_message"))


def test_a_broadcast_sent_over_the_api_is_in_its_history_by_whom(alice: Any, bob: Any, api_of: Callable[..., Api]) -> None:
    assert api_of(alice).post("broadcasts", {"audience": "all", "title": "x"}).status_code == 202
    made = Broadcast.objects.get()
    assert history(made) == [("alice", ADDITION, "Sent to all: 2 people.")]
    assert [entry.get_change_message() for entry in progress.trail(made)] == ["Sent to all: 2 people."]


def test_a_planned_broadcast_has_both_in_its_history_each_once(alice: Any, bob: Any) -> None:
    at = timezone.now() + timedelta(hours=1)
    made = broadcast("all", title="x", sender=alice, send_at=at)
    planned = ("alice", ADDITION, f"Planned for {at:%Y-%m-%d %H:%M} UTC, to all.")
    assert history(made) == [planned]
    for _ in range(2):
        broadcasts.work_off_due(at)
    assert history(made) == [planned, ("alice", CHANGE, "Sent to all: 2 people.")]


def test_a_slot_of_a_recurring_broadcast_is_in_its_history_by_whoever_planned_it(alice: Any, bob: Any) -> None:
    row = broadcasts.recur("ops", "0 * * * *", title="x", sender=alice)
    assert row.next_at is not None
    broadcasts.work_off_recurring(row.next_at)
    assert history(Broadcast.objects.get()) == [("alice", ADDITION, "Sent to group:ops: 1 person.")]


def test_what_was_not_sent_is_not_in_the_history_as_sent(alice: Any, bob: Any) -> None:
    with transaction.atomic():
        broadcast("all", title="x", sender=alice)
        transaction.set_rollback(True)
    assert not LogEntry.objects.exists()
    at = timezone.now() + timedelta(hours=1)
    made = broadcast("group:ops", title="x", sender=alice, send_at=at)
    User.objects.filter(pk=bob.pk).update(is_active=False)
    broadcasts.work_off_due(at)
    assert [what for _, _, what in history(made)] == [f"Planned for {at:%Y-%m-%d %H:%M} UTC, to group:ops."]
    # This site's own code is no person, and the history names one in every line.
    assert history(broadcast("all", title="x")) == []


# Time


def test_a_planned_broadcast_goes_out_when_it_is_due_and_once(alice: Any, bob: Any) -> None:
    made = broadcast("all", title="Later", send_at=timezone.now() + timedelta(hours=1), sender=alice)
    broadcasts.work_off_due()
    assert carried("audience:all") == []
    later = timezone.now() + timedelta(hours=1, seconds=1)
    broadcasts.work_off_due(later)
    broadcasts.work_off_due(later)
    made.refresh_from_db()
    assert made.state == "done"
    assert len([event for event in carried("audience:all") if event.type == "broadcast.put"]) == 1
    assert InboxItem.objects.count() == 2


@pytest.mark.parametrize("swept", [True, False])  # False: more have expired than one sweep ends
def test_a_planned_broadcast_that_expired_before_it_could_begin_never_shows(alice: Any, swept: bool) -> None:
    now = timezone.now()
    made = broadcast("all", title="Lunch at noon", send_at=now + timedelta(hours=1), expires_at=now + timedelta(hours=2), sender=alice)
    if swept:
        broadcasts.work_off_due(now + timedelta(hours=3))
    else:
        sending.begin_scheduled(made.pk, now=now + timedelta(hours=3))
    made.refresh_from_db()
    assert made.sent_at is None
    assert [event.type for event in carried("audience:all") if event.type == "broadcast.put"] == []
    broadcasts.work_off_due(now + timedelta(hours=3))
    made.refresh_from_db()
    assert (made.state, made.reason) == ("cancelled", "Not sent: it expired before its time came.")


def test_a_planned_broadcast_goes_out_however_late(alice: Any, bob: Any) -> None:
    now = timezone.now()
    made = broadcast("all", title="Maintenance tonight", send_at=now + timedelta(hours=1), sender=alice)
    broadcasts.work_off_due(now + timedelta(hours=4))
    made.refresh_from_db()
    assert (made.state, made.sent_at, titles(bob)) == ("done", now + timedelta(hours=4), ["Maintenance tonight"])


def test_a_planned_broadcast_whose_sender_lost_the_right_is_not_sent(alice: Any, bob: Any) -> None:
    made = broadcast("all", title="Later", send_at=timezone.now() + timedelta(hours=1), sender=alice)
    alice.user_permissions.remove(Permission.objects.get(codename="send_broadcast"))
    broadcasts.work_off_due(timezone.now() + timedelta(hours=2))
    made.refresh_from_db()
    assert made.state == "cancelled"
    assert carried("audience:all") == []


@pytest.mark.parametrize("keeps", [True, False])
def test_a_planned_critical_broadcast_needs_its_right_when_it_begins(alice: Any, bob: Any, keeps: bool) -> None:
    critical = Permission.objects.get(codename="send_critical")
    alice.user_permissions.add(critical)
    said = {"priority": Priority.CRITICAL, "send_at": timezone.now() + timedelta(hours=1)}
    made = broadcast("all", title="Leave the building", **said, sender=alice)
    if not keeps:
        alice.user_permissions.remove(critical)
    broadcasts.work_off_due(timezone.now() + timedelta(hours=2))
    made.refresh_from_db()
    assert titles(bob) == (["Leave the building"] if keeps else [])
    assert (made.state, "may no longer send critical" in made.reason) == (("done", False) if keeps else ("cancelled", True))


def test_a_broadcast_that_has_expired_leaves_the_screens(alice: Any) -> None:
    made = broadcast("all", title="Lunch", expires_at=timezone.now() + timedelta(hours=1))
    write_all(made)
    broadcasts.work_off_due(timezone.now() + timedelta(hours=2))
    assert [event.type for event in carried("audience:all")][-1] == "broadcast.gone"
    assert f'hx-target="#n-{made.notification_id}" hx-swap="delete"' in shown("audience:all", alice)[-1]


def test_the_hourly_broadcast_is_sent_once_an_hour_by_however_many_beats(alice: Any) -> None:
    now = datetime(2026, 11, 21, 14, 0, 3, tzinfo=UTC)
    assert schedules.send_hourly(now) is not None
    assert schedules.send_hourly(now + timedelta(minutes=1)) is None
    assert schedules.send_hourly(now + timedelta(hours=1)) is not None
    assert list(Schedule.objects.order_by("slot").values_list("slot__hour", flat=True)) == [14, 15]
    assert Broadcast.objects.count() == 2


def test_the_hourly_broadcast_starts_switched_off_and_its_row_is_in_the_admin(db: None) -> None:
    from django_celery_beat.models import PeriodicTask

    row = PeriodicTask.objects.get(task="workers.tasks.hourly_broadcast")
    assert not row.enabled
    assert str(row.crontab).startswith("0 * * * *")


# Who reads which channel


def test_audience_channels_are_read_by_those_they_name(alice: Any, bob: Any, charlie: Any, ops: Group) -> None:
    User.objects.filter(pk=charlie.pk).update(is_active=False)
    readers = {user.username: Reader(user=str(user.pk)) for user in (alice, bob, charlie)} | {"guest": Reader(guest="g")}
    keys = ["all", "staff", f"group-{ops.pk}", "group-999", "nonsense"]
    allowed = registry.kinds["audience"].readable(list(readers.values()), keys)
    found = {name: {key for reader, key in allowed if reader == mine} for name, mine in readers.items()}
    assert found == {"alice": {"all", "staff"}, "bob": {"all", f"group-{ops.pk}"}, "charlie": set(), "guest": set()}


def test_progress_is_read_by_those_who_may_send(alice: Any, bob: Any) -> None:
    made = broadcast("all", title="x", sender=alice)
    readers = [Reader(user=str(alice.pk)), Reader(user=str(bob.pk)), Reader(guest="g")]
    kind = registry.kinds["broadcast"]
    assert kind.readable(readers, [str(made.pk)]) == {(readers[0], str(made.pk))}
    write_all(made)
    assert "2</span> of" in kind.render(carried(f"broadcast:{made.pk}")[-1], str(made.pk))
    shown = kind.snapshot(str(made.pk))[0]["data"]
    assert (shown["state"], shown["total"], shown["written"], shown["left"]) == ("done", 2, 2, None)


# The console


def test_the_console_sends_and_leads_to_the_progress(alice: Any, bob: Any, ops: Group, browser_of: Browser) -> None:
    browser = browser_of(alice)
    assert browser.get("/admin/signalbox_notifications/broadcast/add/").status_code == 200
    said = {"title": "Listen", "body": "All of you", "url": "/rooms/", "priority": "2", "audience": "groups", "groups": [ops.pk]}
    response = browser.post("/admin/signalbox_notifications/broadcast/add/", said)
    made = Broadcast.objects.get()
    assert response.headers["Location"] == f"/admin/signalbox_notifications/broadcast/{made.pk}/progress/"
    assert (made.sender, made.total, made.notification.title) == (alice, 1, "Listen")
    page = browser.get(response.headers["Location"]).content.decode()
    assert f'data-channel="broadcast:{made.pk}"' in page
    assert "Listen" in page
    assert history(made) == [("alice", ADDITION, "Sent to group:ops: 1 person.")]
    region = browser.get(response.headers["Location"], headers={"Live-Refetch": "1"}).content.decode()
    assert region.startswith('<section class="w" id="broadcast" data-channel=')
    assert browser.get("/admin/signalbox_notifications/broadcast/").status_code == 200


@pytest.mark.parametrize(
    "bad",
    [{"title": ""}, {"title": "\u202e"}, {"url": "javascript:alert(1)"}, {"audience": "groups"}, {"audience": "nobody"}, {"priority": "9"}],
)
def test_the_console_says_what_is_wrong_and_stores_nothing(alice: Any, browser_of: Browser, bad: dict[str, str]) -> None:
    said = {"title": "Listen", "priority": "2", "audience": "all"} | bad
    response = browser_of(alice).post("/admin/signalbox_notifications/broadcast/add/", said)
    assert response.status_code == 200
    assert 'class="error"' in response.content.decode()
    assert not Broadcast.objects.exists()


@pytest.mark.parametrize("address", ["add/", "", "1/progress/"])
def test_the_console_is_for_those_who_may_send(alice: Any, bob: Any, charlie: Any, browser_of: Browser, address: str) -> None:
    User.objects.filter(pk=bob.pk).update(is_staff=True)
    page = f"/admin/signalbox_notifications/broadcast/{address}"
    assert browser_of(bob).get(page).status_code == 403
    assert browser_of(charlie).get(page).status_code == 302
    assert browser_of(None).get(page).status_code == 302
    assert browser_of(bob).post(page, {"title": "x", "audience": "all", "priority": "2"}).status_code in (403, 405)
    assert not Broadcast.objects.exists()
