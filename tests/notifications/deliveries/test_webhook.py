"""Webhooks: signed JSON to an address of somebody's own, which may hang, lie, lead inside and answer anything."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

import pytest

from notifications import actions, preferences
from notifications.errors import BadNotification
from notifications.models import Delivery, Webhook
from notifications.transports import webhook as module
from tests.notifications.deliveries.conftest import Clock, work_off
from tests.support.receiver import Answer, Received, Receiver, drips, endless, hangs, receiver, says
from tests.support.servers import wait_until

pytestmark = pytest.mark.django_db


@pytest.fixture
def hook(settings: Any, anna: Any) -> Iterator[Receiver]:
    """Anna's webhook."""
    with receiver() as made:
        settings.OUTBOUND_ALLOW = [f"127.0.0.1:{made.port}"]
        preferences.set_webhook(anna, f"{made.url}/secret-path", "plain")
        yield made


def post(clock: Clock) -> Delivery:
    clock.passes(minutes=1)
    work_off(clock, "webhook")
    return Delivery.objects.filter(transport="webhook").latest("pk")


def is_signed(received: Received, secret: str) -> bool:
    """As the other side checks it, by standardwebhooks.com."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = f"{received.headers['webhook-id']}.{received.headers['webhook-timestamp']}.".encode() + received.body
    expected = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return received.headers["webhook-signature"] == f"v1,{expected}"


def test_it_is_posted_as_signed_json(hook: Receiver, anna: Any, clock: Clock, settings: Any):
    settings.BASE_URL = "https://signalbox.example.org"
    sent = actions.notify(anna, title="Backup done ✓", body="48 GB", url="/dashboards/backup/", key="backup", data={"size": 48})
    assert post(clock).state == "done"
    [received] = hook.requests
    assert (received.method, received.path, received.headers["content-type"]) == ("POST", "/secret-path", "application/json")
    said = json.loads(received.body)
    at = said.pop("at")
    assert said == {
        "id": sent.id, "key": "backup", "title": "Backup done ✓", "body": "48 GB", "url": "/dashboards/backup/", "category": "",
        "priority": "normal", "data": {"size": 48}, "inbox_url": f"https://signalbox.example.org/inbox/{sent.id}/open/",
    }  # fmt: skip
    assert at.endswith("+00:00")
    secret = Webhook.objects.get(user=anna).secret
    assert is_signed(received, secret) and not is_signed(received, module.new_secret())


def test_in_slacks_shape_it_is_text_and_blocks_and_calls_nobody(hook: Receiver, anna: Any, clock: Clock, settings: Any):
    settings.BASE_URL = "https://signalbox.example.org"
    preferences.set_webhook(anna, f"{hook.url}/services/T0/B0/x", "slack")
    sent = actions.notify(
        anna, title="<!channel> is & was down", body="<@U1> *loud* <https://evil.example|here>\n" + "x" * 3500,
        actions=[{"label": "Acknowledge", "url": "/dashboards/a/"}],
    )  # fmt: skip
    assert post(clock).state == "done"
    said = json.loads(hook.requests[0].body)
    assert said["text"] == "&lt;!channel&gt; is &amp; was down"
    header, section, buttons = said["blocks"]
    assert header == {"type": "header", "text": {"type": "plain_text", "text": "<!channel> is & was down", "emoji": False}}
    assert section["text"]["type"] == "plain_text" and len(section["text"]["text"]) == 3000
    link = f"https://signalbox.example.org/inbox/{sent.id}/open/"
    assert [(one["text"]["text"], one["url"]) for one in buttons["elements"]] == [("Open", link), ("Acknowledge", f"{link}1/")]


def test_without_a_body_there_is_no_section(hook: Receiver, anna: Any, clock: Clock):
    preferences.set_webhook(anna, f"{hook.url}/services/T0/B0/x", "slack")
    actions.notify(anna, title="Hello")
    post(clock)
    assert [block["type"] for block in json.loads(hook.requests[0].body)["blocks"]] == ["header", "actions"]


def test_sent_twice_it_has_the_same_id(hook: Receiver, anna: Any, clock: Clock):
    hook.answers = [Answer(500), Answer(200)]
    actions.notify(anna, title="Hello")
    clock.now = post(clock).due_at
    work_off(clock, "webhook")
    first, second = hook.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"] and first.body == second.body


@pytest.mark.parametrize(
    ("status", "state"),
    [(200, "done"), (202, "done"), (204, "done"), (400, "dead"), (401, "dead"), (404, "dead"), (410, "dead"), (413, "dead"),
     (408, "due"), (429, "due"), (500, "due"), (502, "due"), (503, "due"), (304, "due")],
)  # fmt: skip
def test_what_a_status_means(hook: Receiver, anna: Any, clock: Clock, status: int, state: str):
    hook.answers = [Answer(status)]
    actions.notify(anna, title="Hello")
    one = post(clock)
    assert one.state == state and one.reason == ("" if state == "done" else f"It answered {status}.")


def test_a_storm_of_500_is_met_with_longer_and_longer_pauses_and_ends(hook: Receiver, anna: Any, clock: Clock):
    hook.answers = [Answer(500)]
    actions.notify(anna, title="Hello")
    one, begun = post(clock), clock.now
    while one.state == "due":
        clock.now = one.due_at
        work_off(clock, "webhook")
        one.refresh_from_db()
    assert one.state == "dead" and len(hook.requests) == one.attempts == 9
    assert 2 * 3600 > (clock.now - begun).total_seconds() * 0.6 > 3600


def test_it_waits_as_long_as_it_is_asked_to(hook: Receiver, anna: Any, clock: Clock):
    hook.answers = [Answer(429, {"Retry-After": "1234"})]
    actions.notify(anna, title="Hello")
    one = post(clock)
    assert (one.due_at - clock.now).total_seconds() == 1234


def test_a_webhook_that_hangs_is_left_and_holds_up_nobody(
    hook: Receiver, anna: Any, bob: Any, clock: Clock, settings: Any, monkeypatch: Any
):
    monkeypatch.setattr(module, "TIMEOUT", 1.0)
    hook.answers = [Answer(raw=hangs)]
    with receiver() as other:
        settings.OUTBOUND_ALLOW = ["127.0.0.1"]
        preferences.set_webhook(bob, other.url, "plain")
        actions.notify([anna, bob], title="Hello")
        clock.passes(minutes=1)
        work_off(clock, "webhook")
        states = dict(Delivery.objects.filter(transport="webhook").values_list("item__user__username", "state"))
        assert states == {"anna": "due", "bob": "done"}
    assert Delivery.objects.get(item__user=anna, transport="webhook").reason == "127.0.0.1 did not answer in time."


@pytest.mark.parametrize("worst", [drips, endless], ids=["drips", "endless"])
def test_an_answer_without_end_is_cut_off(hook: Receiver, anna: Any, clock: Clock, worst: Any, monkeypatch: Any):
    monkeypatch.setattr(module, "TIMEOUT", 1.0)
    hook.answers = [Answer(raw=worst)]
    actions.notify(anna, title="Hello")
    # Dripping for a second and endless are told apart by what came in that time; neither takes longer, nor more than 2 kB.
    assert post(clock).state == ("due" if worst is drips else "done")


def test_ten_megabytes_of_answer_are_not_read(hook: Receiver, anna: Any, clock: Clock):
    hook.answers = [Answer(body=b"x" * 10_000_000)]
    actions.notify(anna, title="Hello")
    assert post(clock).state == "done"
    # It hung up: what the other side got rid of is what sockets hold, and not the rest.
    wait_until(lambda: hook.written, described="the end of the answer")
    assert hook.written[0] < 5_000_000


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_inside_is_not_followed(hook: Receiver, anna: Any, clock: Clock, status: int):
    with receiver() as inside:
        hook.answers = [Answer(status, {"Location": f"{inside.url}/admin"})]
        actions.notify(anna, title="Hello")
        one = post(clock)
        assert one.state == "dead" and "redirects" in one.reason and inside.requests == []


def test_an_address_inside_gets_nothing_and_says_so_without_its_path(anna: Any, clock: Clock):
    with receiver() as inside:
        preferences.set_webhook(anna, f"{inside.url}/secret-path", "plain")
        actions.notify(anna, title="Hello")
        one = post(clock)
        assert (one.state, inside.requests) == ("dead", [])
        assert "may reach" in one.reason and "secret-path" not in one.reason


def test_what_is_no_http_is_tried_again(hook: Receiver, anna: Any, clock: Clock):
    hook.answers = [Answer(raw=says(b"220 mail.example.org ESMTP\r\n"))]
    actions.notify(anna, title="Hello")
    assert post(clock).reason == "127.0.0.1 did not answer in HTTP."


@pytest.mark.parametrize(
    "url", ["", "ftp://example.org/", "file:///etc/passwd", "http://u:p@example.org/", "javascript:alert(1)", "http://x y/"]
)
def test_an_address_that_is_none_is_not_stored(anna: Any, url: str):
    with pytest.raises(BadNotification):
        preferences.set_webhook(anna, url, "plain")
    assert not Webhook.objects.exists()


def test_another_address_gets_another_secret(anna: Any):
    first = preferences.set_webhook(anna, "https://example.org/a", "plain").secret
    assert preferences.set_webhook(anna, "https://example.org/a", "plain").secret == first
    assert preferences.set_webhook(anna, "https://example.org/b", "plain").secret != first


def test_who_has_no_webhook_is_owed_nothing(hook: Receiver, anna: Any, bob: Any, clock: Clock):
    actions.notify([anna, bob], title="Hello")
    assert [one.item.user for one in Delivery.objects.filter(transport="webhook").select_related("item__user")] == [anna]
    preferences.remove_webhook(anna)
    assert (post(clock).state, post(clock).reason) == ("skipped", "no webhook")
