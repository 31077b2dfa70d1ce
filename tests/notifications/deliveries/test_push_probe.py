"""What `manage.py doctor` says about web push."""

from collections.abc import Iterator
from typing import Any

import pytest

from core import doctor
from tests.notifications.deliveries.test_push import KEY
from tests.support.receiver import Answer, Receiver, receiver


@pytest.fixture
def service(settings: Any) -> Iterator[Receiver]:
    with receiver(Answer(404)) as made:  # as push services answer at /
        settings.OUTBOUND_ALLOW = [f"127.0.0.1:{made.port}"]
        settings.PUSH_HOSTS = [made.url, "*.push.example.org"]
        settings.VAPID_PRIVATE_KEY, settings.VAPID_SUBJECT = KEY, "mailto:ops@example.org"
        yield made


def test_a_key_that_signs_and_a_push_service_that_answers_are_fine(service: Receiver):
    found = doctor._examine("vapid")
    assert found.fine, found
    assert "mailto:ops@example.org" in found.text
    assert [request.method for request in service.requests] == ["GET"]


def test_without_a_key_nobody_is_pushed_anything_and_no_service_is_asked(service: Receiver, settings: Any):
    settings.VAPID_PRIVATE_KEY = ""
    found = doctor._examine("vapid")
    assert found.fine and "manage.py vapid" in found.text
    assert service.requests == []


@pytest.mark.parametrize("subject", ["ops", "mailto:signalbox@localhost"])
def test_a_contact_that_push_services_refuse_is_found(service: Receiver, settings: Any, subject: str):
    settings.VAPID_SUBJECT = subject
    found = doctor._examine("vapid")
    assert not found.fine and "VAPID_SUBJECT" in found.mend


def test_a_key_whose_public_half_is_another_is_found(service: Receiver, monkeypatch: pytest.MonkeyPatch):
    from notifications.transports import push

    other = push._encoded_public("VfoLVX4h7BOYDXZVdIGLjeVbl8V3SXwkDYHSgFNzM3k")
    monkeypatch.setattr(push, "public_key", lambda: other)
    found = doctor._examine("vapid")
    assert not found.fine and "VAPID_PRIVATE_KEY" in found.mend


def test_a_push_service_that_cannot_be_reached_is_named(service: Receiver, settings: Any, unused_tcp_port: int):
    dead = f"127.0.0.1:{unused_tcp_port}"
    settings.OUTBOUND_ALLOW, settings.PUSH_HOSTS = [*settings.OUTBOUND_ALLOW, dead], [service.url, f"http://{dead}"]
    found = doctor._examine("vapid")
    assert not found.fine and dead in found.text and "PUSH_HOSTS" in found.mend
