"""The preferences page: what is chosen is kept, for oneself and nobody else; what cannot be is said in words."""

import re
from collections.abc import Callable
from datetime import time
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from core.models import Profile
from notifications import actions, categories, preferences
from notifications.errors import BadNotification
from notifications.models import Delivery, Mute, Notification, Preference, Priority, PushSubscription, QuietHours, Webhook
from notifications.rooms.models import Membership, Room
from notifications.rows import REFETCH
from tests.notifications.conftest import shown
from tests.support.servers import ROOT

pytestmark = pytest.mark.django_db
BrowserOf = Callable[[Any], Client]
HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def mail(settings: Any) -> None:
    settings.EMAIL_URL = "smtp://127.0.0.1"


@pytest.fixture
def private(bob: Any) -> Room:
    """A room of members, and bob is the only one."""
    room = Room.objects.create(slug="private", title="Private", access="members")
    Membership.objects.create(room=room, user=bob, role="owner")
    return room


ADDRESSES = ["", "choose/", "quiet/", "mute/", "webhook/", "test/", "devices/1/remove/"]


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_guest_signs_in_first(address: str):
    browser, address = Client(), f"/preferences/{address}"
    for response in (browser.get(address), browser.post(address)):
        assert response.status_code == 302 and response.headers["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("address", ADDRESSES[1:])
def test_only_a_post_with_its_token_changes_anything(address: str, bob: Any):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(bob)
    assert browser.get(f"/preferences/{address}").status_code == 405
    assert browser.post(f"/preferences/{address}").status_code == 403


def test_the_page_shows_categories_by_ways_in_few_queries(bob: Any, browser_of: BrowserOf, django_assert_max_num_queries: Any):
    Preference.objects.create(user=bob, category="alert", transport="webhook", enabled=False)
    browser = browser_of(bob)
    browser.get("/preferences/")
    with django_assert_max_num_queries(24):
        page = browser.get("/preferences/").content.decode()
    assert "Announcements" in page and "Everything else" in page and "Trying out" not in page
    assert 'value="alert/email" checked' in page and 'value="alert/webhook" checked' not in page
    assert 'value="broadcast/email" checked' not in page and 'value="broadcast/webhook" checked' in page
    assert 'value="sign-in/email"' not in page and "Always on. Mails about sign-ins cannot be switched off" in page


def test_a_way_that_is_not_set_up_has_no_column(bob: Any, browser_of: BrowserOf, settings: Any):
    settings.EMAIL_URL = ""
    page = browser_of(bob).get("/preferences/").content.decode()
    assert "/email" not in page and "/webhook" in page


def test_a_cell_is_saved_at_once_for_oneself_only(bob: Any, charlie: Any, browser_of: BrowserOf):
    browser = browser_of(bob)
    off = browser.post("/preferences/choose/", {"cell": "alert/email", "on": ["mention/email"]}, headers=HTMX)
    assert "Saved" in off.content.decode()
    assert list(Preference.objects.values_list("user", "category", "transport", "enabled")) == [(bob.pk, "alert", "email", False)]
    browser.post("/preferences/choose/", {"cell": "alert/email", "on": ["alert/email"]}, headers=HTMX)
    browser.post("/preferences/choose/", {"cell": "/email", "on": []}, headers=HTMX)
    assert dict(Preference.objects.values_list("category", "enabled")) == {"alert": True, "": False}
    assert 'value="alert/email" checked' in browser_of(charlie).get("/preferences/").content.decode()


def test_without_javascript_the_whole_table_is_posted(bob: Any, browser_of: BrowserOf):
    on = [f"{line.category.name}/{cell.transport}" for line in preferences.matrix(bob) for cell in line.cells if cell.on]
    on = [each for each in on if each != "alert/email"] + ["broadcast/email", "nonsense/email", "x"]
    assert browser_of(bob).post("/preferences/choose/", {"on": on}).status_code == 302
    rows = {(row.category, row.transport): row.enabled for row in Preference.objects.filter(user=bob)}
    assert rows == {("alert", "email"): False, ("broadcast", "email"): True}


@pytest.mark.parametrize(
    "cell", ["sign-in/email", "nonsense/email", "alert/pigeon", "try/email", "", "/", "alert", "a" * 500, "alert/email\0"]
)
def test_a_cell_that_is_none_or_fixed_is_refused_in_words(bob: Any, browser_of: BrowserOf, cell: str):
    response = browser_of(bob).post("/preferences/choose/", {"cell": cell, "on": []}, headers=HTMX)
    assert response.status_code == 422 and response.content.decode().endswith(".")
    assert not Preference.objects.exists()


def test_quiet_hours_are_kept_with_the_time_zone_and_ended(bob: Any, browser_of: BrowserOf):
    browser = browser_of(bob)
    said = {"do": "set", "start": "22:30", "end": "06:15", "time_zone": "Europe/Berlin"}
    answer = browser.post("/preferences/quiet/", said, follow=True)
    # Back where she was, and it says so.
    assert answer.redirect_chain == [("/preferences/?saved=1#quiet", 302)] and ">Saved<" in answer.content.decode()
    assert QuietHours.objects.values_list("user", "start", "end").get() == (bob.pk, time(22, 30), time(6, 15))
    assert Profile.objects.get(user=bob).time_zone == "Europe/Berlin"
    page = browser.get("/preferences/").content.decode()
    assert 'data-quiet="22:30 06:15 Europe/Berlin"' in page
    assert 'value="22:30"' in page and "<option selected>Europe/Berlin" in page
    browser.post("/preferences/quiet/", {"do": "end"})
    assert not QuietHours.objects.exists()


def test_her_open_pages_follow_her_quiet_hours_so_that_her_desktop_keeps_to_them(bob: Any, charlie: Any, browser_of: BrowserOf):
    actions.set_quiet_hours(bob, time(22), time(7))

    def bell(of: Any) -> str:
        return browser_of(of).get("/inbox/bell/").content.decode()

    assert 'id="bell" type="button" popovertarget="bell-panel" data-quiet="22:00 07:00 UTC">' in bell(bob)
    assert 'id="bell" type="button" popovertarget="bell-panel">' in bell(charlie)
    actions.end_quiet_hours(bob)
    actions.end_quiet_hours(bob)
    # Once for each change, and nothing where nothing changed; a page then takes its regions anew.
    assert shown(f"user:{bob.pk}", bob) == [REFETCH, REFETCH]
    assert 'popovertarget="bell-panel">' in bell(bob)


def test_quiet_hours_that_cannot_be_leave_the_time_zone_as_it_was(bob: Any):
    Profile.objects.create(user=bob, time_zone="Asia/Tokyo")
    with pytest.raises(BadNotification, match="another time"):
        actions.set_quiet_hours(bob, time(7), time(7), time_zone="Europe/Berlin")
    assert Profile.objects.get(user=bob).time_zone == "Asia/Tokyo"


@pytest.mark.parametrize(
    "wrong",
    [{"start": "25:00"}, {"start": ""}, {"end": "22:30"}, {"end": "٠٦:١٥"}, {"end": "06:15+02:00"}, {"time_zone": "Mars/Olympus"},
     {"time_zone": "../../etc/passwd"}, {"time_zone": ""}, {"start": "x" * 1000}],
)  # fmt: skip
def test_bad_quiet_hours_are_refused_in_words(bob: Any, browser_of: BrowserOf, wrong: dict[str, str]):
    said = {"start": "22:30", "end": "06:15", "time_zone": "Europe/Berlin"} | wrong
    response = browser_of(bob).post("/preferences/quiet/", said)
    assert response.status_code == 422 and 'role="alert"' in response.content.decode()
    assert not QuietHours.objects.exists()


def test_a_room_is_muted_and_unmuted_by_its_name(bob: Any, browser_of: BrowserOf, private: Room):
    browser = browser_of(bob)
    assert '<option value="room:private">Room: private<' in browser.get("/preferences/").content.decode()
    browser.post("/preferences/mute/", {"channel": "room:private", "level": "mentions"})
    assert Mute.objects.values_list("user", "channel", "level").get() == (bob.pk, f"room:{private.pk}", "mentions")
    page = browser.get("/preferences/").content.decode()
    assert '<option value="room:private">' not in page and "<strong>Room: private</strong>" in page
    browser.post("/preferences/mute/", {"channel": f"room:{private.pk}", "level": "everything"})
    assert not Mute.objects.exists()


def test_what_a_stranger_may_not_read_is_not_there_to_be_muted(charlie: Any, browser_of: BrowserOf, private: Room):
    browser = browser_of(charlie)
    assert "room:private" not in browser.get("/preferences/").content.decode()
    known, unknown = (
        browser.post("/preferences/mute/", {"channel": channel, "level": "nothing"}) for channel in ("room:private", "room:no-such-room")
    )
    assert known.status_code == unknown.status_code == 422
    assert "There is no such room or dashboard." in known.content.decode()
    assert not Mute.objects.exists()


@pytest.mark.parametrize(
    "channel", ["user:1", "system:authority", "presence:room.1", "audience:all", "", "x", "room:", "room:1\n", "room:\0"]
)
def test_what_is_no_room_or_dashboard_cannot_be_muted(bob: Any, browser_of: BrowserOf, channel: str):
    assert browser_of(bob).post("/preferences/mute/", {"channel": channel, "level": "nothing"}).status_code == 422
    assert not Mute.objects.exists()


def test_a_level_that_is_none_is_refused(bob: Any, browser_of: BrowserOf, private: Room):
    assert browser_of(bob).post("/preferences/mute/", {"channel": "room:private", "level": "some"}).status_code == 422


def test_a_webhook_is_ones_own(bob: Any, charlie: Any, browser_of: BrowserOf):
    browser = browser_of(bob)
    browser.post("/preferences/webhook/", {"do": "set", "url": " https://example.org/hook ", "shape": "plain"})
    row = Webhook.objects.get()
    assert (row.user, row.url) == (bob, "https://example.org/hook")
    assert row.secret in browser.get("/preferences/").content.decode()
    page = browser_of(charlie).get("/preferences/").content.decode()
    assert row.secret not in page and 'example.org/hook"' not in page.replace('placeholder="https://example.org/hook"', "")
    browser_of(charlie).post("/preferences/webhook/", {"do": "remove"})
    assert Webhook.objects.exists()
    browser.post("/preferences/webhook/", {"do": "remove"})
    assert not Webhook.objects.exists()


@pytest.mark.parametrize(
    "said", [{"url": "file:///etc/passwd"}, {"url": "http://u:p@example.org/"}, {"url": ""}, {"shape": "xml"}, {"url": "x" * 9000}]
)
def test_a_webhook_that_cannot_be_is_refused_in_words(bob: Any, browser_of: BrowserOf, said: dict[str, str]):
    response = browser_of(bob).post("/preferences/webhook/", {"url": "https://example.org/", "shape": "plain"} | said)
    assert response.status_code == 422 and not Webhook.objects.exists()


def test_a_device_is_removed_by_its_owner_only(bob: Any, charlie: Any, browser_of: BrowserOf):
    device = PushSubscription.objects.create(
        user=bob, endpoint="https://x/", endpoint_hash="1", p256dh="", auth="", device="Firefox on Linux"
    )
    assert "Firefox on Linux" in browser_of(bob).get("/preferences/").content.decode()
    assert browser_of(charlie).post(f"/preferences/devices/{device.pk}/remove/").status_code == 404
    assert browser_of(bob).post(f"/preferences/devices/{2**70}/remove/").status_code == 404
    assert browser_of(bob).post(f"/preferences/devices/{device.pk}/remove/").status_code == 302
    assert not PushSubscription.objects.exists()


def test_a_test_goes_every_way_and_its_page_is_named(bob: Any, browser_of: BrowserOf):
    browser = browser_of(bob)
    response = browser.post("/preferences/test/")
    assert response.status_code == 302
    sent = Notification.objects.get()
    assert f'href="/inbox/{sent.pk}/"' in browser.get(response.headers["Location"]).content.decode()
    assert list(Delivery.objects.values_list("transport", "state")) == [("email", "due")]
    assert browser.get("/preferences/?tested=" + "9" * 40).status_code == 200


def test_whatever_this_site_itself_tells_has_a_line_of_its_own(bob: Any, browser_of: BrowserOf):
    named = re.compile(r"(?:\bcategory|\bCATEGORY|\bMENTION) ?= ?[\"']([a-z-]+)[\"']")
    sent = {
        name
        for app in ("core", "dashboard", "notifications")
        for file in (ROOT / app).rglob("*.py")
        for name in named.findall(file.read_text())
    }
    assert {"alert", "broadcast", "mention", "new-user", "progress", "sign-in", "try"} <= sent
    assert {name for name in sent if categories.of(name).name != name} == set()
    page = browser_of(bob).get("/preferences/").content.decode()
    for name in ("progress", "new-user"):
        assert f'value="{name}/email" checked' in page and f"<b>{categories.of(name).title}</b>" in page


def test_a_category_of_an_app_shows_up_by_being_declared(bob: Any, browser_of: BrowserOf, monkeypatch: Any):
    monkeypatch.setattr(categories, "_declared", dict(categories._declared))
    categories.declare(categories.Category("backup", "Backups", "How they went.", on=frozenset({"webhook"})))
    page = browser_of(bob).get("/preferences/").content.decode()
    assert "How they went." in page and 'value="backup/webhook" checked' in page and 'value="backup/email" checked' not in page
    with pytest.raises(ValueError, match="taken"):
        categories.declare(categories.Category("backup", "Others"))


# --- why, and why not ---


def test_her_page_tells_why_she_got_it_and_what_became_of_each_way(bob: Any, ops: Group, browser_of: BrowserOf):
    sent = actions.notify("group:ops", title="Hello")
    page = browser_of(bob).get(f"/inbox/{sent.id}/").content.decode()
    assert "You got this because you are in ops." in page
    assert "<b>E-mail:</b> not sent, you read it at <time" in page
    assert "<b>Webhook:</b> no webhook" in page


MAY = "signalbox_notifications.send_broadcast"
NARROWED = ["all", "where is_staff is no", "not group:ops"]


@pytest.mark.parametrize(
    ("person", "words", "reason"),
    [
        ("bob", ["group:ops"], "you are in ops"),
        ("bob", [f"perm:{MAY}", "watching:room:secret", "staff", "user:alice", "group:ops"], "you are in ops"),
        ("alice", ["group:ops", "staff"], "you are on the staff"),
        ("alice", ["group:ops", f"perm:{MAY}"], f"you have the permission {MAY}"),
        ("charlie", ["group:ops", f"perm:{MAY}", "staff", "user:charlie"], "it was sent to you"),
        ("charlie", ["all", "group:ops"], "everybody got it"),
        # What held when it was sent, and holds no more or cannot be known.
        ("charlie", ["watching:room:lobby"], "it went to whoever was looking at room:lobby"),
        ("charlie", ["user:alice", "watching:room:lobby"], "it went to whoever was looking at room:lobby"),
        ("charlie", ["group:ops"], "it went to the group ops"),
        ("charlie", [f"perm:{MAY}"], f"it went to whoever had the permission {MAY}"),
        ("charlie", ["staff"], "it went to the staff"),
        # Not everybody, whose words these are not, and people picked by a query.
        ("charlie", NARROWED, "you were chosen"),
        ("charlie", ["group:ops", "watching:room:secret"], "you were chosen"),
        ("charlie", ["user:alice"], "you were chosen"),
        ("charlie", [], "you were chosen"),
    ],
)
def test_only_a_reason_that_holds_for_her_is_said(
    alice: Any, bob: Any, charlie: Any, browser_of: BrowserOf, person: str, words: list[str], reason: str, django_user_model: Any
):
    user = {"alice": alice, "bob": bob, "charlie": charlie}[person]
    sent = actions.notify(user, title="Hello")
    Notification.objects.update(audience=words)
    assert f"<p>You got this because {reason}.</p>" in browser_of(user).get(f"/inbox/{sent.id}/").content.decode()
    # And to staff, of her.
    boss = browser_of(django_user_model.objects.create_superuser("boss"))
    of_her = (
        f" {reason}".replace(" you are ", f" {person} is ")
        .replace(" you have ", f" {person} has ")
        .replace(" you were ", f" {person} was ")
    )
    of_her = of_her.replace(" to you", f" to {person}")
    assert f"{person} got this because{of_her}. It was sent to <b>" in boss.get(f"/inbox/{sent.id}/of/{user.pk}/").content.decode()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"state": "done", "reason": ""}, "sent at <time"),
        ({"state": "dead", "reason": "It answered 500.", "attempts": 9}, "given up after 9 attempts. It answered 500. <time"),
        (
            {"state": "skipped", "reason": "seen 2026-11-21T14:02:00+00:00"},
            'not sent, you saw it on a page at <time class="num" datetime="2026-11-21T14:02',
        ),
        ({"state": "skipped", "reason": "preference"}, "not sent, switched off in your preferences"),
        ({"state": "skipped", "reason": "muted"}, "not sent, you muted where it comes from"),
        ({"state": "skipped", "reason": "no e-mail address"}, "not sent, no e-mail address"),
    ],
)
def test_each_outcome_has_its_words(bob: Any, browser_of: BrowserOf, values: dict[str, Any], words: str):
    sent = actions.notify(bob, title="Hello")
    Delivery.objects.update(**values, finished_at="2026-11-21T14:00:00Z")
    assert f"<b>E-mail:</b> {words}" in browser_of(bob).get(f"/inbox/{sent.id}/").content.decode()


def test_what_was_never_owed_says_why(bob: Any, browser_of: BrowserOf, settings: Any):
    preferences.choose(bob, "alert", "email", enabled=False)
    off, low = actions.notify(bob, title="Off", category="alert"), actions.notify(bob, title="Low", priority=Priority.LOW)
    browser = browser_of(bob)
    assert "<b>E-mail:</b> switched off in your preferences" in browser.get(f"/inbox/{off.id}/").content.decode()
    assert "<b>E-mail:</b> it is of low priority" in browser.get(f"/inbox/{low.id}/").content.decode()
    settings.EMAIL_URL = ""
    assert "<b>E-mail:</b> not set up on this site" in browser.get(f"/inbox/{off.id}/").content.decode()


def test_staff_see_what_became_of_it_for_somebody_and_strangers_see_nothing(
    alice: Any, bob: Any, charlie: Any, browser_of: BrowserOf, django_user_model: Any
):
    sent = actions.notify(bob, title="Hello")
    address = f"/inbox/{sent.id}/of/{bob.pk}/"
    boss = django_user_model.objects.create_superuser("boss")
    page = browser_of(boss).get(address).content.decode()
    assert "As bob has it" in page and "Not seen on any page." in page
    assert "<b>E-mail:</b> goes out unless it is seen on a page by <time" in page
    actions.mark_read(bob, [sent.id])
    assert "<b>E-mail:</b> not sent, read at <time" in browser_of(boss).get(address).content.decode()
    for other in (bob, charlie):
        assert browser_of(other).get(address).status_code == 404
    assert browser_of(None).get(address).status_code == 302
    for nothing in (f"/inbox/{sent.id}/of/{charlie.pk}/", f"/inbox/{sent.id}/of/x/", f"/inbox/{2**70}/of/1/"):
        assert browser_of(boss).get(nothing).status_code == 404


def test_looking_as_staff_reads_nothing(bob: Any, browser_of: BrowserOf, django_user_model: Any):
    sent = actions.notify(bob, title="Hello")
    browser_of(django_user_model.objects.create_superuser("boss")).get(f"/inbox/{sent.id}/of/{bob.pk}/")
    assert "Hello" in browser_of(bob).get("/inbox/?tab=unread").content.decode()


def test_the_admin_lists_deliveries_and_takes_up_dead_ones(bob: Any, alice: Any, browser_of: BrowserOf, django_user_model: Any):
    actions.notify(bob, title="Hello")
    Delivery.objects.update(state="dead", reason="It answered 500.", attempts=9)
    address = "/admin/signalbox_notifications/delivery/"
    browser = browser_of(django_user_model.objects.create_superuser("boss"))
    page = browser.get(address).content.decode()
    assert "It answered 500." in page and "Given up" in page and "bob" in page
    one = Delivery.objects.get()
    browser.post(address, {"action": "try_again", "_selected_action": [one.pk]})
    one.refresh_from_db()
    assert (one.state, one.attempts, one.reason) == ("due", 0, "")
    assert browser_of(bob).get(address).status_code == 302
