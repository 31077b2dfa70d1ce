"""Makes the people of a bench: `python -m tests.bench.people 10000` prints their keys and sessions, and a room that is theirs, as JSON."""

import json
import sys

import django

django.setup()

from datetime import timedelta  # noqa: E402

from django.conf import settings  # noqa: E402
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model  # noqa: E402
from django.contrib.sessions.backends.db import SessionStore  # noqa: E402
from django.contrib.sessions.models import Session  # noqa: E402
from django.utils import timezone  # noqa: E402
from django.utils.crypto import get_random_string  # noqa: E402

from notifications.rooms.actions import open_room  # noqa: E402
from notifications.rooms.models import Membership, Room  # noqa: E402
from notifications.rooms.people import Person  # noqa: E402


def main(count: int) -> None:
    model = get_user_model()
    made = model.objects.bulk_create([model(username=f"person{number}", password="!") for number in range(count)], batch_size=2000)
    store, until = SessionStore(), timezone.now() + timedelta(days=1)
    sessions = [Session(session_key=get_random_string(32), session_data=store.encode(_content(user)), expire_date=until) for user in made]
    Session.objects.bulk_create(sessions, batch_size=2000)
    people = [[str(user.pk), one.session_key] for user, one in zip(made, sessions, strict=True)]
    room = open_room("bench", title="Bench", access=Room.Access.MEMBERS, owner=Person.of_user(made[0]))
    Membership.objects.bulk_create([Membership(room=room, user=user) for user in made[1:]], batch_size=2000, ignore_conflicts=True)
    json.dump({"people": people, "room": room.pk}, sys.stdout)


def _content(user: object) -> dict[str, str]:
    return {
        SESSION_KEY: str(user.pk),  # type: ignore[attr-defined]
        BACKEND_SESSION_KEY: settings.AUTHENTICATION_BACKENDS[0],
        HASH_SESSION_KEY: user.get_session_auth_hash(),  # type: ignore[attr-defined]
    }


if __name__ == "__main__":
    main(int(sys.argv[1]))
