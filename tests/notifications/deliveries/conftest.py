"""Two ways out that the tests hold in their hands, a clock, and what is owed."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.utils import timezone

from core import jobs
from notifications import categories
from notifications.deliveries import sending
from notifications.models import Delivery
from notifications.transports import Accepted, NotSent, Parcel, Transport
from notifications.transports.base import _registered


class Pigeon(Transport[str]):
    """A way out for everybody with a first name. Notes what it carries, and fails as it is told."""

    name, label, grace, lacking = "pigeon", "Pigeon", 60.0, "no first name"

    def __init__(self) -> None:
        self.carried: list[Parcel[str]] = []
        self.answers: list[Accepted | Exception] = []
        self.forgotten: list[Any] = []
        self.ready = True

    def is_set_up(self) -> bool:
        return self.ready

    def reachable(self) -> QuerySet[Any]:
        return get_user_model()._default_manager.exclude(first_name="").values("pk")

    def addresses(self, users: Collection[Any]) -> Mapping[Any, str]:
        found = get_user_model()._default_manager.filter(pk__in=users).exclude(first_name="")
        return dict(found.values_list("pk", "first_name"))

    def send(self, parcel: Parcel[str]) -> Accepted:
        answer = self.answers.pop(0) if self.answers else Accepted()
        if isinstance(answer, Exception):
            raise answer
        self.carried.append(parcel)
        return answer

    def forget(self, gone: Collection[Any]) -> None:
        self.forgotten += gone

    @property
    def titles(self) -> list[str]:
        return [parcel.notification.title for parcel in self.carried]


@dataclass
class Clock:
    """The time that the workers of a test go by."""

    now: datetime = field(default_factory=timezone.now)

    def __call__(self) -> datetime:
        return self.now

    def passes(self, **spans: float) -> None:
        self.now += timedelta(**spans)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pigeon(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pigeon]:
    """The only way out of the test, on for every category."""
    made = Pigeon()
    for name in list(_registered):
        monkeypatch.delitem(_registered, name)
    monkeypatch.setitem(_registered, made.name, made)
    for name, category in list(categories._declared.items()):
        monkeypatch.setitem(categories._declared, name, replace(category, on=category.on | {"pigeon"}))
    monkeypatch.setattr(categories, "OTHER", replace(categories.OTHER, on=categories.OTHER.on | {"pigeon"}))
    monkeypatch.setitem(jobs._jobs, "deliveries_pigeon", jobs.Job("deliveries_pigeon", lambda: None))
    with jobs.collected():
        yield made


@pytest.fixture
def anna(db: None) -> Any:
    return get_user_model().objects.create_user("anna", "anna@example.com", "anna-password", first_name="Anna")


def owed(transport: str = "pigeon") -> list[Delivery]:
    return list(Delivery.objects.filter(transport=transport).select_related("item__user").order_by("pk"))


def work_off(clock: Clock, transport: str = "pigeon") -> int:
    return sending.work_off(transport, clock=clock)


__all__ = ["Clock", "NotSent", "Pigeon", "owed", "work_off"]
