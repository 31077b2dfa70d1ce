"""The room that a fresh installation shows."""

from typing import Any

from notifications.rooms import actions
from notifications.rooms.models import Room
from notifications.rooms.people import Person
from notifications.rooms.running import actions as running


def make(people: Any) -> None:
    """Open the lobby, once; `people` has alice, bob and charlie."""
    alice, bob = Person.of_user(people.alice), Person.of_user(people.bob)
    lobby = actions.open_room("lobby", title="Lobby", access=Room.Access.GUESTS, owner=alice)
    for person in (bob, Person.of_user(people.charlie)):
        running.join(lobby, person)
    # Under a client id: the second start of the demo says nothing twice.
    actions.post_message(lobby, author=alice, text="Welcome. Everybody may write here, guests too.", client_id="demo-1")
    actions.post_message(lobby, author=bob, text="Open this page in *two* windows: what you say arrives in both.", client_id="demo-2")
