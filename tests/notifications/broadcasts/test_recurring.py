"""Broadcasts that recur: each slot once, by however many sweeps; what was missed; who may no longer; what is no timetable."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule

from notifications import drafts
from notifications.broadcasts import actions as broadcasts
from notifications.broadcasts import cron
from notifications.broadcasts.cron import BadCron
from notifications.models import Broadcast, Priority, Recurrence, Schedule
from tests.notifications.conftest import titles

pytestmark = pytest.mark.django_db
User = get_user_model()
Browser = Callable[[Any], Client]
ADD = "/admin/signalbox_notifications/broadcast/add/"
LIST = "/admin/signalbox_notifications/recurrence/"
SAID = {
    "title": "Standup",
    "body": "",
    "url": "",
    "priority": "2",
    "audience": "all",
    "intent": "i1",
    "repeats": "0 * * * *",
    "zone": "UTC",
}


@pytest.fixture
def hourly(alice: Any, bob: Any) -> Recurrence:
    return broadcasts.recur("all", "0 * * * *", title="Standup", sender=alice)


def sweep(at: datetime) -> None:
    broadcasts.work_off_recurring(at)
    broadcasts.work_off_due(at)


# The timetable


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("0 9 * * mon-fri", "UTC", ["2026-11-23T09:00", "2026-11-24T09:00"]),
        ("*/30 8 * * *", "Europe/Berlin", ["2026-11-22T07:00", "2026-11-22T07:30"]),
        ("0 0 13 * fri", "UTC", ["2027-08-13T00:00", "2028-10-13T00:00"]),
        ("0 0 29 2 *", "UTC", ["2028-02-29T00:00", "2032-02-29T00:00"]),
        ("0 9 * * 7", "UTC", ["2026-11-22T09:00", "2026-11-29T09:00"]),
        ("0 9 * * 6-7", "UTC", ["2026-11-22T09:00", "2026-11-28T09:00", "2026-11-29T09:00"]),
        ("0 9 * * 0-7", "UTC", ["2026-11-22T09:00", "2026-11-23T09:00"]),
        ("0 9 * * fri-mon/2", "UTC", ["2026-11-22T09:00", "2026-11-27T09:00"]),
        ("59 23 31 12 *", "UTC", ["2026-12-31T23:59", "2027-12-31T23:59"]),
    ],
)
def test_a_timetable_names_its_times(text: str, zone: str, expected: list[str]) -> None:
    times, moment = [], datetime(2026, 11, 21, 12, tzinfo=UTC)
    for _ in expected:
        following = cron.read(text).after(moment, zone=ZoneInfo(zone))
        assert following is not None
        moment = following
        times.append(f"{moment:%Y-%m-%dT%H:%M}")
    assert times == expected


def test_summer_time_neither_loses_a_day_nor_sends_twice() -> None:
    table, berlin = cron.read("30 2 * * *"), ZoneInfo("Europe/Berlin")
    moment, times = datetime(2026, 3, 28, 0, tzinfo=UTC), []
    for _ in range(3):
        following = table.after(moment, zone=berlin)
        assert following is not None
        moment = following
        times.append(f"{moment:%d %H:%M}")
    assert times == ["28 01:30", "29 01:30", "30 00:30"]  # on the 29th the clock says 3:30
    autumn = table.after(datetime(2026, 10, 25, 0, 30, tzinfo=UTC), zone=berlin)
    assert autumn == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "*/0 * * * *", "1,,2 * * * *",
        "٣ * * * *", "@daily", "-1 * * * *", "1.5 * * * *", "a * * * *", "0-999999999 * * * *", "* * * * " + "1," * 40, "\0 * * * *",
    ],
)  # fmt: skip
def test_what_is_no_timetable_is_refused_in_words(text: str) -> None:
    with pytest.raises(BadCron, match=r"field|is no"):
        cron.read(text)


# Slots


def test_each_slot_is_sent_once_however_often_it_is_swept(hourly: Recurrence, bob: Any) -> None:
    slot = hourly.next_at
    assert slot is not None
    sweep(slot - timedelta(seconds=1))
    assert titles(bob) == []
    for _ in range(3):
        sweep(slot + timedelta(seconds=3))
    assert titles(bob) == ["Standup"]
    sweep(slot + timedelta(hours=1))
    assert len(titles(bob)) == 2
    assert list(Schedule.objects.order_by("slot").values_list("slot", flat=True)) == [slot, slot + timedelta(hours=1)]


def test_two_sweeps_that_found_the_same_slot_send_it_once(hourly: Recurrence, bob: Any) -> None:
    slot = hourly.next_at
    assert slot is not None
    sweep(slot)
    Recurrence.objects.update(next_at=slot)  # as the other one read it
    sweep(slot)
    assert titles(bob) == ["Standup"]


def test_after_three_hours_without_anybody_the_newest_slot_goes_out_and_the_missed_ones_do_not(hourly: Recurrence, bob: Any) -> None:
    slot = hourly.next_at
    assert slot is not None
    sweep(slot + timedelta(hours=3, minutes=20))
    assert titles(bob) == ["Standup"]
    assert list(Schedule.objects.values_list("slot", flat=True)) == [slot + timedelta(hours=3)]
    hourly.refresh_from_db()
    assert hourly.next_at == slot + timedelta(hours=4)


def test_what_is_more_than_an_hour_late_is_left_out(alice: Any, bob: Any) -> None:
    daily = broadcasts.recur("all", "0 9 * * *", title="Good morning", sender=alice)
    slot = daily.next_at
    assert slot is not None
    sweep(slot + timedelta(hours=5))
    assert (titles(bob), Schedule.objects.count()) == ([], 0)
    daily.refresh_from_db()
    assert daily.next_at == slot + timedelta(days=1)


def test_who_may_send_no_more_or_is_gone_sends_nothing_and_it_is_said(hourly: Recurrence, alice: Any, bob: Any) -> None:
    slot = hourly.next_at
    assert slot is not None
    alice.user_permissions.remove(Permission.objects.get(codename="send_broadcast"))
    sweep(slot)
    hourly.refresh_from_db()
    assert (hourly.enabled, titles(bob)) == (False, [])
    assert "may no longer send" in hourly.reason
    Recurrence.objects.update(enabled=True, next_at=slot, sender=None)
    sweep(slot)
    assert titles(bob) == []


def test_a_critical_one_needs_its_right_each_time(alice: Any, bob: Any) -> None:
    critical = Permission.objects.get(codename="send_critical")
    alice.user_permissions.add(critical)
    made = broadcasts.recur("all", "0 * * * *", title="Leave the building", priority=Priority.CRITICAL, sender=alice)
    slot = made.next_at
    assert slot is not None
    sweep(slot)
    alice.user_permissions.remove(critical)
    sweep(slot + timedelta(hours=1))
    made.refresh_from_db()
    assert (titles(bob), Broadcast.objects.count()) == (["Leave the building"], 1)
    assert made.reason.startswith("Not sent at")
    assert "permission to send critical" in made.reason


def test_an_audience_that_is_empty_this_time_is_said_and_the_next_slot_is_tried(hourly: Recurrence, alice: Any, bob: Any) -> None:
    slot = hourly.next_at
    assert slot is not None
    Recurrence.objects.update(audience=hourly.audience | {"everybody": False, "users": [str(bob.pk)]})
    User.objects.filter(pk=bob.pk).update(is_active=False)
    sweep(slot)
    hourly.refresh_from_db()
    assert "Nobody active" in hourly.reason
    User.objects.filter(pk=bob.pk).update(is_active=True)
    sweep(slot + timedelta(hours=1))
    hourly.refresh_from_db()
    assert (titles(bob), hourly.reason) == (["Standup"], "")


def test_a_timetable_that_somebody_broke_by_hand_stops_only_its_own(hourly: Recurrence, alice: Any, bob: Any) -> None:
    other = broadcasts.recur("all", "0 */1 * * *", title="Other", sender=alice)
    CrontabSchedule.objects.filter(pk=hourly.crontab_id).update(minute="*/0")
    assert other.next_at is not None
    sweep(other.next_at)
    hourly.refresh_from_db()
    assert (hourly.enabled, titles(bob)) == (False, ["Other"])
    assert "is no minute" in hourly.reason


def test_one_whose_timetable_is_broken_is_switched_off_and_not_on_again_until_it_is_mended(
    hourly: Recurrence, alice: Any, browser_of: Browser
) -> None:
    other = broadcasts.recur("all", "0 */1 * * *", title="Other", sender=alice)

    def switched(action: str) -> tuple[str, list[bool]]:
        page = browser_of(alice).post(LIST, {"action": action, "_selected_action": [hourly.pk, other.pk]}, follow=True)
        return page.content.decode(), list(Recurrence.objects.order_by("pk").values_list("enabled", flat=True))

    CrontabSchedule.objects.filter(pk=hourly.crontab_id).update(minute=",".join(str(n) for n in range(60)))
    assert switched("switch_off")[1] == [False, False]
    page, enabled = switched("switch_on")
    assert enabled == [False, True]
    assert "“Standup” stays off" in page
    assert "is no minute" in page
    CrontabSchedule.objects.filter(pk=hourly.crontab_id).update(minute="0", day_of_month="30", month_of_year="2")
    assert "no time that ever comes" in switched("switch_on")[0]
    CrontabSchedule.objects.filter(pk=hourly.crontab_id).update(day_of_month="*", month_of_year="*")
    assert switched("switch_on")[1] == [True, True]


def test_of_two_simultaneous_clicks_the_second_finds_the_first(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    checked = drafts.checked

    def click() -> Recurrence:
        return broadcasts.recur("all", "0 * * * *", title="Standup", sender=alice, token="t1")

    def meanwhile(**given: Any) -> Any:
        monkeypatch.undo()
        click()
        return checked(**given)

    monkeypatch.setattr(drafts, "checked", meanwhile)
    assert click() == Recurrence.objects.get()


def test_of_equal_timetables_that_somebody_added_by_hand_the_first_is_used(alice: Any) -> None:
    equal = [CrontabSchedule.objects.create(minute="59", timezone="UTC") for _ in range(2)]
    assert broadcasts.recur("all", "59 * * * *", title="Standup", sender=alice).crontab == equal[0]


# The console


def test_the_console_plans_it_once_and_lists_it(alice: Any, browser_of: Browser) -> None:
    browser = browser_of(alice)
    for _ in range(2):
        answer = browser.post(ADD, SAID, follow=True)
    page = answer.content.decode()
    assert "goes out next at" in page
    assert "Standup" in page
    assert (Recurrence.objects.count(), Broadcast.objects.count()) == (1, 0)
    made = Recurrence.objects.get()
    for action, enabled in (("switch_off", False), ("switch_on", True)):
        browser.post(LIST, {"action": action, "_selected_action": [made.pk]})
        made.refresh_from_db()
        assert made.enabled is enabled
    trail = browser.get(f"{LIST}{made.pk}/history/").content.decode()
    for words in ("Planned for 0 * * * * (UTC).", "Switched off.", "Switched on."):
        assert trail.count(words) == 1


def test_what_was_missed_while_it_was_off_is_not_sent(hourly: Recurrence, alice: Any, bob: Any) -> None:
    broadcasts.switch(hourly, on=False, by=alice)
    Recurrence.objects.update(next_at=timezone.now() - timedelta(hours=2))
    sweep(timezone.now())
    broadcasts.switch(hourly, on=True, by=alice)
    sweep(timezone.now())
    assert titles(bob) == []


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"repeats": "*/0 * * * *"}, "is no minute"),
        ({"repeats": "0 0 30 2 *"}, "no time that ever comes"),
        ({"repeats": "0 9 * *"}, "five fields"),
        ({"repeats": "٣ 9 * * *"}, "is no minute"),
        ({"zone": "Mars/Olympus"}, "no such time zone"),
        ({"zone": "../../etc/passwd"}, "no such time zone"),
        ({"send_at": "2030-01-01T10:00"}, "leave one of them empty"),
    ],
)
def test_a_bad_timetable_is_said_beside_its_field_and_nothing_is_stored(
    alice: Any, browser_of: Browser, bad: dict[str, str], words: str
) -> None:
    page = browser_of(alice).post(ADD, SAID | bad)
    assert page.status_code == 200
    assert words in page.content.decode()
    assert (Recurrence.objects.count(), Broadcast.objects.count(), CrontabSchedule.objects.filter(minute="*/0").count()) == (0, 0, 0)


def test_nobody_else_lists_or_switches(hourly: Recurrence, bob: Any, charlie: Any, browser_of: Browser) -> None:
    User.objects.filter(pk=bob.pk).update(is_staff=True)
    bob.refresh_from_db()
    said = {"action": "switch_off", "_selected_action": [hourly.pk]}
    for person, status in ((bob, 403), (charlie, 302), (None, 302)):
        assert browser_of(person).get(LIST).status_code == status
        assert browser_of(person).post(LIST, said).status_code == status
    hourly.refresh_from_db()
    assert hourly.enabled
