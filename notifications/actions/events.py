"""What the actions publish to one person: something arrived, something is gone."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from core.delivery.publishing import NewEvent, publish_many


def put(person: Any, row: Mapping[str, Any], *, quiet: bool = False, replaces: Iterable[int] = ()) -> NewEvent:
    data = {"row": row, "quiet": quiet, "replaces": list(replaces)}
    return NewEvent(f"user:{person}", "notification.put", data, key=str(row["id"]))


def put_back(person: Any, row: Mapping[str, Any]) -> NewEvent:
    """Something that she has had arrives again, as at the end of a snooze; unless it is withdrawn by the time that it reaches her."""
    made = put(person, row)
    return NewEvent(made.channel, made.type, {**made.data, "back": True}, key=made.key)


def put_all(people: Iterable[Any], row: Mapping[str, Any], *, silent: Collection[Any] = (), replaces: Mapping[Any, Sequence[int]]) -> None:
    """Tell all these people of the same row. Those who hear the same share one payload, which is then checked and written once."""
    shared = {quiet: {"row": row, "quiet": quiet, "replaces": ()} for quiet in (False, True)}
    key = str(row["id"])
    publish_many(
        put(person, row, quiet=person in silent, replaces=replaces[person])
        if person in replaces
        else NewEvent(f"user:{person}", "notification.put", shared[person in silent], key=key)
        for person in people
    )


def publish_gone(lost: Mapping[Any, Sequence[int]]) -> None:
    publish_many(NewEvent(f"user:{person}", "notification.gone", {"ids": list(lost[person])}) for person in sorted(lost) if lost[person])
