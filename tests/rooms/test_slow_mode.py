"""Slow mode among people who press Send at the same moment."""

import threading
from typing import Any

import pytest
from django.db import connection

from notifications.rooms import pace, speaking
from notifications.rooms.models import Message, Room
from notifications.rooms.people import Person


@pytest.mark.django_db(transaction=True)
def test_two_messages_at_once_are_one_in_slow_mode(lobby: Room, bob: Any) -> None:
    Room.objects.update(slow_seconds=60)
    person, together, refused = Person.of_user(bob), threading.Barrier(4), []

    def say(number: int) -> None:
        try:
            together.wait(30)
            speaking.speak("lobby", author=person, text=f"at once {number}")
        except pace.TooFast:
            refused.append(number)
        finally:
            connection.close()

    threads = [threading.Thread(target=say, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (Message.objects.count(), len(refused)) == (1, 3)
