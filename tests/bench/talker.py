"""Somebody who talks in a room by its own actions, in a process of its own: `python -m tests.bench.talker`. Speaks as publisher.py does."""

import json
import sys
import time
from statistics import median
from typing import Any

from tests.bench.publisher import mark, steadily  # sets Django up

SLUG = "bench"


def publish(*, messages: int, rate: float, slug: str = SLUG, first: int = 0) -> dict[str, Any]:
    """Say so many messages at a steady rate, stored and published as the room's pages do it."""
    from notifications.rooms import actions

    room, author = _room(slug)
    return steadily(lambda number: actions.post_message(room, author=author, text=mark(first + number)) and None, messages, rate)


def fill(*, messages: int, slug: str) -> dict[str, Any]:
    """A room with so many old messages, all of them numbered."""
    from django.utils import timezone

    from core.delivery import history
    from core.models import Channel
    from notifications.rooms.models import Message

    room, author = _room(slug)
    now, head = timezone.now(), history.heads([room.channel])[room.channel]
    rows = (
        Message(
            room=room, user_id=author.user_id, author=author.key, name=author.name, client_id=f"old-{number}", created_at=now,
            text=f"message {number}", html=f"<p>message {number}</p>", offset=head + number,
        )
        for number in range(1, messages + 1)
    )  # fmt: skip
    Message.objects.bulk_create(rows, batch_size=5000)
    Channel.objects.update_or_create(name=room.channel, defaults={"head": head + messages, "tail": head + messages + 1})
    return {"messages": Message.objects.filter(room=room).count()}


def visit(*, times: int, slug: str) -> dict[str, Any]:
    """Open the room's page as a member with everything unread. Milliseconds in the server's own code, and queries."""
    from django.conf import settings
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    settings.ALLOWED_HOSTS = ["testserver"]
    browser = Client()
    browser.force_login(_room(slug)[0].memberships.get(user__username="person1").user)
    path, took = f"/rooms/{slug}/", []
    for _ in range(times):
        before = time.perf_counter()
        answer = browser.get(path)
        took.append(1000 * (time.perf_counter() - before))
        assert answer.status_code == 200, answer.status_code
    with CaptureQueriesContext(connection) as context:
        browser.get(path)
    return {"median": median(took), "max": max(took), "queries": len(context)}


def _room(slug: str) -> Any:
    from django.contrib.auth import get_user_model

    from notifications.rooms import actions
    from notifications.rooms.models import Room
    from notifications.rooms.people import Person
    from notifications.rooms.running.actions import invite

    owner = Person.of_user(get_user_model()._default_manager.get(username="person0"))
    room = actions.open_room(slug, title=slug, access=Room.Access.MEMBERS, owner=owner)
    if not room.memberships.filter(user__username="person1").exists():
        invite(room, username="person1")
    return room, owner


def main() -> None:
    print(json.dumps({"ready": True}), flush=True)
    commands = {"publish": publish, "fill": fill, "visit": visit}
    for line in sys.stdin:
        command, given = json.loads(line)
        print(json.dumps(commands[command](**given)), flush=True)


if __name__ == "__main__":
    main()
