"""What rooms keep about a person, for her export and her erasure: docs/personal-data.md."""

from typing import Any

from core.delivery.forgetting import forget_channel
from core.persons import Kept, Part, Removed, rows
from notifications.rooms.models import Membership, Message, Reaction, Restriction
from notifications.rooms.people import Person
from notifications.rooms.running import actions as running


def _export(user: Any) -> dict[str, Kept]:
    key = Person.of_user(user).key
    return {
        "messages": rows(Message.objects.filter(author=key), "room__slug", "text", "created_at", "edited_at", "deleted_at"),
        "rooms": rows(Membership.objects.filter(user=user), "room__slug", "role", "level", "last_read", "joined_at"),
        "reactions": rows(Reaction.objects.filter(author=key), "message__room__slug", "message", "emoji", "created_at"),
        "restrictions": rows(Restriction.objects.filter(who=key), "room__slug", "kind", "until", "created_at"),
    }


def _erase(user: Any, removed: Removed) -> None:
    running.forget_person(Person.of_user(user), removed)
    forget_channel(f"reading:{user.pk}")


PART = Part(
    "rooms",
    _export,
    _erase,
    covers=tuple(
        f"signalbox_rooms.{field}"
        for field in (
            "Message.user", "Message.author", "Message.name", "Membership.user", "Reaction.user", "Reaction.author", "Restriction.who",
            "Restriction.name",
        )
    ),
)  # fmt: skip
