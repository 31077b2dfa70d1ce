"""E-mail, to a real SMTP server: what it looks like, what its refusals mean, and that nobody can slip anything into it."""

import re
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import pytest
from django.test import Client

from notifications import actions, transports
from notifications.models import Delivery, Preference
from notifications.transports import NotSent, Parcel
from tests.notifications.deliveries.conftest import Clock, work_off
from tests.support.mailserver import MailServer, mail_server
from tests.support.servers import free_port

pytestmark = pytest.mark.django_db


@pytest.fixture
def server(settings: Any) -> Iterator[MailServer]:
    with mail_server() as made:
        for name, value in made.settings.items():
            setattr(settings, name, value)
        settings.BASE_URL = "https://signalbox.example.org"
        yield made


def mail(clock: Clock) -> Delivery:
    """Work off what is due by mail in two minutes; the newest delivery."""
    clock.passes(minutes=2)
    work_off(clock, "email")
    return Delivery.objects.filter(transport="email").latest("pk")


def part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content())


def test_a_mail_says_it_in_text_and_html_and_leads_through_us(server: MailServer, anna: Any, clock: Clock):
    sent = actions.notify(
        anna, title="Backup <done> & dusted", body="48 GB\n\nin 3 min", url="https://elsewhere.example.net/x",
        actions=[{"label": "Show", "url": "/dashboards/backup/"}],
    )  # fmt: skip
    assert mail(clock).state == "done"
    [message], [recipients] = server.messages, server.recipients
    assert recipients == ["anna@example.com"] and message["To"] == "anna@example.com"
    assert message["From"] == "Signalbox <signalbox@example.org>" and message["Subject"] == "Backup <done> & dusted"
    assert message["Auto-Submitted"] == "auto-generated"
    text, html = part(message, "plain"), part(message, "html")
    link = f"https://signalbox.example.org/inbox/{sent.id}/open/"
    for said in (text, html):
        assert "48 GB" in said and f"{link}" in said and f"{link}1/" in said and "elsewhere.example.net" not in said
    assert "Backup <done> & dusted" in text
    assert "Backup &lt;done&gt; &amp; dusted" in html and "<p>48 GB</p>" in html


def test_markdown_leads_from_a_mail_to_this_site(server: MailServer, anna: Any, clock: Clock):
    actions.notify(
        anna, title="x", body="[Board](/dashboards/ops/?a=1&b=2), [out](https://example.net/x), [bad](//evil.example)", markdown=True
    )
    mail(clock)
    html = part(server.messages[0], "html")
    assert 'href="https://signalbox.example.org/dashboards/ops/?a=1&amp;b=2"' in html and 'href="https://example.net/x"' in html
    assert 'href="//evil' not in html and 'href="/' not in html


def test_the_header_unsubscribes_in_one_click_and_no_more_mails_come(server: MailServer, anna: Any, clock: Clock):
    actions.notify(anna, title="One", category="alert")
    mail(clock)
    [message] = server.messages
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    found = re.fullmatch(r"<https://signalbox\.example\.org(/unsubscribe/[^>]+/)>", message["List-Unsubscribe"].strip())
    assert found is not None
    assert Client(enforce_csrf_checks=True).post(found[1], {"List-Unsubscribe": "One-Click"}).status_code == 200
    actions.notify(anna, title="Two", category="alert")
    actions.notify(anna, title="Other", category="mention")
    mail(clock)
    assert [message["Subject"] for message in server.messages] == ["One", "Other"]


def test_what_cannot_be_switched_off_has_no_such_link(server: MailServer, anna: Any, clock: Clock):
    Preference.objects.create(user=anna, category="sign-in", transport="email", enabled=False)
    actions.notify(anna, title="New sign-in", category="sign-in")
    mail(clock)
    [message] = server.messages
    assert message["List-Unsubscribe"] is None and "unsubscribe" not in part(message, "plain").lower()


def test_what_is_said_anew_stands_in_one_thread_and_is_another_mail(server: MailServer, anna: Any, clock: Clock):
    actions.notify(anna, title="Disk full", key="disk")
    mail(clock)
    actions.notify(anna, title="Disk fuller", key="disk")
    mail(clock)
    first, second = server.messages
    assert first["References"] == second["References"] and first["Message-ID"] != second["Message-ID"]


def test_the_same_mail_sent_twice_has_the_same_id(server: MailServer, anna: Any, clock: Clock):
    """A worker that dies between sending and noting it sends twice; mail programs show one."""
    actions.notify(anna, title="Hello")
    one = mail(clock)
    Delivery.objects.filter(pk=one.pk).update(state="leased", leased_until=clock.now, due_at=clock.now)
    mail(clock)
    assert len(server.messages) == 2 and server.messages[0]["Message-ID"] == server.messages[1]["Message-ID"]


@pytest.mark.parametrize(
    ("at", "answer", "state"),
    [
        ("at_recipient", "550 No such person", "dead"),
        ("at_recipient", "450 Greylisted, try later", "due"),
        ("at_end", "554 We take no such mail", "dead"),
        ("at_end", "451 Try again later", "due"),
        ("at_end", "421 Shutting down", "due"),
    ],
)
def test_a_refusal_is_for_good_or_for_now(server: MailServer, anna: Any, clock: Clock, at: str, answer: str, state: str):
    getattr(server, at).append(answer)
    actions.notify(anna, title="Hello")
    one = mail(clock)
    assert one.state == state and one.attempts == 1 and one.reason.startswith("The mail server")
    if state == "due":
        clock.now = one.due_at
        work_off(clock, "email")
        assert len(server.messages) == 1


def test_a_mail_server_that_is_away_is_tried_again(server: MailServer, anna: Any, clock: Clock, settings: Any):
    settings.EMAIL_PORT = free_port()
    actions.notify(anna, title="Hello")
    assert (mail(clock).state, mail(clock).reason) == ("due", "The mail server did not answer.")


def test_without_a_mail_server_nothing_is_owed(anna: Any, settings: Any):
    settings.EMAIL_URL = ""
    actions.notify(anna, title="Hello")
    assert not Delivery.objects.exists()


ADDRESSES = [
    "anna@example.com\nBcc: victim@example.com",
    "anna@example.com\r\nBcc: victim@example.com",
    "anna@example.com, victim@example.com",
    "anna@example.com>,<victim@example.com",
    "Anna <anna@example.com>",
    "anna",
    "anna@example.com\0",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_that_is_more_or_less_than_one_gets_nothing(server: MailServer, anna: Any, clock: Clock, address: str):
    if "\0" not in address:
        anna.email = address
        anna.save()
    actions.notify(anna, title="Hello")
    item = actions.notify(anna, title="Hello")
    email = transports.of("email")
    assert email is not None
    from notifications.models import InboxItem

    made = InboxItem.objects.select_related("notification", "user").get(notification=item.id)
    with pytest.raises(NotSent) as refusal:
        email.send(Parcel("1", address, made.notification, made.user, made.arrived_at))
    assert refusal.value.permanent and "victim" not in str(refusal.value)
    if "\0" not in address:
        assert mail(clock).state == "dead"
    assert server.messages == []


TITLES = [
    "Hi\r\nBcc: victim@example.com",
    "Hi\nSubject: other",
    "Hi\x0bBcc: v@example.com",
    "Hi\u2028Bcc: v@example.com",
    "Hi\r\n\r\n<b>body",
]


@pytest.mark.parametrize("title", TITLES)
def test_a_title_never_becomes_a_header(server: MailServer, anna: Any, clock: Clock, title: str):
    actions.notify(anna, title=title, category="alert")
    mail(clock)
    [message], [recipients] = server.messages, server.recipients
    assert recipients == ["anna@example.com"] and message["Bcc"] is None
    assert len(message.get_all("Subject", [])) == 1 and message["Subject"].startswith("Hi")


def test_a_stored_title_with_a_line_end_is_one_line_too(server: MailServer, anna: Any, clock: Clock):
    """Rows may come from elsewhere than `notify`."""
    from notifications.models import Notification

    sent = actions.notify(anna, title="Hello")
    Notification.objects.filter(pk=sent.id).update(title="Hi\r\nBcc: victim@example.com")
    mail(clock)
    assert server.messages[0]["Bcc"] is None and server.messages[0]["Subject"] == "Hi Bcc: victim@example.com"


def test_markup_in_a_body_is_text(server: MailServer, anna: Any, clock: Clock):
    actions.notify(anna, title="{{ x }}", body='<script>alert(1)</script> <img src=x onerror=alert(1)> {% include "x" %} {{ said }}')
    mail(clock)
    html = part(server.messages[0], "html")
    assert "<script" not in html and "<img" not in html and "{{ said }}" in html and "&lt;script&gt;" in html
