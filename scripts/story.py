"""What `make shots` tells a fresh demo, so that its pictures have a past: a quarter of an hour of figures, and a talk in the lobby."""

import os
import random
import time
from collections.abc import Iterator

import django

QUARTER, STEP = 900, 2
STEADY = {"memory": 0.2, "disk": 0.01}
LIVELY = {"cpu": 40.0, "network": 120.0}  # at least that much in the middle: a machine that only waits makes a dull picture
TALK = (
    ("bob", "Import queue is at 40k again."),
    ("bob", "@alice can you have a look before lunch?"),
    ("alice", "Looking. One worker hangs on a lock, the others are fine."),
    ("alice", "Restarted it: **4 000 rows a minute** now, it should be empty at 13:30."),
    ("bob", "Thank you!"),
)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")
    django.setup()
    tell_figures()
    tell_talk()


def tell_figures() -> None:
    """A walk of every figure that ends at what this machine measures just now."""
    from dashboard.actions import NewValue, record_many
    from workers import sampling

    list(sampling.figures())
    time.sleep(1)  # two of the figures are differences
    now = time.time()
    for widget, series, value in sampling.figures():
        value = max(value, LIVELY.get(series or widget, 0.0))
        walk = _walk(value, swing=STEADY.get(series or widget, max(value, 20) / 12))
        past = [NewValue(f"{sampling.BOARD}/{widget}", round(then, 1), now - ago, series) for ago, then in walk]
        record_many(past[::-1])


def _walk(value: float, *, swing: float) -> Iterator[tuple[float, float]]:
    """(seconds ago, value), from now backwards."""
    chance, middle = random.Random(4), value
    for ago in range(STEP, QUARTER, STEP):
        value += chance.uniform(-swing, swing) + (middle - value) / 20
        yield ago, max(value, 0.0)


def tell_talk() -> None:
    from django.contrib.auth import get_user_model

    from notifications.rooms import actions
    from notifications.rooms.models import Room
    from notifications.rooms.people import Person

    lobby = Room.objects.get(slug="lobby")
    known = {user.get_username(): user for user in get_user_model()._default_manager.all()}
    for name, text in TALK:
        actions.post_message(lobby, author=Person.of_user(known[name]), text=text)


if __name__ == "__main__":
    main()
