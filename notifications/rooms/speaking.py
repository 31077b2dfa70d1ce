"""Saying something at a room's door, by page or by socket: may she, not too fast, and once however often it is sent."""

from django.db import transaction

from notifications.rooms import actions, pace, policy
from notifications.rooms.models import Message, Room
from notifications.rooms.people import Person


def speak(slug: str, *, author: Person, text: str, client_id: str = "") -> Message:
    """Post into a room. What was stored under this client id before is returned, whatever the pace.

    Raises NoSuchRoom, ReadOnly, Muted, TooFast, BadText, ClientIdTaken.
    """
    room = policy.room_for_member(slug, author)
    text = actions.clean_text(text)
    before = actions.sent_before(room, author=author, client_id=client_id, text=text)
    if before is not None:
        return before
    pace.check(author)
    with transaction.atomic():
        # Counted under a lock: two messages at the same moment must not both find that the wait is over.
        if room.slow_seconds:
            room = Room.objects.select_for_update(no_key=True).get(pk=room.pk)
            pace.check_slow_mode_locked(room, author)
        return actions.post_message(room, author=author, text=text, client_id=client_id)
