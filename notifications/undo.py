"""Undo: a change of state is known by its person, what it was and its moment; the moment stands in the rows that it changed.

A row that was moved (archived, snoozed or back) also holds what stood there before: however many they are, the button carries no list.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core import signing

OFFERED = 10  # seconds that the button stays
TAKEN = 60  # seconds that it is taken: a toast that somebody points at stays longer
_SALT = "notifications.undo"
WORDS = {
    "read": "Marked as read",
    "archived": "Archived",
    "unarchived": "Moved to the inbox",
    "snoozed": "Snoozed",
    "unsnoozed": "No longer snoozed",
}


@dataclass(frozen=True, slots=True)
class Change:
    """What was done to some of a person's items: each of them holds `stamp`, in `read_at` or `moved_at`."""

    what: str
    stamp: datetime
    count: int = 0

    @property
    def words(self) -> str:
        return WORDS[self.what] if self.count == 1 else f"{WORDS[self.what]}: {self.count}"


def taken_back(count: int) -> str:
    """What Undo says it did."""
    if not count:
        return "Nothing was left to take back"
    return "Taken back" if count == 1 else f"Taken back: {count}"


def token(user: Any, change: Change) -> str:
    """What the button carries."""
    return signing.dumps([str(user.pk), change.what, change.stamp.isoformat()], salt=_SALT)


def read(user: Any, text: str) -> Change | None:
    """The change that this person may take back; None for what is forged, somebody else's or too late."""
    try:
        owner, what, stamp = signing.loads(text, salt=_SALT, max_age=TAKEN)
    except signing.BadSignature:
        return None
    return Change(what, datetime.fromisoformat(stamp)) if owner == str(user.pk) else None
