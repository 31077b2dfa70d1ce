"""The inbox, the bell and their buttons: as owner, as another member, as stranger, as guest; and how many queries they take."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from notifications import actions, inbox, preferences
from notifications.actions import broadcast, notify
from notifications.models import Delivery, InboxItem
from tests.notifications.conftest import carried
from tests.notifications.screen import Screen

pytestmark = pytest.mark.django_db
Browser = Callable[[Any], Client]
HTMX = {"HX-Request": "true"}
READS = ["/inbox/", "/inbox/list/", "/inbox/more/?after=1795245000000000-1", "/inbox/bell/", "/inbox/newest/"]
WRITES = ["/inbox/read/", "/inbox/panel/", "/inbox/try/", "/inbox/all/archived/", "/inbox/snooze/", "/inbox/undo/"]


def text(response: Any) -> str:
    assert response.status_code == 200, response
    return str(response.content.decode())


# Who sees what


def test_an_inbox_shows_its_owners_items_and_nobody_elses(alice: Any, bob: Any, charlie: Any, browser_of: Browser) -> None:
    notify(alice, title="For alice")
    notify([alice, bob], title="For two")
    pages = {user.username: text(browser_of(user).get("/inbox/")) for user in (alice, bob, charlie)}
    assert "For alice" in pages["alice"]
    assert "For two" in pages["alice"]
    assert "For alice" not in pages["bob"]
    assert "For two" in pages["bob"]
    assert "For " not in pages["charlie"].partition('id="inbox-list"')[2].partition("</ol>")[0]
    assert "Nothing new" in pages["charlie"]


@pytest.mark.parametrize("address", [*READS, "/inbox/1/", "/inbox/1/open/"])
def test_a_guest_is_sent_to_sign_in(browser_of: Browser, address: str, db: None) -> None:
    response = browser_of(None).get(address)
    assert response.status_code == 302
    assert response.headers["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize(
    "address", [*WRITES, *(f"/inbox/1/{verb}/" for verb in ("read", "unread", "archive", "unarchive", "snooze", "unsnooze"))]
)
def test_writes_are_for_signed_in_people_by_post_with_a_csrf_token(alice: Any, browser_of: Browser, address: str) -> None:
    assert browser_of(None).post(address).status_code == 302
    assert browser_of(alice).get(address).status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice)
    assert strict.post(address).status_code == 403
    assert carried(f"user:{alice.pk}") == []


@pytest.mark.parametrize("verb", ["read", "unread", "archive", "unarchive"])
def test_buttons_work_for_the_owner_and_are_not_there_for_others(
    alice: Any, bob: Any, charlie: Any, browser_of: Browser, verb: str
) -> None:
    sent = notify([alice, bob], title="x")
    for stranger in (charlie,):
        assert browser_of(stranger).post(f"/inbox/{sent.id}/{verb}/").status_code == 404
        assert browser_of(stranger).get(f"/inbox/{sent.id}/").status_code == 404
    assert browser_of(alice).post(f"/inbox/{sent.id}/{verb}/", headers=HTMX).status_code == 200
    item = InboxItem.objects.get(user=bob)
    assert (item.read_at, item.archived_at) == (None, None)


@pytest.mark.parametrize("pk", ["0", "999999", str(2**63), str(2**70)])
@pytest.mark.parametrize("rest", ["", "open/", "open/1/"])
def test_a_notification_that_is_not_there_is_a_404(alice: Any, browser_of: Browser, pk: str, rest: str) -> None:
    assert browser_of(alice).get(f"/inbox/{pk}/{rest}").status_code == 404


@pytest.mark.parametrize("after", ["", "x", "1", "-1", "1-", "1-x", "٣-1", f"{10**17}-1", f"1-{10**19}", "1.5-1"])
def test_a_place_that_is_none_is_a_404(alice: Any, browser_of: Browser, after: str) -> None:
    assert browser_of(alice).get("/inbox/more/", {"after": after}).status_code == 404


@pytest.mark.parametrize(
    "query", ["is:unread", "is:", "-category:x", "user__password__startswith:a", "%", "_", "\0", "'\"<q>", "x" * 5000, "is:read is:unread"]
)
@pytest.mark.parametrize("tab", ["all", "unread", "archived", "nope", "\0", "' OR 1=1"])
def test_any_filter_is_answered(alice: Any, browser_of: Browser, tab: str, query: str) -> None:
    notify(alice, title="One")
    assert "<q>" not in text(browser_of(alice).get("/inbox/", {"tab": tab, "q": query}))


# What it shows


def test_tabs_and_filters_narrow_the_list(alice: Any, browser_of: Browser) -> None:
    ids = {name: notify(alice, title=name, body="words of it", category=name.lower()).id for name in ("Deploy", "Backup", "Alert")}
    actions.mark_read(alice, [ids["Backup"]])
    actions.archive(alice, [ids["Alert"]])

    def listed(**asked: str) -> list[str]:
        page = text(browser_of(alice).get("/inbox/", asked))
        return [name for name in ids if f">{name}<" in page]

    assert listed() == ["Deploy", "Backup"]
    assert listed(tab="unread") == ["Deploy"]
    assert listed(tab="archived") == ["Alert"]
    assert listed(q="is:unread") == ["Deploy"]
    assert listed(q="is:read") == ["Backup"]
    assert listed(q="category:backup") == ["Backup"]
    assert listed(q="-category:backup") == ["Deploy"]
    assert listed(q="backUP words") == ["Backup"]
    assert listed(q="backup is:unread") == []


def test_alerts_and_mentions_have_tabs_with_what_is_unread_in_them(alice: Any, bob: Any, browser_of: Browser) -> None:
    for category in ("alert", "alert", "mention", "deploy"):
        notify(alice, title=f"A {category}", category=category)
    notify(bob, title="Not hers", category="alert")
    browser = browser_of(alice)

    def listed(tab: str) -> tuple[set[str], str]:
        page = text(browser.get("/inbox/", {"tab": tab}))
        found = page.partition('class="rows" id="inbox-list"')[2].partition("</ol>")[0]
        return {name for name in ("alert", "mention", "deploy") if f">A {name}<" in found}, page

    assert listed("alert")[0] == {"alert"}
    assert listed("mention")[0] == {"mention"}
    assert listed("all")[0] == {"alert", "mention", "deploy"}
    # Arrivals are put into these lists too: the style sheet shows a tab its own.
    assert 'data-tab="mention"' in listed("mention")[1]
    for tab, count in (("unread", "4"), ("alert", "2"), ("mention", "1")):
        assert f'id="inbox-{tab}" class="num">{count}<' in listed("all")[1]
    answer = text(browser.post("/inbox/read/?tab=alert", headers=HTMX))
    assert 'id="inbox-alert" class="num"><' in answer
    assert 'id="inbox-mention" class="num">1<' in answer
    assert InboxItem.objects.filter(user=alice, read_at=None).count() == 2


def test_new_arrivals_are_put_only_into_lists_they_belong_to(alice: Any, browser_of: Browser) -> None:
    browser = browser_of(alice)
    assert 'id="inbox-list"' in text(browser.get("/inbox/"))
    for tab in ("unread", "alert", "mention"):
        assert 'id="inbox-list"' in text(browser.get(f"/inbox/?tab={tab}"))
    assert 'id="inbox-list"' not in text(browser.get("/inbox/?tab=archived"))
    assert 'id="inbox-list"' not in text(browser.get("/inbox/?q=words"))


def test_scrolling_shows_every_item_once_and_in_order(alice: Any, browser_of: Browser) -> None:
    browser, total = browser_of(alice), 2 * inbox.PAGE + 5
    for n in range(total):
        notify(alice, title=f"Number {n}")
    # Equal times are parted by the key.
    InboxItem.objects.update(arrived_at=timezone.now() - timedelta(minutes=1))
    page = text(browser.get("/inbox/"))
    screen, rounds = Screen.of(page), 0
    while 'hx-trigger="revealed' in page:
        address = page.partition('hx-get="/inbox/more/')[2].partition('"')[0].replace("&amp;", "&")
        page = text(browser.get(f"/inbox/more/{address}"))
        screen.apply(page)
        rounds += 1
    assert rounds == 2
    found = [row.partition('dir="auto">')[2].partition("<")[0] for row in screen.rows("inbox-list")]
    assert found == [f"Number {n}" for n in reversed(range(total))]


def test_expired_snoozed_and_planned_items_are_not_listed(alice: Any, browser_of: Browser) -> None:
    now = timezone.now()
    for name in ("Expired", "Put off", "Planned", "Plain"):
        notify(alice, title=name, expires_at=now + timedelta(hours=1), deliver_at=now + timedelta(minutes=1) if name == "Planned" else None)
    InboxItem.objects.filter(notification__title="Put off").update(snoozed_until=now + timedelta(hours=1))
    from notifications.models import Notification

    Notification.objects.filter(title="Expired").update(expires_at=now)
    page = text(browser_of(alice).get("/inbox/"))
    assert [name for name in ("Expired", "Put off", "Planned", "Plain") if f">{name}<" in page] == ["Plain"]


def test_the_full_page_tells_why_and_reads_by_being_looked_at(alice: Any, bob: Any, browser_of: Browser) -> None:
    sent = notify("ops", title="Backup done", body="Line one\n\nLine two", url="https://ci.example.com/42", sender=alice)
    page = text(browser_of(bob).get(f"/inbox/{sent.id}/"))
    for words in ("<p>Line one</p>", "From alice", "you are in ops", "https://ci.example.com/42"):
        assert words in page
    assert InboxItem.objects.get().read_at is not None


def test_acting_on_an_item_is_reading_it_but_fetching_ahead_is_not(alice: Any, browser_of: Browser) -> None:
    sent = notify(alice, title="x", url="https://ci.example.com/42", actions=[{"label": "Log", "url": "/dashboards/"}])
    browser = browser_of(alice)
    browser.get(f"/inbox/{sent.id}/open/", headers={"Sec-Purpose": "prefetch;prerender"})
    assert InboxItem.objects.get().read_at is None
    assert browser.get(f"/inbox/{sent.id}/open/").headers["Location"] == "https://ci.example.com/42"
    assert InboxItem.objects.get().read_at is not None
    assert browser.get(f"/inbox/{sent.id}/open/1/").headers["Location"] == "/dashboards/"
    assert browser.get(f"/inbox/{sent.id}/open/2/").status_code == 404


def test_what_leads_nowhere_opens_its_own_page(alice: Any, browser_of: Browser) -> None:
    sent = notify(alice, title="x")
    assert browser_of(alice).get(f"/inbox/{sent.id}/open/").headers["Location"] == f"/inbox/{sent.id}/"


def test_opening_the_panel_is_seeing_and_not_reading(alice: Any, browser_of: Browser) -> None:
    for n in range(12):
        notify(alice, title=f"Number {n}")
    page = text(browser_of(alice).post("/inbox/panel/", headers=HTMX))
    assert page.count('<li class="row') == inbox.PANEL
    assert 'id="badge" class="badge num" data-count="0"' in page
    assert InboxItem.objects.filter(seen_at=None).count() == 0
    assert InboxItem.objects.filter(read_at=None).count() == 12


def test_a_button_answers_with_the_row_and_the_counts_or_leads_back_without_htmx(alice: Any, browser_of: Browser) -> None:
    sent = notify(alice, title="x")
    page = text(browser_of(alice).post(f"/inbox/{sent.id}/read/", headers=HTMX))
    assert f'hx-target="#n-{sent.id}"' in page
    assert 'data-count="0"' in page
    assert browser_of(alice).post(f"/inbox/{sent.id}/unread/").headers["Location"] == "/inbox/"


def test_mark_all_as_read_obeys_the_filter_and_the_person(alice: Any, bob: Any, browser_of: Browser) -> None:
    notify([alice, bob], title="Deploy", category="deploy")
    notify([alice, bob], title="Backup", category="backup")
    browser_of(alice).post("/inbox/read/?tab=all&q=category:deploy", headers=HTMX)
    unread = InboxItem.objects.filter(read_at=None).values_list("user__username", "notification__title").order_by("user", "notification")
    assert sorted(unread) == [("alice", "Backup"), ("bob", "Backup"), ("bob", "Deploy")]


def test_every_page_has_a_live_bell_on_each_of_the_persons_channels(alice: Any, charlie: Any, browser_of: Browser) -> None:
    notify(alice, title="x")
    page = text(browser_of(alice).get("/accounts/sessions/"))
    for channel in (f"user:{alice.pk}", "audience:all", "audience:staff"):
        assert f'data-channel="{channel}"' in page
    assert 'data-count="1"' in page
    assert "audience:staff" not in text(browser_of(charlie).get("/accounts/sessions/"))
    assert 'id="bell"' not in text(browser_of(None).get("/accounts/login/"))


@pytest.mark.parametrize("address", ["/inbox/bell/", "/inbox/newest/", "/inbox/list/?tab=unread&q=x"])
def test_a_region_answers_for_each_channel_with_that_channels_element(alice: Any, browser_of: Browser, address: str) -> None:
    mark = "&" if "?" in address else "?"
    for channel in (f"user:{alice.pk}", "audience:all", "audience:staff"):
        page = text(browser_of(alice).get(f"{address}{mark}channel={channel}")).strip()
        assert f'data-channel="{channel}"' in page.partition(">")[0]
    whole = text(browser_of(alice).get(f"{address}{mark}channel=room:1")).strip()
    assert f'data-channel="user:{alice.pk}"' in whole.partition(">")[0]


def test_home_has_the_newest_and_a_button_to_try_it(alice: Any, browser_of: Browser) -> None:
    for n in range(7):
        notify(alice, title=f"Number {n}")
    browser = browser_of(alice)
    page = text(browser.get("/"))
    assert [n for n in range(7) if f"Number {n}" in page] == [2, 3, 4, 5, 6]
    assert "/api/v1/notify/alice" in page
    assert browser.post("/inbox/try/", headers=HTMX).status_code == 204
    assert "Here it is" in text(browser.get("/"))


# Queries


@pytest.mark.parametrize(
    "address",
    [
        "/inbox/", "/inbox/?tab=archived", "/inbox/?tab=snoozed", "/inbox/?tab=alert", "/inbox/?q=number+is:unread", "/inbox/bell/",
        "/inbox/newest/", "/inbox/more/?after=9999999999999999-1", "/inbox/list/?channel=audience:all",
    ],
)  # fmt: skip
def test_a_page_takes_as_many_queries_for_many_items_as_for_one(
    alice: Any, browser_of: Browser, django_assert_num_queries: DjangoAssertNumQueries, address: str
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    browser = browser_of(alice)
    notify(alice, title="Number 0", sender=alice)
    browser.get(address)
    with CaptureQueriesContext(connection) as one:
        browser.get(address)
    for n in range(inbox.PAGE - 1):
        notify(alice, title=f"Number {n + 1}", sender=alice)
    with django_assert_num_queries(len(one)):
        browser.get(address)
    assert len(one) <= 12


@pytest.mark.parametrize("address", ["/inbox/all/read/", "/inbox/all/archived/", "/inbox/all/snoozed/", "/inbox/panel/"])
def test_changing_all_takes_as_many_queries_for_many_items_as_for_a_few(
    alice: Any, browser_of: Browser, django_assert_num_queries: DjangoAssertNumQueries, address: str
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    browser = browser_of(alice)

    def change(items: int) -> int:
        for n in range(items):
            notify(alice, title=f"Number {n}", sender=alice)
        with CaptureQueriesContext(connection) as queries:
            browser.post(address, {"for": "hour"}, headers=HTMX)
        return len(queries)

    change(1)  # what is remembered from then on
    # More than are pushed one by one, and more than a page of them.
    assert change(2) == change(actions.states.ROWS_SHOWN) <= 25
    assert change(2 * actions.states.ROWS_SHOWN) <= 25


def test_the_full_page_takes_as_many_queries_however_much_there_is_to_tell(
    alice: Any, bob: Any, browser_of: Browser, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    preferences.set_webhook(bob, "https://hooks.example.com/bob", "plain")
    browser, plain = browser_of(bob), notify(bob, title="Plain", category="alert")
    browser.get(f"/inbox/{plain.id}/")
    with CaptureQueriesContext(connection) as queries:
        browser.get(f"/inbox/{plain.id}/")
        few = len(queries)
    for n in range(20):
        bob.groups.create(name=f"group {n}")
        notify(bob, title=f"Number {n}", sender=alice)
    buttons = [{"label": "Log", "url": "https://example.com/log"}, {"label": "Board", "url": "/dashboards/"}]
    words = [f"group:group {n}" for n in range(20)]
    rich = notify(words, title="Rich", body="Line\n" * 200, actions=buttons, category="alert", sender=alice)
    for _ in range(3):
        broadcast("all", title="On its way", sender=alice)
    # Looking at it is reading it, and what is on its way is written for him: once.
    browser.get(f"/inbox/{rich.id}/")
    assert Delivery.objects.filter(item__user=bob, item__notification=rich.id).exists()
    with django_assert_num_queries(few):
        browser.get(f"/inbox/{rich.id}/")
    assert few <= 25
