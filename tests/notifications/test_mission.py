"""The mission's shape: a Celery task that calls notify(), and a model's post_save, each make one group_send to user.<pk>."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import transaction

from core.delivery.broker import broker
from notifications.actions import notify
from notifications.signals import notify_on
from workers.celery import app

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sends(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """What the broker hands to the channel layer's group_send."""
    made: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(broker, "_put", lambda group, message: made.append((group, message)))
    return made


@pytest.fixture
def tells_staff(alice: Any) -> Iterator[None]:
    disconnect = notify_on(Group, audience="staff", title=lambda group: f"New group {group.name}", key=lambda group: f"group-{group.pk}")
    yield
    disconnect()


@app.task
def backup_done(name: str) -> None:
    notify(f"user:{name}", title="Backup done")


def to_people(sends: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, list[str]]]:
    return [(group, [event[1] for event in message["events"]]) for group, message in sends if group.startswith("user.")]


def test_a_task_that_notifies_makes_one_group_send_to_the_person(alice: Any, sends: list[tuple[str, dict[str, Any]]]) -> None:
    backup_done.apply(args=["alice"], throw=True)
    assert to_people(sends) == [(f"user.{alice.pk}", ["notification.put"])]


def test_a_saved_model_makes_one_group_send_to_the_person(alice: Any, tells_staff: None, sends: list[tuple[str, dict[str, Any]]]) -> None:
    Group.objects.create(name="on-call")
    assert to_people(sends) == [(f"user.{alice.pk}", ["notification.put"])]


def test_nothing_is_sent_before_the_commit_and_nothing_after_a_rollback(alice: Any, sends: list[tuple[str, dict[str, Any]]]) -> None:
    with transaction.atomic():
        notify(alice, title="x")
        assert to_people(sends) == []
        transaction.set_rollback(True)
    assert to_people(sends) == []


def test_what_one_transaction_tells_one_person_travels_together(alice: Any, sends: list[tuple[str, dict[str, Any]]]) -> None:
    with transaction.atomic():
        notify(alice, title="one")
        notify(alice, title="two")
    assert to_people(sends) == [(f"user.{alice.pk}", ["notification.put", "notification.put"])]
