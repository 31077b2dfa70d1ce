"""What the actions publish to one person: something arrived, something is gone."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core.delivery.publishing import NewEvent, publish_many


def put(person: Any, row: Mapping[str, Any], *, quiet: bool = False, replaces: Iterable[int] = ()) -> NewEvent:
    data = {"row": row, "quiet": quiet, "replaces": list(replaces)}
    return NewEvent(f"user:{person}", "notification.put", data, key=str(row["id"]))


def publish_gone(lost: Mapping[Any, Sequence[int]]) -> None:
    publish_many(NewEvent(f"user:{person}", "notification.gone", {"ids": list(lost[person])}) for person in sorted(lost) if lost[person])
