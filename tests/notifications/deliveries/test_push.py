"""Web push to a stand-in push service over HTTP: what a browser can read of it, what its answers mean, and who may subscribe."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import http_ece
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.core.management import call_command
from django.test import Client
from py_vapid import Vapid02

from notifications import actions
from notifications.models import Delivery, Priority, PushSubscription
from notifications.rows import Row
from notifications.transports import push as module
from tests.notifications.deliveries.conftest import Clock, work_off
from tests.support.receiver import Answer, Received, Receiver, hangs, receiver
from tests.support.servers import Site

pytestmark = pytest.mark.django_db
BrowserOf = Callable[[Any], Client]
KEY = "nNqRlZwR6eWxyFM53ZL2MDcEsk0EV5kBMKdAMYEG-5s"


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@dataclass
class Device:
    """A browser that can be pushed to: its keys, and its address at the push service."""

    endpoint: str
    private: Any
    secret: bytes

    @property
    def point(self) -> bytes:
        return self.private.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)

    def subscription(self) -> dict[str, Any]:
        """What `subscription.toJSON()` gives."""
        return {"endpoint": self.endpoint, "expirationTime": None, "keys": {"p256dh": b64(self.point), "auth": b64(self.secret)}}

    def opened(self, received: Received) -> Any:
        """What the service worker is handed."""
        return json.loads(http_ece.decrypt(received.body, private_key=self.private, auth_secret=self.secret, version="aes128gcm"))


@pytest.fixture
def service(settings: Any) -> Iterator[Receiver]:
    """The push service that this site knows."""
    with receiver(Answer(201)) as made:
        settings.OUTBOUND_ALLOW = [f"127.0.0.1:{made.port}"]
        settings.PUSH_HOSTS = [made.url]
        settings.VAPID_PRIVATE_KEY, settings.VAPID_SUBJECT = KEY, "mailto:ops@example.org"
        yield made


@pytest.fixture
def device(service: Receiver) -> Callable[[str], Device]:
    return lambda name="laptop": Device(f"{service.url}/{name}", ec.generate_private_key(ec.SECP256R1()), name.encode().ljust(16, b"."))


def subscribe(browser: Client, said: Any, **headers: str) -> Any:
    return browser.post("/push/subscribe/", json.dumps(said), content_type="application/json", headers=headers)


def push(clock: Clock) -> Delivery:
    clock.passes(minutes=1)
    work_off(clock, "push")
    return Delivery.objects.filter(transport="push").latest("pk")


def test_it_reaches_the_browser_as_its_service_worker_takes_it(
    service: Receiver, device: Any, anna: Any, browser_of: BrowserOf, clock: Clock
):
    laptop = device()
    response = subscribe(
        browser_of(anna), laptop.subscription(), **{"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0"}
    )
    assert response.status_code == 201
    sent = actions.notify(
        anna, title="Storage is down ✗", body="x" * 4000, priority=Priority.CRITICAL, actions=[{"label": "Acknowledge", "url": "/a/"}]
    )
    assert push(clock).state == "done"
    [received] = service.requests
    item = Delivery.objects.get().item
    at = Row.of_item(item).exact
    said = laptop.opened(received)
    assert said | {"body": ""} == {
        "tag": f"n-{sent.id}", "title": "Storage is down ✗", "body": "", "url": f"/inbox/{sent.id}/open/", "stays": True,
        "at": said["at"], "actions": [{"action": "1", "title": "Acknowledge"}],
    }  # fmt: skip
    assert len(said["body"]) == 280 and len(received.body) < 4096
    # The same moment as the toast's, so that the worker knows one from the other: Date.parse(data-at).
    assert said["at"] == round(datetime.fromisoformat(at).timestamp() * 1000)
    assert received.headers["content-encoding"] == "aes128gcm" and received.headers["urgency"] == "high"
    assert received.headers["topic"] == f"n-{sent.id}" and received.headers["ttl"] == "86400"
    assert PushSubscription.objects.get().device == "Firefox on Linux"


def test_it_is_signed_with_the_key_that_browsers_subscribe_with(
    service: Receiver, device: Any, anna: Any, browser_of: BrowserOf, clock: Clock
):
    browser = browser_of(anna)
    key = browser.get("/push/key/").json()["key"]
    assert len(base64.urlsafe_b64decode(key + "=")) == 65
    subscribe(browser, device().subscription())
    actions.notify(anna, title="Hello")
    push(clock)
    authorization = service.requests[0].headers["authorization"]
    assert Vapid02.verify(authorization) and f"k={key}" in authorization
    claims = json.loads(base64.urlsafe_b64decode(authorization.split("t=")[1].split(".")[1] + "=="))
    assert claims["aud"] == service.url and claims["sub"] == "mailto:ops@example.org"


@pytest.mark.parametrize("status", [404, 410])
def test_a_browser_that_is_none_any_more_is_forgotten(
    service: Receiver, device: Any, anna: Any, browser_of: BrowserOf, clock: Clock, status: int
):
    subscribe(browser_of(anna), device().subscription())
    service.answers = [Answer(status)]
    actions.notify(anna, title="Hello")
    one = push(clock)
    assert (one.state, one.reason) == ("dead", "Her browser takes it no more.")
    assert not PushSubscription.objects.exists()
    actions.notify(anna, title="Again")
    assert Delivery.objects.filter(transport="push").count() == 1


def test_the_other_devices_get_it_and_it_is_done(service: Receiver, device: Any, anna: Any, browser_of: BrowserOf, clock: Clock):
    for name in ("laptop", "phone", "tablet"):
        subscribe(browser_of(anna), device(name).subscription())
    service.answers = [Answer(410), Answer(500), Answer(201)]
    actions.notify(anna, title="Hello")
    one = push(clock)
    assert (one.state, one.reason) == ("done", "to 1 of 2 devices")
    assert len(service.requests) == 3 and PushSubscription.objects.count() == 2


@pytest.mark.parametrize(
    ("status", "state"), [(200, "done"), (202, "done"), (400, "dead"), (403, "dead"), (413, "dead"), (429, "due"), (503, "due")]
)
def test_what_a_status_means(service: Receiver, device: Any, anna: Any, browser_of: BrowserOf, clock: Clock, status: int, state: str):
    subscribe(browser_of(anna), device().subscription())
    service.answers = [Answer(status, {"Retry-After": "777"})]
    actions.notify(anna, title="Hello")
    one = push(clock)
    assert one.state == state
    if state == "due":
        assert (one.due_at - clock.now).total_seconds() == 777 and one.reason == f"The push service answered {status}."


def test_a_push_service_that_hangs_is_left(
    service: Receiver, device: Any, anna: Any, browser_of: BrowserOf, clock: Clock, monkeypatch: Any
):
    monkeypatch.setattr(module, "TIMEOUT", 0.5)
    subscribe(browser_of(anna), device().subscription())
    service.answers = [Answer(raw=hangs)]
    actions.notify(anna, title="Hello")
    assert push(clock).reason == "127.0.0.1 did not answer in time."


def test_it_is_not_kept_for_longer_than_it_holds(service: Receiver, device: Any, anna: Any, browser_of: BrowserOf, clock: Clock):
    subscribe(browser_of(anna), device().subscription())
    actions.notify(anna, title="Hello", expires_at=clock.now + timedelta(minutes=10))
    push(clock)
    assert 500 < int(service.requests[0].headers["ttl"]) <= 600 and service.requests[0].headers["urgency"] == "normal"


def test_a_service_that_is_known_no_more_gets_nothing(
    service: Receiver, device: Any, anna: Any, browser_of: BrowserOf, clock: Clock, settings: Any
):
    subscribe(browser_of(anna), device().subscription())
    settings.PUSH_HOSTS = ["fcm.googleapis.com"]
    actions.notify(anna, title="Hello")
    assert push(clock).state == "dead" and service.requests == []


# --- subscribing ---

SERVICES = [
    ("https://fcm.googleapis.com/fcm/send/abc", True),
    ("https://updates.push.services.mozilla.com/wpush/v2/abc", True),
    ("https://web.push.apple.com/abc", True),
    ("https://wns2-par02p.notify.windows.com/w/?token=abc", True),
    ("http://fcm.googleapis.com/fcm/send/abc", False),
    ("https://fcm.googleapis.com:8443/x", False),
    ("https://fcm.googleapis.com.evil.example/x", False),
    ("https://evilfcm.googleapis.com/x", False),
    ("https://push.apple.com.evil.example/x", False),
    ("https://evil.example/fcm.googleapis.com", False),
    ("https://user:pw@fcm.googleapis.com/x", False),
    ("https://fcm.googleapis.com\\@evil.example/x", False),
    ("https://127.0.0.1/x", False),
    ("https://169.254.169.254/latest", False),
    ("https://[::1]/x", False),
    ("file:///etc/passwd", False),
    ("", False),
    ("x" * 5000, False),
]


@pytest.mark.parametrize(("endpoint", "known"), SERVICES)
def test_only_known_push_services_are_taken(endpoint: str, known: bool):
    assert module.is_push_service(endpoint) is known


def test_a_subscription_elsewhere_is_refused_in_words(service: Receiver, device: Any, anna: Any, browser_of: BrowserOf):
    response = subscribe(browser_of(anna), device().subscription() | {"endpoint": "https://evil.example/x"})
    assert response.status_code == 422 and "push service" in response.json()["detail"]
    assert not PushSubscription.objects.exists()


def bad_bodies(good: dict[str, Any]) -> list[Any]:
    off_curve = b64(b"\x04" + b"\x01" * 64)
    keys = good["keys"]
    wrong = [{}, None, "x", {"p256dh": keys["p256dh"]}, keys | {"auth": "x"}, keys | {"p256dh": off_curve}, keys | {"p256dh": 5},
             keys | {"auth": b64(b"1" * 17)}, keys | {"p256dh": "٣" * 87}, keys | {"auth": "*" * 22}]  # fmt: skip
    return [None, [], "x", 5, {}, {"endpoint": good["endpoint"]}, good | {"endpoint": 5}, good | {"endpoint": None},
            *({**good, "keys": each} for each in wrong), good | {"padding": "x" * 5000}]  # fmt: skip


def test_a_subscription_that_is_none_is_refused_in_words(service: Receiver, device: Any, anna: Any, browser_of: BrowserOf):
    browser = browser_of(anna)
    for body in bad_bodies(device().subscription()):
        response = subscribe(browser, body)
        assert response.status_code == 422, body
        assert response.json()["detail"].endswith(".")
    for raw in (b"", b"{", b"\xff", b"[" * 4000):
        assert browser.post("/push/subscribe/", raw, content_type="application/json").status_code == 422
    assert not PushSubscription.objects.exists()


def test_a_browser_belongs_to_who_subscribed_in_it_last(service: Receiver, device: Any, anna: Any, bob: Any, browser_of: BrowserOf):
    shared = device()
    subscribe(browser_of(anna), shared.subscription())
    subscribe(browser_of(bob), shared.subscription())
    assert PushSubscription.objects.values_list("user", flat=True).get() == bob.pk


def test_the_eleventh_device_takes_the_place_of_the_oldest(service: Receiver, device: Any, anna: Any, browser_of: BrowserOf):
    browser = browser_of(anna)
    for number in range(11):
        subscribe(browser, device(f"d{number}").subscription())
    endpoints = set(PushSubscription.objects.values_list("endpoint", flat=True))
    assert len(endpoints) == 10 and f"{service.url}/d0" not in endpoints and f"{service.url}/d10" in endpoints


def test_only_its_owner_ends_a_subscription(service: Receiver, device: Any, anna: Any, charlie: Any, browser_of: BrowserOf):
    laptop = device()
    subscribe(browser_of(anna), laptop.subscription())
    for user, left in ((charlie, 1), (anna, 0)):
        body = json.dumps({"endpoint": laptop.endpoint})
        assert browser_of(user).post("/push/unsubscribe/", body, content_type="application/json").status_code == 204
        assert PushSubscription.objects.count() == left
    assert browser_of(anna).post("/push/unsubscribe/", b"[]", content_type="application/json").status_code == 204


@pytest.mark.parametrize("address", ["/push/key/", "/push/subscribe/", "/push/unsubscribe/"])
def test_a_guest_signs_in_first_and_a_post_needs_its_token(address: str, anna: Any):
    assert Client().get(address).status_code == Client().post(address).status_code == 302
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(anna)
    assert browser.post(address).status_code == 403 if "subscribe" in address else 405


def test_who_has_no_device_is_told_so_on_the_page(service: Receiver, anna: Any, browser_of: BrowserOf):
    sent = actions.notify(anna, title="Disk full")
    page = browser_of(anna).get(f"/inbox/{sent.id}/").content.decode()
    assert re.search(r"Push\W.{0,200}no device", page, re.DOTALL)


def test_without_a_key_there_is_no_push(anna: Any, browser_of: BrowserOf, settings: Any):
    settings.VAPID_PRIVATE_KEY = ""
    assert browser_of(anna).get("/push/key/").json()["key"] == ""
    PushSubscription.objects.create(user=anna, endpoint="https://fcm.googleapis.com/x", endpoint_hash="1", p256dh="", auth="")
    actions.notify(anna, title="Hello")
    assert not Delivery.objects.filter(transport="push").exists()


def test_the_command_makes_a_key_once_and_the_site_uses_it(tmp_path: Any, capsys: Any, settings: Any):
    settings.DATA_DIR, settings.VAPID_PRIVATE_KEY = tmp_path, ""
    call_command("vapid")
    said = capsys.readouterr().out
    kept = tmp_path / "vapid_private_key"
    assert kept.stat().st_mode & 0o777 == 0o600 and "Made a key" in said and kept.read_text() not in said
    assert f"public key: {module.public_key()}" in said
    call_command("vapid")
    assert "Made a key" not in capsys.readouterr().out
    assert Site(tmp_path).manage("vapid").stdout.strip().splitlines()[0] == f"public key: {module.public_key()}"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [({"VAPID_PRIVATE_KEY": "short"}, "VAPID_PRIVATE_KEY is malformed"), ({"VAPID_SUBJECT": "ops"}, "VAPID_SUBJECT is malformed"),
     ({"PUSH_HOSTS": "*"}, "PUSH_HOSTS: '*' is not a host's name."), ({"EMAIL_URL": "http://u:hunter2@x"}, "EMAIL_URL is malformed"),
     ({"OUTBOUND_ALLOW": "10.0.0.0/99"}, "OUTBOUND_ALLOW: ")],
)  # fmt: skip
def test_a_bad_setting_is_named_in_one_sentence(tmp_path: Any, given: dict[str, str], sentence: str):
    done = Site(tmp_path, given).manage("check", check=False)
    assert done.returncode != 0 and done.stderr.startswith(f"signalbox: {sentence}")
    assert len(done.stderr.splitlines()) == 1 and "hunter2" not in done.stderr
