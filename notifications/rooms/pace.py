"""How fast one may talk: a rate for everybody, a lower one for guests, and the room's slow mode."""

import math

from django.utils import timezone

from core.rates import Rate
from notifications.rooms import policy
from notifications.rooms.models import Message, Room
from notifications.rooms.people import Person

USERS = Rate(5, 30)
GUESTS = Rate(0.5, 10)
ADDRESSES = Rate(5, 60)  # all guests of one address: a new cookie makes a new guest


class TooFast(PermissionError):
    """Not so fast; `wait` is how many seconds to wait."""

    def __init__(self, wait: float) -> None:
        self.wait = max(1, math.ceil(wait))
        super().__init__(f"Not so fast: wait {self.wait} s.")


def check(person: Person) -> None:
    """Count one message of a person. Raises TooFast."""
    if wait := _rate(person):
        raise TooFast(wait)


def check_slow_mode_locked(room: Room, person: Person) -> None:
    """Whether the room's slow mode lets this person speak now. Raises TooFast."""
    if wait := _slow_mode(room, person):
        raise TooFast(wait)


def _rate(person: Person) -> float:
    if not person.is_guest:
        return USERS.take(person.key)
    return GUESTS.take(person.key) or (ADDRESSES.take(person.address) if person.address else 0.0)


def _slow_mode(room: Room, person: Person) -> float:
    """How long until the room's slow mode lets this person speak again; who moderates speaks as she likes."""
    if not room.slow_seconds or policy.moderates(room, person):
        return 0.0
    last = Message.objects.filter(room=room, author=person.key).order_by("-created_at").values_list("created_at", flat=True).first()
    return max(0.0, room.slow_seconds - (timezone.now() - last).total_seconds()) if last else 0.0
