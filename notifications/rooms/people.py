"""Who stands at the door of a room: a user, or a guest whom a signed cookie makes the same one next time."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse

_SALT = "signalbox.rooms.guest"
_YEAR = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Person:
    """A user (`user_id` is her primary key) or a guest (`user_id` is None). `key` tells people apart, `name` is only shown."""

    key: str
    name: str
    user_id: Any = None
    address: str = field(default="", compare=False)

    @property
    def is_guest(self) -> bool:
        return self.user_id is None

    @property
    def handle(self) -> str:
        """How the core calls her among those who are present. No user's name has a tilde, so no guest can pass for one."""
        return f"{self.name}~{self.key.removeprefix('guest:')}" if self.is_guest else self.name

    @property
    def whos(self) -> tuple[str, ...]:
        """Under what names a room's restrictions may mean her: addresses mean guests only, since users share them."""
        return whos(self.user_id, self.key, self.address)

    @classmethod
    def of_user(cls, user: Any) -> "Person":
        return cls(f"user:{user.pk}", user.get_username(), user.pk)

    @classmethod
    def new_guest(cls) -> "Person":
        """A guest nobody has met: `guest-1234`, told apart from namesakes by the key."""
        return cls(f"guest:{secrets.token_hex(8)}", f"guest-{1000 + secrets.randbelow(9000)}")


def whos(user: Any, key: str, address: str) -> tuple[str, ...]:
    """What names somebody in a restriction: a user's key alone, a guest's key and address."""
    return (key,) if user or not address else (key, f"address:{address}")


def guest_handle(cookies: Mapping[str, str]) -> str:
    """The handle of the guest whom these cookies name, or nothing: for the core, which knows no guests."""
    guest = guest_of(cookies)
    return guest.handle if guest else ""


def guest_cookie_name() -> str:
    # Like the session's: two copies on one host keep theirs apart by the port in the name.
    return settings.SESSION_COOKIE_NAME.replace("sessionid", "guest")


def guest_of(cookies: Mapping[str, str]) -> Person | None:
    """The guest whom these cookies name, if we signed them."""
    ticket = cookies.get(guest_cookie_name(), "")
    if not ticket:
        return None
    try:
        key, name = signing.loads(ticket, salt=_SALT, max_age=_YEAR)
    except (signing.BadSignature, TypeError, ValueError):
        return None
    return Person(key, name)


def guest_ticket(guest: Person) -> str:
    """The cookie value that names this guest."""
    return signing.dumps([guest.key, guest.name], salt=_SALT)


def visitor(request: HttpRequest) -> Person:
    """Who asks: the user, the guest known by cookie, or a new guest, to be handed to `remember`."""
    if request.user.is_authenticated:
        return Person.of_user(request.user)
    return replace(guest_of(request.COOKIES) or Person.new_guest(), address=request.META.get("REMOTE_ADDR", ""))


def remember(response: HttpResponse, request: HttpRequest, person: Person) -> HttpResponse:
    """Let the browser be the same guest next time."""
    if person.is_guest and guest_of(request.COOKIES) is None:
        response.set_cookie(
            guest_cookie_name(), guest_ticket(person), max_age=_YEAR, secure=settings.SESSION_COOKIE_SECURE, httponly=True, samesite="Lax"
        )
    return response
