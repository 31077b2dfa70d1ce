"""Snoozing, changing all at once, and Undo: what rows, lists and other pages then hold."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core import signing
from django.test import Client
from django.utils import timezone

from core.models import Profile
from notifications import actions, inbox, snoozing, undo
from notifications.actions import notify
from notifications.models import InboxItem
from tests.notifications.conftest import carried, newest_event, shown

pytestmark = pytest.mark.django_db
Browser = Callable[[Any], Client]
HTMX = {"HX-Request": "true"}
NOW = datetime(2026, 11, 21, 7, 10, 0, 123, tzinfo=UTC)  # a Saturday


def text(response: Any) -> str:
    assert response.status_code == 200, response
    return str(response.content.decode())


def listed(browser: Client, **asked: str) -> list[str]:
    return re.findall(r'open/" dir="auto">([^<]+)<', text(browser.get("/inbox/", asked)))


def token_in(page: str) -> str:
    found = re.search(r'name="token" value="([^"]+)"', page)
    assert found, page
    return found[1]


# Until when


@pytest.mark.parametrize(
    ("choice", "zone", "wanted"),
    [
        ("hour", "UTC", "2026-11-21T08:10:00.000123+00:00"),
        ("tomorrow", "UTC", "2026-11-22T09:00:00+00:00"),
        ("tomorrow", "America/New_York", "2026-11-22T14:00:00+00:00"),
        ("tomorrow", "Pacific/Kiritimati", "2026-11-21T19:00:00+00:00"),
        ("week", "Europe/Berlin", "2026-11-23T08:00:00+00:00"),
    ],
)
def test_a_snooze_ends_by_the_clock_on_her_wall(choice: str, zone: str, wanted: str) -> None:
    assert snoozing.until(choice, now=NOW, zone=ZoneInfo(zone)) == datetime.fromisoformat(wanted)


def test_on_a_monday_next_week_is_the_next_one() -> None:
    monday = NOW + timedelta(days=2)
    assert snoozing.until("week", now=monday, zone=UTC) == monday.replace(hour=9, minute=0, microsecond=0) + timedelta(days=7)


def test_a_day_on_which_clocks_change_ends_at_nine_too() -> None:
    before = datetime(2026, 10, 24, 12, tzinfo=UTC)
    assert snoozing.until("tomorrow", now=before, zone=ZoneInfo("Europe/Berlin")) == datetime(2026, 10, 25, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("typed", "zone", "wanted"),
    [
        ("2026-11-21T07:11", "UTC", "2026-11-21T07:11:00+00:00"),
        ("2026-11-21T07:11:30", "UTC", "2026-11-21T07:11:30+00:00"),
        ("2027-01-04T08:30", "America/New_York", "2027-01-04T13:30:00+00:00"),
        # The clock goes from two to three: half past two is half past three.
        ("2027-03-28T02:30", "Europe/Berlin", "2027-03-28T01:30:00+00:00"),
        # Half past two comes twice: the first.
        ("2027-10-31T02:30", "Europe/Berlin", "2027-10-31T00:30:00+00:00"),
        ("2028-02-29T00:00", "UTC", None),
    ],
)
def test_a_time_of_her_own_is_on_the_clock_before_her(typed: str, zone: str, wanted: str | None) -> None:
    if wanted is None:
        with pytest.raises(snoozing.BadTime, match="year"):
            snoozing.typed(typed, now=NOW, zone=ZoneInfo(zone))
    else:
        assert snoozing.typed(typed, now=NOW, zone=ZoneInfo(zone)) == datetime.fromisoformat(wanted)


@pytest.mark.parametrize("name", ["Nowhere/Land", "", "../../etc/passwd", "UTC"])
def test_a_zone_that_is_none_is_utc(alice: Any, name: str) -> None:
    Profile.objects.update_or_create(user=alice, defaults={"time_zone": name})
    assert str(snoozing.zone_of(alice)) == "UTC"


# Snoozing


def test_what_is_snoozed_is_in_its_tab_only_and_counts_no_more(alice: Any, bob: Any, browser_of: Browser) -> None:
    sent, browser = notify([alice, bob], title="Later"), browser_of(alice)
    before = newest_event()
    page = text(browser.post("/inbox/snooze/", {"id": sent.id, "for": "hour"}, headers=HTMX))
    assert 'id="badge" class="badge num" data-count="0"' in page
    assert (listed(browser), listed(browser, tab="snoozed"), listed(browser, q="is:snoozed")) == ([], ["Later"], ["Later"])
    assert listed(browser_of(bob)) == ["Later"]
    # Her other pages are told.
    assert f'hx-target="#n-{sent.id}" hx-swap="delete"' in shown(f"user:{alice.pk}", alice, after=before)[0]
    # Both say until when.
    until = InboxItem.objects.get(user=alice).snoozed_until
    assert until is not None
    told = f'Snoozed until <time class="num" datetime="{until:%Y-%m-%dT%H:%M:%SZ}"'
    assert told in text(browser.get("/inbox/", {"tab": "snoozed"})) and told in text(browser.get(f"/inbox/{sent.id}/"))


def test_when_the_snooze_ends_it_arrives_again_on_top_new_and_loud(alice: Any, browser_of: Browser) -> None:
    first = notify(alice, title="First")
    actions.mark_read(alice, [first.id])
    until = timezone.now() + timedelta(hours=1)
    actions.snooze(alice, [first.id], until=until)
    notify(alice, title="Second")
    InboxItem.objects.filter(notification=first.id).update(snoozed_until=timezone.now())
    before = newest_event()
    for _ in range(2):
        actions.work_off_due()
    assert listed(browser_of(alice)) == ["First", "Second"]
    item = InboxItem.objects.get(notification=first.id)
    assert (item.seen_at, item.read_at, item.snoozed_until) == (None, None, None)
    events = carried(f"user:{alice.pk}", after=before)
    assert [event.type for event in events] == ["notification.put"]
    assert 'hx-swap="beforeend"' in shown(f"user:{alice.pk}", alice, after=before)[0]


def test_what_was_withdrawn_meanwhile_does_not_come_back(alice: Any) -> None:
    notify(alice, title="Gone", key="k")
    actions.snooze(alice, [InboxItem.objects.get().notification_id], until=timezone.now())
    actions.withdraw("k")
    before = newest_event()
    actions.work_off_due()
    assert carried(f"user:{alice.pk}", after=before) == []


def test_a_snooze_may_be_ended_early(alice: Any, browser_of: Browser) -> None:
    sent, browser = notify(alice, title="Later"), browser_of(alice)
    browser.post(f"/inbox/{sent.id}/snooze/", {"for": "week"})
    browser.post(f"/inbox/{sent.id}/unsnooze/")
    assert listed(browser) == ["Later"]


@pytest.mark.parametrize("choice", ["", "year", "hour\0", "1"])
def test_a_time_that_is_no_choice_is_not_taken(alice: Any, browser_of: Browser, choice: str) -> None:
    sent = notify(alice, title="x")
    assert browser_of(alice).post(f"/inbox/{sent.id}/snooze/", {"for": choice}).status_code == 404
    assert InboxItem.objects.get().snoozed_until is None


BAD_TIMES = [
    "", "soon", "2026-11-21", "2026-11-21 07:11", "2026-11-21T07:11Z", "2026-11-21T07:11+01:00", "2026-13-01T00:00", "2026-02-30T00:00",
    "2026-11-21T25:00", "0001-01-01T00:00", "9999-12-31T23:59", "٢٠٢٦-11-21T07:11", "2000-01-01T00:00", "1e400", "NaN", "\0", "<b>",
    "2" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("typed", BAD_TIMES)
def test_a_time_of_her_own_that_cannot_be_is_said_so_and_changes_nothing(alice: Any, browser_of: Browser, typed: str) -> None:
    sent, browser = notify(alice, title="x"), browser_of(alice)
    asked = {"for": "own", "at": typed, "zone": "Pacific/Kiritimati", "id": sent.id}
    for address, error in (("/inbox/snooze/", "snooze-error"), ("/inbox/all/snoozed/", "snooze-all-error")):
        refused = browser.post(address, asked, headers=HTMX)
        assert refused.status_code == 422
        assert f'hx-target="#{error}"' in refused.content.decode()
        plain = browser.post(address, asked)
        assert plain.status_code == 422
        assert "Not snoozed" in plain.content.decode()
        assert "<b>" not in plain.content.decode()
    assert InboxItem.objects.get().snoozed_until is None


@pytest.mark.parametrize(("said", "zone"), [("Asia/Tokyo", "Asia/Tokyo"), ("", "America/Sao_Paulo"), ("Nowhere/Land", "America/Sao_Paulo")])
def test_tomorrow_at_nine_is_nine_on_her_browsers_clock_else_on_her_own(alice: Any, browser_of: Browser, said: str, zone: str) -> None:
    Profile.objects.update_or_create(user=alice, defaults={"time_zone": "America/Sao_Paulo"})
    sent = notify(alice, title="x")
    before = timezone.now()
    browser_of(alice).post("/inbox/snooze/", {"id": sent.id, "for": "tomorrow", "zone": said})
    until = InboxItem.objects.get().snoozed_until
    assert until is not None
    local = until.astimezone(ZoneInfo(zone))
    assert (local.hour, local.minute) == (9, 0)
    assert local.date() - before.astimezone(ZoneInfo(zone)).date() == timedelta(days=1)


@pytest.mark.parametrize(("said", "hours"), [("Asia/Tokyo", 9), ("", -3), ("Nowhere/Land", -3), ("../../etc/passwd", -3), ("x" * 9999, -3)])
def test_her_own_time_is_in_her_browsers_zone_else_in_her_profiles(alice: Any, browser_of: Browser, said: str, hours: int) -> None:
    Profile.objects.update_or_create(user=alice, defaults={"time_zone": "America/Sao_Paulo"})
    sent = notify(alice, title="x")
    typed = (timezone.now() + timedelta(days=30)).replace(hour=12, minute=30)
    browser_of(alice).post(f"/inbox/{sent.id}/snooze/", {"for": "own", "at": f"{typed:%Y-%m-%dT%H:%M}", "zone": said})
    until = InboxItem.objects.get().snoozed_until
    assert until is not None
    assert until.replace(second=0, microsecond=0) == typed.replace(second=0, microsecond=0) - timedelta(hours=hours)


def test_all_that_is_listed_is_snoozed_until_a_time_of_her_own(alice: Any, bob: Any, browser_of: Browser) -> None:
    for name in ("Deploy", "Backup"):
        notify([alice, bob], title=name, category=name.lower())
    browser = browser_of(alice)
    page = text(browser.get("/inbox/?q=category:deploy"))
    assert 'hx-post="/inbox/all/snoozed/?tab=all&amp;q=category%3Adeploy"' in page
    typed = f"{timezone.now() + timedelta(days=2):%Y-%m-%dT%H:%M}"
    answer = text(browser.post("/inbox/all/snoozed/?tab=all&q=category:deploy", {"for": "own", "at": typed, "zone": "UTC"}, headers=HTMX))
    assert (listed(browser), listed(browser, tab="snoozed")) == (["Backup"], ["Deploy"])
    assert listed(browser_of(bob)) == ["Backup", "Deploy"]
    browser.post("/inbox/undo/", {"token": token_in(answer)})
    assert listed(browser) == ["Backup", "Deploy"]
    # Where everything is put off or away already there is no such button.
    for tab in ("snoozed", "archived"):
        assert "snooze-all" not in text(browser.get(f"/inbox/?tab={tab}"))


@pytest.mark.parametrize("pk", ["", "0", "x", "-1", "٣", "9" * 19, "9" * 40])
def test_the_dialog_takes_nothing_but_an_item_of_hers(alice: Any, browser_of: Browser, pk: str) -> None:
    assert browser_of(alice).post("/inbox/snooze/", {"id": pk, "for": "hour"}).status_code == 404


def test_a_stranger_finds_nothing_to_snooze(alice: Any, charlie: Any, browser_of: Browser) -> None:
    sent = notify(alice, title="x")
    assert browser_of(charlie).post(f"/inbox/{sent.id}/snooze/", {"for": "hour"}).status_code == 404
    assert browser_of(charlie).post("/inbox/snooze/", {"id": sent.id, "for": "hour"}).status_code == 404
    assert InboxItem.objects.get().snoozed_until is None


# All at once


def test_all_that_a_filter_shows_is_changed_and_nothing_else(alice: Any, bob: Any, browser_of: Browser) -> None:
    for name in ("Deploy", "Backup"):
        notify([alice, bob], title=name, category=name.lower())
    browser = browser_of(alice)
    text(browser.post("/inbox/all/archived/?tab=all&q=category:deploy", headers=HTMX))
    assert (listed(browser), listed(browser, tab="archived"), listed(browser_of(bob))) == (["Backup"], ["Deploy"], ["Backup", "Deploy"])
    text(browser.post("/inbox/all/unarchived/?tab=archived", headers=HTMX))
    assert listed(browser) == ["Backup", "Deploy"]
    text(browser.post("/inbox/all/snoozed/?q=-category:deploy", {"for": "hour"}, headers=HTMX))
    assert (listed(browser), listed(browser, tab="snoozed")) == (["Deploy"], ["Backup"])
    text(browser.post("/inbox/all/unsnoozed/?tab=snoozed", headers=HTMX))
    assert sorted(listed(browser)) == ["Backup", "Deploy"]


@pytest.mark.parametrize("verb", ["seen", "deleted", "x"])
def test_there_is_no_other_verb(alice: Any, browser_of: Browser, verb: str) -> None:
    assert browser_of(alice).post(f"/inbox/all/{verb}/").status_code == 404


def test_filters_by_seen_and_unseen(alice: Any) -> None:
    notify(alice, title="Old")
    actions.mark_seen(alice)
    notify(alice, title="New")
    found = {
        word: [item.notification.title for item in inbox.page(inbox.listed(alice, inbox.read_query("all", word), now=timezone.now()))]
        for word in ("is:seen", "is:unseen", "is:archived")
    }
    assert found == {"is:seen": ["Old"], "is:unseen": ["New"], "is:archived": []}


# Undo


@pytest.mark.parametrize("verb", ["read", "archived", "snoozed"])
def test_undo_takes_back_that_change_and_no_earlier_one(alice: Any, browser_of: Browser, verb: str) -> None:
    ids = [notify(alice, title=f"Number {n}").id for n in range(40)]
    browser = browser_of(alice)
    actions.change(alice, ids[:1], verb, until=timezone.now() + timedelta(hours=2) if verb == "snoozed" else None)
    page = text(browser.post(f"/inbox/all/{verb}/", {"for": "tomorrow"}, headers=HTMX))
    assert 'data-stay="10"' in page
    assert f"{undo.WORDS[verb]}: 39" in page
    assert 'hx-target="#undo" hx-swap="delete"' in text(browser.post("/inbox/undo/", {"token": token_in(page)}, headers=HTMX))
    changed = InboxItem.objects.exclude(read_at=None, archived_at=None, snoozed_until=None)
    assert list(changed.values_list("notification", flat=True)) == ids[:1]


def test_undo_says_how_many_it_took_back(alice: Any, browser_of: Browser) -> None:
    ids = [notify(alice, title=f"Number {n}").id for n in range(4)]
    browser = browser_of(alice)

    def said(token: str) -> str:
        found = re.search(r"<strong>([^<]+)</strong>", text(browser.post("/inbox/undo/", {"token": token}, headers=HTMX)))
        assert found
        return found[1]

    all_four = token_in(text(browser.post("/inbox/all/archived/", headers=HTMX)))
    assert said(all_four) == "Taken back: 4"
    # Twice, or forged: there is nothing to take back, and nothing happens.
    assert said(all_four) == said("forged") == "Nothing was left to take back"
    one = token_in(text(browser.post(f"/inbox/{ids[0]}/archive/", headers=HTMX)))
    assert said(one) == "Taken back"
    some = token_in(text(browser.post("/inbox/all/archived/", headers=HTMX)))
    actions.unarchive(alice, ids[:1])
    assert said(some) == "Taken back: 3"
    assert len(listed(browser)) == 4


def test_what_happened_since_stays(alice: Any, browser_of: Browser) -> None:
    first, second = (notify(alice, title=name).id for name in ("First", "Second"))
    browser = browser_of(alice)
    page = text(browser.post("/inbox/all/archived/", headers=HTMX))
    actions.unarchive(alice, [first])
    actions.archive(alice, [first])
    browser.post("/inbox/undo/", {"token": token_in(page)})
    assert listed(browser) == ["Second"]
    assert second


def test_nobody_undoes_what_is_not_hers_and_nothing_forged_or_late(alice: Any, bob: Any, browser_of: Browser) -> None:
    notify([alice, bob], title="x")
    page = text(browser_of(alice).post("/inbox/all/archived/", headers=HTMX))
    token = token_in(page)
    for attempt in (token[:-1], "", "\0", signing.dumps([str(alice.pk), "archived", "now"])):
        assert browser_of(alice).post("/inbox/undo/", {"token": attempt}).status_code == 302
    browser_of(bob).post("/inbox/undo/", {"token": token})
    assert InboxItem.objects.get(user=alice).archived_at is not None
    undo.TAKEN, kept = -1, undo.TAKEN
    try:
        browser_of(alice).post("/inbox/undo/", {"token": token})
    finally:
        undo.TAKEN = kept
    assert InboxItem.objects.get(user=alice).archived_at is not None


Standing = dict[str, tuple[datetime | None, datetime | None]]


def standing(user: Any) -> Standing:
    """When each of her items was archived, and until when it is snoozed."""
    items = InboxItem.objects.filter(user=user).order_by("notification")
    return {title: (archived, until) for title, archived, until in items.values_list("notification__title", "archived_at", "snoozed_until")}


@pytest.fixture
def kept(alice: Any, bob: Any) -> dict[str, int]:
    """In both inboxes: two open ones, two that were archived and two that were snoozed, each at a time of its own."""
    ids = {}
    for hours, name in enumerate(("Open", "Open too", "Archived", "Archived too", "Snoozed", "Snoozed too"), 1):
        ids[name] = notify([alice, bob], title=name, category=name.split()[-1].lower()).id
        time = timezone.now() + timedelta(hours=hours)
        values = {"Archived": {"archived_at": time - timedelta(days=1)}, "Snoozed": {"snoozed_until": time}}.get(name.split()[0], {})
        InboxItem.objects.filter(notification=ids[name]).update(**values)
    return ids


def list_of(item: tuple[datetime | None, datetime | None]) -> str:
    return "snoozed" if item[1] else "archived" if item[0] else "all"


# What is done to which list (the filter leaves one of its two), and where the row is then.
MOVES = [
    ("archived", "all", "archived"),
    ("snoozed", "all", "snoozed"),
    ("unarchived", "archived", "all"),
    ("snoozed", "archived", "snoozed"),
    ("unsnoozed", "snoozed", "all"),
    ("snoozed", "snoozed", "snoozed"),
    ("archived", "snoozed", "archived"),
]
VERBS = {"archived": "archive", "unarchived": "unarchive", "snoozed": "snooze", "unsnoozed": "unsnooze"}


@pytest.mark.parametrize("how", ["one", "filtered", "all"])
@pytest.mark.parametrize(("what", "tab", "then"), MOVES)
def test_undo_puts_back_what_stood_there_with_its_times(
    alice: Any, bob: Any, browser_of: Browser, kept: dict[str, int], what: str, tab: str, then: str, how: str
) -> None:
    browser, other, before = browser_of(alice), browser_of(bob), standing(alice)
    here = [name for name in before if list_of(before[name]) == tab]
    key = str(alice.pk)
    counted = inbox.counts([key], now=timezone.now())[key].unread
    address = {"one": f"/inbox/{kept[here[0]]}/{VERBS[what]}/", "filtered": f"/inbox/all/{what}/?tab={tab}&q=-category:too"}
    page = text(browser.post(address.get(how, f"/inbox/all/{what}/?tab={tab}"), {"for": "week"}, headers=HTMX))
    moved = standing(alice)
    assert {name for name in before if moved[name] != before[name]} == set(here if how == "all" else here[:1])
    assert all(list_of(moved[name]) == then for name in here[:1])
    assert undo.WORDS[what] in page
    assert 'data-stay="10"' in page
    event = newest_event()
    # Not by him; and she gives back each its own time.
    other.post("/inbox/undo/", {"token": token_in(page)}, headers=HTMX)
    assert standing(alice) == moved
    assert newest_event() == event
    answer = text(browser.post("/inbox/undo/", {"token": token_in(page)}, headers=HTMX))
    assert ("Taken back: 2" if how == "all" else "Taken back<") in answer
    assert standing(alice) == standing(bob) == before
    assert sorted(listed(browser, tab=tab)) == sorted(here)
    # Her other pages take their lists anew: a row may be back in the archive, or on a page with a filter. The number is as it was.
    assert "n-many" in shown(f"user:{alice.pk}", alice, after=event)[0]
    assert inbox.counts([key], now=timezone.now())[key].unread == counted
    assert f'<span id="rail-inbox" class="n num" data-count="{counted}">' in answer
    assert carried(f"user:{bob.pk}", after=event) == []


def test_of_two_moves_of_one_item_only_the_last_is_taken_back(alice: Any, browser_of: Browser, kept: dict[str, int]) -> None:
    browser, before = browser_of(alice), standing(alice)
    address = f"/inbox/{kept['Archived']}/"
    first = token_in(text(browser.post(f"{address}snooze/", {"for": "week"}, headers=HTMX)))
    between = standing(alice)
    second = token_in(text(browser.post(f"{address}unsnooze/", headers=HTMX)))
    for token, stands in ((first, "all"), (second, "snoozed"), (first, "snoozed"), (second, "snoozed")):
        browser.post("/inbox/undo/", {"token": token})
        assert list_of(standing(alice)["Archived"]) == stands
    assert standing(alice) == between != before


@pytest.mark.parametrize("what", ["said again", "its time has come"])
def test_what_has_arrived_again_since_is_not_moved_by_undo(alice: Any, browser_of: Browser, what: str) -> None:
    sent, browser = notify(alice, title="First", key="k"), browser_of(alice)
    actions.archive(alice, [sent.id])
    verb, moment = ("unarchive", {}) if what == "said again" else ("snooze", {"for": "hour"})
    token = token_in(text(browser.post(f"/inbox/{sent.id}/{verb}/", moment, headers=HTMX)))
    if what == "said again":
        notify(alice, title="First", key="k")
    else:
        actions.work_off_due(timezone.now() + timedelta(hours=2))
        InboxItem.objects.update(arrived_at=timezone.now())
    browser.post("/inbox/undo/", {"token": token})
    assert listed(browser) == ["First"]


def test_where_nothing_changed_there_is_nothing_to_undo(alice: Any, browser_of: Browser) -> None:
    assert 'id="undo"' not in text(browser_of(alice).post("/inbox/all/archived/", headers=HTMX))


# Seen on a screen


def say_seen(user: Any, key: str, *items: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the hub does with a page's `seen`; its thread is ours here."""
    from core.delivery.channel import Reader, registry
    from notifications import kinds

    monkeypatch.setattr(kinds, "submit", lambda function, *args: function(*args))
    registry.kinds["user"].on_signal(Reader(user=str(user.pk)), key, "seen", items)


def test_what_was_before_her_eyes_is_seen_and_her_other_pages_count_anew(alice: Any, bob: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (notify([alice, bob], title=name).id for name in ("First", "Second"))
    before = newest_event()
    say_seen(alice, str(alice.pk), str(first), monkeypatch=monkeypatch)
    seen = InboxItem.objects.exclude(seen_at=None).values_list("user__username", "notification")
    assert list(seen) == [("alice", first)]
    assert [event.type for event in carried(f"user:{alice.pk}", after=before)] == ["notification.state"]
    assert second


def test_nobody_says_for_another_what_she_has_seen_and_nonsense_is_passed_over(
    alice: Any, bob: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = notify(alice, title="x")
    say_seen(bob, str(alice.pk), str(sent.id), monkeypatch=monkeypatch)
    say_seen(bob, str(bob.pk), str(sent.id), monkeypatch=monkeypatch)
    say_seen(alice, str(alice.pk), "", "x", "-1", "9" * 19, "٣", monkeypatch=monkeypatch)
    assert InboxItem.objects.get().seen_at is None
