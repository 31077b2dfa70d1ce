"""A room of twenty people who chat over plain sockets, while web processes and Redis are killed under them."""

import os

from tests.chaos import faults
from tests.chaos.chatting import ChatClient
from tests.chaos.stage import Stage

FULL = os.environ.get("FULL") == "1"
PEOPLE = 20
SLUG = "chaosroom"
LEAST = 400  # messages said and heard back

_OPEN = f"""
from django.contrib.auth import get_user_model
from notifications.rooms import actions
from notifications.rooms.people import Person
owner = Person.of_user(get_user_model().objects.get(username="member0"))
print(actions.open_room("{SLUG}", title="Chaos", access="public", owner=owner).channel)
"""
_STORED = """SELECT text, "offset" FROM signalbox_rooms_message ORDER BY "offset" """


def room_killed(stage: Stage) -> None:
    chatting = _people(stage)
    stage.swarm.start([*chatting])
    stage.until(lambda: all(one.is_live for one in chatting), "everybody is in the room", seconds=15)
    for turn in range(10 if FULL else 4):
        stage.wait(1.5)
        with faults.killed(stage.webs[turn % 2]):
            stage.wait(1.0)
        stage.until(lambda: all(one.is_live for one in chatting), "everybody is back after a web process was killed", seconds=8)
    with faults.killed(stage.services.valkey):
        stage.wait(3.0)
    stage.until(lambda: _said(chatting) >= LEAST, f"{LEAST} messages were said", seconds=60)
    for one in chatting:
        one.talks = False
    stage.until(lambda: all(one.has_all_back for one in chatting), "everybody has heard back what she said", seconds=15)
    stage.noted += [event for one in chatting for event in one.published()]
    _judge(stage, chatting)
    stage.until_traffic(stage.scene.least)


def _people(stage: Stage) -> list[ChatClient]:
    """Two tabs of each member: they share their rate and nothing else."""
    channel = stage.shell(_OPEN).strip().splitlines()[-1]
    epoch, members = stage.epoch(), stage.people[:-1]
    return [
        ChatClient(f"chat{number}", SLUG, channel, epoch, members[number % len(members)], stage.swarm.setting, every=0.5)
        for number in range(PEOPLE)
    ]


def _said(chatting: list[ChatClient]) -> int:
    return sum(len(one.said) for one in chatting)


def _judge(stage: Stage, chatting: list[ChatClient]) -> None:
    """Beside the verdicts: every client ends with the table's own order, each message once."""
    stored = [text for text, _ in stage.rows(_STORED)]
    stage.until(lambda: all(len(one.logs()[0].final()) == len(stored) for one in chatting), "everybody shows what is stored", seconds=10)
    for one in chatting:
        shown = [f"{mark.publisher} says {mark.number}" for mark in one.logs()[0].final()]
        stage.expect(shown == stored, f"{one.name} shows another talk than the table: {len(shown)} messages of {len(stored)}")
    errors = sorted({code for one in chatting for code in one.errors} - {"unavailable", "too_many"})
    stage.expect(not errors, f"the room answered with {errors}")
    stage.note(f"{len(stored)} messages, {sum(one.came_back for one in chatting)} returns")
