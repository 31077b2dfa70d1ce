"""Rooms of each openness, and the people at their doors: alice owns all, bob is a member of the club, charlie a stranger, and a guest."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from django.test import Client

from core.delivery import sequencer
from core.delivery.hub import hub
from core.models import Event
from notifications.rooms import actions, pace
from notifications.rooms.models import Membership, Message, Room
from notifications.rooms.people import Person


@pytest.fixture
def lobby(alice: Any) -> Room:
    return actions.open_room("lobby", title="Lobby", access=Room.Access.GUESTS, owner=Person.of_user(alice))


@pytest.fixture
def hall(alice: Any) -> Room:
    return actions.open_room("hall", title="Hall", access=Room.Access.PUBLIC, owner=Person.of_user(alice))


@pytest.fixture
def club(alice: Any, bob: Any) -> Room:
    room = actions.open_room("club", title="Club", access=Room.Access.MEMBERS, owner=Person.of_user(alice))
    Membership.objects.create(room=room, user=bob)
    return room


@pytest.fixture
def guest() -> Person:
    return Person("guest:0a1b2c3d", "guest-1234")


@pytest.fixture
def browser_of() -> Callable[[Any], Client]:
    """The browser of somebody; of None: of a guest."""

    def make(user: Any) -> Client:
        client = Client()
        if user is not None:
            client.force_login(user)
        return client

    return make


def number_all() -> None:
    """Number what waits: in a test's transaction nothing commits."""
    waiting = set(Event.objects.filter(offset=None).values_list("channel", flat=True))
    if waiting:
        sequencer.sequence(waiting)


@pytest.fixture
def say() -> Callable[..., Message]:
    """Say something and have it numbered: `say(room, alice, "hello")`."""

    def post(room: Room, who: Any, text: str, **more: str) -> Message:
        author = who if isinstance(who, Person) else Person.of_user(who)
        message = actions.post_message(room, author=author, text=text, **more)
        number_all()
        message.refresh_from_db()
        return message

    return post


@pytest.fixture
async def running_hub() -> AsyncIterator[None]:
    await hub.start()
    yield
    await hub.stop()


@pytest.fixture
def cookies_of() -> Callable[[Any], str]:
    """The Cookie header of somebody's browser."""

    def make(user: Any) -> str:
        client = Client()
        client.force_login(user)
        return "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())

    return make


@pytest.fixture(autouse=True)
def rested() -> None:
    """Nobody has said anything yet, as far as rates know."""
    for rate in (pace.USERS, pace.GUESTS, pace.ADDRESSES):
        rate.forget()
