"""The directory of rooms. Its rows follow what is new and who is there from outside: looking at a list makes nobody present."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from notifications.rooms import listing, reading
from notifications.rooms.people import visitor

LIVE = 50  # rooms that are followed: two channels each, and a connection has 128


@require_GET
def directory(request: HttpRequest) -> HttpResponse:
    """The rooms that this person may enter, the one with the newest message first."""
    person = visitor(request)
    live: Any = request.live  # type: ignore[attr-defined]
    followed = set(listing.keys(person, count=LIVE))
    own = [] if person.is_guest else [f"reading:{person.user_id}"]
    live.read(*own, *(name for key in followed for name in _channels(key)))
    rooms = listing.listed(person)
    listing.with_people(rooms)
    for room in rooms:
        room.follows = [(name, live.position(name)) for name in _channels(room.pk)] if room.pk in followed else []
    shown = {"rooms": rooms, "most": reading.MOST, "own": [(name, live.position(name)) for name in own]}
    return render(request, "rooms/directory.html", shown)


def _channels(key: int) -> tuple[str, str]:
    return f"news:{key}", f"presence:room.{key}"
