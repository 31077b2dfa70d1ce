"""What lists show: the same bytes for everybody, nothing alive in them, and an old page with the events since equals a fresh one."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from django.test import Client

from core.delivery.channel import registry
from notifications import actions, inbox, rows
from notifications.actions import notify
from notifications.models import Notification, Priority
from notifications.rows import Row
from tests.notifications.conftest import carried, newest_event, shown
from tests.notifications.screen import Screen

pytestmark = pytest.mark.django_db

GADGETS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "</li><li id=n-1>",
    '" onmouseover="alert(1)',
    "' hx-get='/x' x='",
    '<div hx-get="/accounts/logout/" hx-trigger="load">',
    '<i hx-swap-oob="true" id="main">',
    '<hx-partial hx-target="body">',
    "</hx-upsert><hx-partial hx-target='#main' hx-swap='delete'></hx-partial>",
    '<b hx-on:click="alert(1)">',
    "</template><script>x</script>",
    "{{ request.user.password }}",
    "{% load static %}",
    "<base href=//evil>",
    '<meta http-equiv="refresh" content="0">',
    "<style>*{}</style>",
    '<a href="javascript:alert(1)">x</a>',
    "&lt;script&gt;",
    "<title>evil</title>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<math><mtext><table><mglyph><style><img src onerror=alert(1)>",
    "javascript:alert(1)",
    "\U0001f4a9 <b>",
    "<div hx-ws:connect='/x'>",
]
OURS = {"li", "span", "svg", "path", "circle", "rect", "line", "polyline", "ellipse", "div", "strong", "a", "p", "time", "button", "i"}
OURS |= {"hx-upsert", "hx-partial"}


class Reader(HTMLParser):
    """Notes every tag with its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    handle_startendtag = handle_starttag


def row(**changes: Any) -> Row:
    plain: dict[str, Any] = {
        "id": 12,
        "title": "Backup done",
        "body": "48 GB",
        "category": "",
        "priority": 2,
        "actions": (),
        "at": 1_795_245_000_000_000,
    }
    return Row(**(plain | changes))


@pytest.mark.parametrize("gadget", GADGETS)
def test_nothing_that_a_sender_writes_is_alive_in_a_fragment(gadget: str) -> None:
    plain = Reader(rows.put(row(actions=("Open",), priority=Priority.CRITICAL)))
    armed = Reader(rows.put(row(title=gadget, body=gadget, category=gadget, actions=(gadget,), priority=Priority.CRITICAL)))
    assert [tag for tag, _ in armed.tags] == [tag for tag, _ in plain.tags]
    assert {tag for tag, _ in armed.tags} <= OURS
    for (_, found), (_, expected) in zip(armed.tags, plain.tags, strict=True):
        assert found.keys() == expected.keys()
        assert {name: value for name, value in found.items() if name != "data-category"} == {
            name: value for name, value in expected.items() if name != "data-category"
        }


@pytest.mark.parametrize("gadget", GADGETS)
def test_the_fragment_survives_the_way_htmx_reads_custom_tags(gadget: str) -> None:
    # htmx turns <hx-...> into templates by a regular expression over the text: none may come from a sender.
    made = rows.put(row(title=gadget, body=gadget))
    ours = rows.put(row())
    assert len(re.findall(r"<hx-[a-z]+[\s>]", made, re.IGNORECASE)) == len(re.findall(r"<hx-[a-z]+[\s>]", ours))


@pytest.mark.parametrize("gadget", GADGETS)
def test_a_page_with_such_a_notification_is_as_harmless(alice: Any, browser_of: Callable[[Any], Client], gadget: str) -> None:
    sent = notify(alice, title=gadget, body=gadget)
    for address in ("/inbox/", f"/inbox/{sent.id}/"):
        page = browser_of(alice).get(address).content.decode()
        for tag, attributes in Reader(page).tags:
            assert not any(name.startswith(("on", "hx-on")) for name in attributes)
            assert attributes.get("hx-get") in (None, "") or tag in {"a", "div", "form"}
        assert "<script>alert" not in page


def test_a_row_reads_no_clock_and_makes_no_query(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert rows.put(row()) == rows.put(row())
    assert 'datetime="2026-11-21T07:10:00Z"' in rows.item(row())


def test_a_row_from_an_event_is_the_row_from_the_table(alice: Any) -> None:
    notify(alice, title="Ünïcödé", body="x" * 1000, category="backup", actions=[{"label": "Log", "url": "/log/"}], priority=Priority.HIGH)
    item = inbox.page(inbox.of(alice, now=datetime.now(UTC)))[0]
    assert Row.of_data(carried(f"user:{alice.pk}")[0].data["row"]) == Row.of_item(item)


def test_no_address_of_a_sender_is_in_a_row(alice: Any) -> None:
    notify(alice, title="x", url="https://ci.example.com/42", actions=[{"label": "Log", "url": "https://log.example.com/"}])
    assert "example.com" not in shown(f"user:{alice.pk}", alice)[0]


def test_low_priority_makes_no_toast_and_critical_is_an_alert() -> None:
    assert 'hx-swap="beforeend"' not in rows.put(row(priority=Priority.LOW))
    assert 'role="alert"' in rows.put(row(priority=Priority.CRITICAL))
    assert 'role="status"' in rows.put(row())


# An old page and the events since are a fresh page


def test_a_page_rendered_earlier_and_the_events_since_equal_a_fresh_page(alice: Any, bob: Any, browser_of: Callable[[Any], Client]) -> None:
    browser = browser_of(alice)
    ids = [notify(alice, title=f"Number {n}", key=f"k{n}").id for n in range(8)]
    actions.archive(alice, [ids[7]])

    def page() -> Screen:
        return Screen.of(browser.get("/inbox/").content.decode())

    old, mark = page(), newest_event()
    notify(alice, title="New", body="one")
    notify(bob, title="Not hers")
    actions.mark_read(alice, ids[:3])
    actions.mark_unread(alice, ids[1:2])
    notify(alice, title="Number 4 again", key="k4")
    notify(alice, title="Quietly", key="k5", priority=Priority.LOW)
    actions.archive(alice, ids[2:3])
    actions.unarchive(alice, [ids[7]])
    actions.withdraw("k6")
    actions.mark_seen(alice)
    notify(alice, title="Back from the archive", key="k2")
    for html in shown(f"user:{alice.pk}", alice, after=mark):
        old.apply(html)
    fresh = page()
    assert old.rows("inbox-list") == fresh.rows("inbox-list")
    assert len(fresh.lists["inbox-list"]) == 8
    assert old.refetches == 0


def test_the_events_of_a_channel_applied_twice_show_the_same(alice: Any, browser_of: Callable[[Any], Client]) -> None:
    browser = browser_of(alice)
    once = Screen.of(browser.get("/inbox/").content.decode())
    ids = [notify(alice, title=f"Number {n}").id for n in range(3)]
    actions.mark_read(alice, ids[:1])
    told = shown(f"user:{alice.pk}", alice)
    for html in told:
        once.apply(html)
    twice = Screen({name: dict(rows) for name, rows in once.lists.items()})
    for html in told:
        twice.apply(html)
    assert once.lists == twice.lists


def test_changes_too_many_to_push_have_pages_look_anew(alice: Any, browser_of: Callable[[Any], Client]) -> None:
    screen = Screen.of(browser_of(alice).get("/inbox/").content.decode())
    for n in range(actions.states.ROWS_SHOWN + 1):
        notify(alice, title=f"Number {n}")
    mark = newest_event()
    actions.mark_matching_read(alice, inbox.Query())
    for html in shown(f"user:{alice.pk}", alice, after=mark):
        screen.apply(html)
    assert screen.refetches == 1


# The kind


def test_a_persons_channel_is_read_by_her_alone(alice: Any, bob: Any) -> None:
    from core.delivery.channel import Reader as Person

    readers = [Person(user=str(alice.pk)), Person(user=str(bob.pk)), Person(guest="g"), Person(share="s")]
    allowed = registry.kinds["user"].readable(readers, [str(alice.pk), "999", ""])
    assert allowed == {(readers[0], str(alice.pk))}


def test_counts_are_one_query_for_any_number_of_people(alice: Any, bob: Any, charlie: Any, django_assert_num_queries: Any) -> None:
    notify([alice, bob], title="x")
    notify(alice, title="y")
    users = [str(alice.pk), str(bob.pk), str(charlie.pk), "999999", "not-a-key"]
    with django_assert_num_queries(1):
        made = registry.kinds["user"].counts(users)
    found = {user: re.search(r'data-count="(\d+)"', made[user])[1] for user in users}  # type: ignore[index]
    assert list(found.values()) == ["2", "1", "0", "0", "0"]


def test_the_badge_is_empty_at_none_and_says_99_plus_with_the_real_number_in_words() -> None:
    from notifications.kinds import counts_html

    assert ">99+<" in counts_html(inbox.Counts(120, 340))
    assert "120 new" in counts_html(inbox.Counts(120, 340))
    assert re.search(r'id="badge"[^>]*></span>', counts_html(inbox.Counts()))


def test_user_channels_are_found_by_name_and_by_key(alice: Any) -> None:
    kind = registry.kinds["user"]
    assert kind.resolve("alice") == str(alice.pk)
    assert kind.resolve(str(alice.pk)) == str(alice.pk)
    assert kind.resolve("nobody") is None


def test_a_snapshot_is_the_newest_of_an_inbox(alice: Any) -> None:
    for n in range(12):
        notify(alice, title=f"Number {n}")
    Notification.objects.filter(title="Number 11").update(expires_at=datetime.now(UTC) - timedelta(days=1))
    found = registry.kinds["user"].snapshot(str(alice.pk))
    assert [event["data"]["row"]["title"] for event in found] == [f"Number {n}" for n in range(1, 11)]
