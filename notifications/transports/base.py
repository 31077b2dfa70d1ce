"""What a way out is: one small class, registered by its app: docs/how-to/add-a-transport.md."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar

from django.conf import settings
from django.db.models import QuerySet
from django.urls import reverse

from notifications.models import Notification

A = TypeVar("A")


class NotSent(Exception):
    """It was not accepted. `permanent`: it never will be; else again later, not before `after` seconds. The text is kept and shown.

    gone: addresses that the other side said are none any more.
    """

    def __init__(self, why: str, *, permanent: bool = False, after: float | None = None, gone: Collection[Any] = ()) -> None:
        super().__init__(why)
        self.permanent, self.after, self.gone = permanent, after, gone


@dataclass(frozen=True, slots=True)
class Parcel(Generic[A]):
    """What is to be brought to one person, read from the database before `send`: that runs in a thread without one.

    id: the same whenever the same thing is sent again, so that the other side can tell; different once it says something else.
    """

    id: str
    address: A
    notification: Notification
    user: Any
    arrived_at: datetime
    unsubscribe: str = ""  # the address of the one-click link; none for what is mandatory

    @property
    def link(self) -> str:
        """Where a click leads: through us, so that it counts as read."""
        return settings.BASE_URL + reverse("inbox-open", args=[self.notification.pk])

    @property
    def buttons(self) -> list[tuple[str, str]]:
        """The notification's own buttons: label and where each leads, through us too."""
        labels = [each["label"] for each in self.notification.actions]
        places = [reverse("inbox-open-action", args=[self.notification.pk, number]) for number in range(1, len(labels) + 1)]
        return [(label, settings.BASE_URL + place) for label, place in zip(labels, places, strict=True)]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The other side has it. gone: addresses that it said are none any more; note: what else is worth keeping."""

    gone: tuple[Any, ...] = field(default=())
    note: str = ""


class Transport(Generic[A]):
    """A way out. Subclass, and `register` one instance in `AppConfig.ready`; its job `deliveries_<name>` comes with that."""

    name: ClassVar[str]  # as in Delivery.transport: an identifier, at most 20 characters
    label: ClassVar[str]  # for people: "E-mail"
    icon: ClassVar[str] = "send"
    grace: ClassVar[float] = 60.0  # seconds that a page has the chance to show it first; high and critical ones do not wait
    lacking: ClassVar[str] = "no address"  # what somebody has not whom `reachable` leaves out

    def is_set_up(self) -> bool:
        """Whether this installation can send this way at all."""
        return True

    def reachable(self) -> QuerySet[Any]:
        """Everybody who has an address for this way, as a queryset of primary keys of users. It becomes a part of one INSERT."""
        raise NotImplementedError

    def addresses(self, users: Collection[Any]) -> Mapping[Any, A]:
        """The addresses of these people (primary keys), in a constant number of queries."""
        raise NotImplementedError

    def send(self, parcel: Parcel[A]) -> Accepted:
        """Bring it, and return when the other side has accepted it. Blocks at most some ten seconds; no database. Raises NotSent."""
        raise NotImplementedError

    def forget(self, gone: Collection[Any]) -> None:
        """Drop addresses that the other side said are none any more (`Accepted.gone`)."""


_registered: dict[str, Transport[Any]] = {}


def register(transport: Transport[Any]) -> None:
    """Make a way out known. Raises ValueError: its name is taken or cannot be one."""
    name = transport.name
    if not name.isidentifier() or len(name) > 20 or type(_registered.get(name, transport)) is not type(transport):
        raise ValueError(f"Transport {name!r}: taken, or not an identifier of at most 20 characters.")
    _registered[name] = transport


def of(name: str) -> Transport[Any] | None:
    return _registered.get(name)


def all_known() -> list[Transport[Any]]:
    """Every way out, in the order of the preferences page."""
    return list(_registered.values())
