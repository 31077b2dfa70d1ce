"""The console's page: whom it is for, how many that are, how it looks, and sending once however often one clicks."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from notifications import conditions, markdown
from notifications.actions import broadcast
from notifications.audiences import Audience, narrowed, resolve
from notifications.broadcasts import actions as broadcasts
from notifications.errors import BadNotification
from notifications.models import Broadcast, Notification
from tests.notifications.conftest import titles

pytestmark = pytest.mark.django_db
User = get_user_model()
Browser = Callable[[Any], Client]
ADD = "/admin/signalbox_notifications/broadcast/add/"
SAID = {"title": "Maintenance", "body": "At **22:00**", "url": "", "priority": "2", "audience": "all", "intent": "i1"}


@pytest.fixture
def crowd(alice: Any, bob: Any, charlie: Any) -> list[Any]:
    return [alice, bob, charlie, *User.objects.bulk_create(User(username=f"u{n:02}") for n in range(12))]


def counted(browser: Client, **said: Any) -> str:
    return browser.post(ADD + "count/", SAID | said).content.decode()


# Whom


def test_the_count_follows_what_is_chosen_and_shows_ten(crowd: list[Any], alice: Any, ops: Group, browser_of: Browser) -> None:
    browser = browser_of(alice)
    page = counted(browser)
    assert "Send to 15 people" in page
    assert page.count("<li dir") == 10
    assert ">5</span> more" in page
    assert "Send to 1 person" in counted(browser, audience="staff")
    assert '<li dir="auto">bob</li>' in counted(browser, audience="groups", groups=[ops.pk])
    assert "Send to 14 people" in counted(browser, without_groups=[ops.pk])
    assert "Send to 13 people" in counted(browser, without_groups=[ops.pk], without="user:charlie, nobody-not-this"[:12])
    holders = Permission.objects.get(codename="send_broadcast")
    assert '<li dir="auto">alice</li>' in counted(browser, audience="permission", permission=holders.pk)
    assert "Send to 2 people" in counted(browser, audience="names", names="bob\nuser:charlie, bob")
    assert "Send to 1 person" in counted(browser, where_0="is_staff", how_0="is", value_0="yes")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"audience": "groups"}, "Choose a group."),
        ({"audience": "names", "names": "nobody-at-all"}, "There is no active user or group"),
        ({"audience": "nonsense"}, "Select a valid choice"),
        ({"without": "all"}, "Nobody active"),
        ({"without": "group:"}, "There is no group"),
        ({"where_0": "password", "how_0": "starts", "value_0": "pbkdf2"}, "People may be picked by"),
        ({"where_0": "user__password__startswith", "how_0": "is", "value_0": "p"}, "People may be picked by"),
        ({"where_0": "_connector", "how_0": "is", "value_0": "OR"}, "People may be picked by"),
        ({"where_0": "is_staff", "how_0": "starts", "value_0": "y"}, "is_staff can be asked"),
        ({"where_0": "is_staff", "how_0": "is", "value_0": "perhaps"}, "yes or no"),
        ({"where_0": "last_login", "how_0": "before", "value_0": "２０２６-01-01"}, "a day, like"),
        ({"where_0": "last_login", "how_0": "before", "value_0": ""}, "Say what last_login"),
    ],
)
def test_what_names_nobody_or_may_not_be_asked_is_said_beside_it_and_nothing_is_sent(
    alice: Any, browser_of: Browser, said: dict[str, str], words: str
) -> None:
    browser = browser_of(alice)
    assert words in counted(browser, **said)
    page = browser.post(ADD, SAID | said)
    assert page.status_code == 200
    assert words in page.content.decode()
    assert not Broadcast.objects.exists()


def test_fields_with_secrets_are_refused_even_where_the_setting_names_them(settings: Any) -> None:
    settings.BROADCAST_USER_FIELDS = ["password", "email", "groups", "no_such_field"]
    assert conditions.fields() == ["email"]
    with pytest.raises(BadNotification):
        conditions.checked("password", "starts", "pbkdf2")


def test_conditions_say_what_they_mean(settings: Any, alice: Any, bob: Any, charlie: Any) -> None:
    settings.BROADCAST_USER_FIELDS = ["username", "last_login", "is_staff", "date_joined", "id"]
    noon = timezone.now().replace(hour=12)
    User.objects.filter(pk=bob.pk).update(last_login=noon)
    today, everybody = f"{noon:%Y-%m-%d}", Audience(everybody=True)

    def meant(*asked: tuple[str, str, str]) -> list[str]:
        picked = narrowed(everybody, conditions=[conditions.checked(*one) for one in asked])
        return sorted(Audience.from_stored(picked.stored()).people().values_list("username", flat=True))

    assert meant(("last_login", "empty", "")) == ["alice", "charlie"]
    assert meant(("last_login", "is", today)) == ["bob"]
    assert meant(("last_login", "before", today)) == []
    assert meant(("username", "starts", "b")) == meant(("username", "is", "bob")) == ["bob"]
    assert meant(("username", "is_not", "bob"), ("is_staff", "is", "no")) == ["charlie"]
    assert meant(("id", "after", str(bob.pk))) == [user.username for user in (alice, charlie) if user.pk > bob.pk]


def test_who_is_left_out_is_neither_shown_it_nor_given_it(crowd: list[Any], alice: Any, bob: Any, ops: Group, browser_of: Browser) -> None:
    browser_of(alice).post(ADD, SAID | {"without": "group:ops", "where_0": "is_staff", "how_0": "is", "value_0": "no"})
    broadcasts.work_off_due()
    made = Broadcast.objects.get()
    assert (made.total, titles(alice), titles(bob), titles(crowd[-1])) == (13, [], [], ["Maintenance"])
    assert made.audience["shown"] == ["all", "where is_staff is no", "not group:ops"]


def test_what_was_planned_with_a_field_that_is_no_longer_allowed_is_cancelled_and_says_why(
    settings: Any, alice: Any, browser_of: Browser
) -> None:
    picked = narrowed(resolve("all"), conditions=[conditions.checked("is_staff", "is", "yes")])
    made = broadcast(picked, title="x", send_at=timezone.now() + timedelta(hours=1), sender=alice)
    settings.BROADCAST_USER_FIELDS = []
    broadcasts.work_off_due(timezone.now() + timedelta(hours=2))
    made.refresh_from_db()
    assert (made.state, made.sent_at) == ("cancelled", None)
    assert made.reason.startswith("Not sent: ")
    assert "BROADCAST_USER_FIELDS" in made.reason
    assert made.reason[:20] in browser_of(alice).get(f"{ADD[:-4]}{made.pk}/progress/").content.decode()
    settings.BROADCAST_USER_FIELDS = ["is_staff"]
    broadcasts.work_off_due(timezone.now() + timedelta(hours=3))
    assert titles(alice) == []


def test_counting_takes_a_fixed_number_of_queries(
    crowd: list[Any], alice: Any, browser_of: Browser, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    browser = browser_of(alice)
    with django_assert_max_num_queries(16):
        counted(browser, names="bob, charlie, u01, u02", audience="names")


# How it looks


def test_the_preview_is_a_toast_a_row_and_a_mail_of_the_markdown(alice: Any, browser_of: Browser) -> None:
    page = browser_of(alice).post(ADD + "preview/", SAID | {"body": "At **22:00**, see [why](/rooms/)\n\n- one"}).content.decode()
    assert 'class="toast"' in page
    assert "At 22:00, see why" in page
    assert '<strong>22:00</strong>, see <a href="/rooms/"' in page
    assert "inert" in page
    low = browser_of(alice).post(ADD + "preview/", SAID | {"priority": "1"}).content.decode()
    assert 'class="toast"' not in low


@pytest.mark.parametrize("bad", [{"url": "javascript:alert(1)"}, {"priority": "x"}, {"title": "x" * 900}, {"body": "\0"}])
def test_a_preview_of_what_cannot_be_sent_says_why(alice: Any, browser_of: Browser, bad: dict[str, str]) -> None:
    answer = browser_of(alice).post(ADD + "preview/", SAID | bad)
    assert answer.status_code == 200
    assert 'class="bad"' in answer.content.decode()


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "[a](javascript:alert(1))", "[a](//evil)", "[a](/\\evil)",
        "<a hx-get='/x'>a</a>", "![a](https://evil/x.png)", "<svg onload=alert(1)>", "[a](https://good@evil)", "[a](data:text/html,x)",
    ],
)  # fmt: skip
def test_nothing_is_smuggled_through_markdown(text: str) -> None:
    made = markdown.html(text).lower()
    for evil in ("<script", "<img", "<svg", "<a hx", 'href="java', 'href="//', 'href="data', 'good@evil"'):
        assert evil not in made


def test_rows_and_toasts_say_the_words_and_the_page_shows_the_markdown(alice: Any, browser_of: Browser) -> None:
    made = broadcast("all", title="x", body="# Now\n\nAt **22:00**\n- one", markdown=True)
    broadcasts.work_off_due()
    browser = browser_of(alice)
    assert "Now\nAt 22:00\none" in browser.get("/inbox/").content.decode()
    page = browser.get(f"/inbox/{made.notification_id}/").content.decode()
    assert "<h3>Now</h3>" in page
    assert "<strong>22:00</strong>" in page
    plain = broadcast("all", title="y", body="**not bold**")
    broadcasts.work_off_due()
    assert "**not bold**" in browser.get(f"/inbox/{plain.notification_id}/").content.decode()


# Sending


def test_a_double_click_sends_once_and_leads_to_the_same_page(alice: Any, bob: Any, browser_of: Browser) -> None:
    browser = browser_of(alice)
    first, second = (browser.post(ADD, SAID) for _ in range(2))
    assert first.headers["Location"] == second.headers["Location"]
    assert (Broadcast.objects.count(), Notification.objects.count(), LogEntry.objects.count()) == (1, 1, 1)
    # Back, another word, Send: that is another broadcast.
    browser.post(ADD, SAID | {"title": "Maintenance is over"})
    assert Broadcast.objects.count() == 2


def test_the_trail_tells_who_sent_it_and_who_stopped_it(alice: Any, browser_of: Browser) -> None:
    browser = browser_of(alice)
    address = browser.post(ADD, SAID).headers["Location"]
    browser.post(address.replace("progress", "steer/pause"))
    page = browser.get(address).content.decode()
    assert "alice: Sent to all" in page
    assert "alice: Paused." in page


def test_who_lost_the_right_before_its_time_sends_nothing_and_the_page_says_why(alice: Any, bob: Any, browser_of: Browser) -> None:
    made = broadcast("all", title="Later", send_at=timezone.now() + timedelta(hours=1), sender=alice)
    gone = broadcast("all", title="Later", send_at=timezone.now() + timedelta(hours=1), sender=bob)
    alice.user_permissions.remove(Permission.objects.get(codename="send_broadcast"))
    User.objects.filter(pk=bob.pk).delete()
    broadcasts.work_off_due(timezone.now() + timedelta(hours=2))
    assert set(Broadcast.objects.filter(pk__in=[made.pk, gone.pk]).values_list("state", flat=True)) == {"cancelled"}
    boss = User.objects.create_superuser("boss")
    assert "may no longer send" in browser_of(boss).get(f"{ADD[:-4]}{made.pk}/progress/").content.decode()
    assert titles(boss) == []


@pytest.mark.parametrize("address", ["preview/", "count/"])
def test_nobody_else_asks(alice: Any, bob: Any, charlie: Any, browser_of: Browser, address: str) -> None:
    User.objects.filter(pk=bob.pk).update(is_staff=True)
    bob.refresh_from_db()
    assert browser_of(alice).post(ADD + address, SAID).status_code == 200
    assert browser_of(bob).post(ADD + address, SAID).status_code == 403
    assert browser_of(charlie).post(ADD + address, SAID).status_code == 302
    assert browser_of(None).post(ADD + address, SAID).status_code == 302
    assert browser_of(alice).get(ADD + address).status_code == 405
