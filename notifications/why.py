"""Why somebody got a notification: the word of its audience that holds for her. What does not hold, or is not about her, is not said."""

from collections.abc import Iterator, Sequence
from typing import Any

_PREFIXES = ("user:", "group:", "perm:", "watching:")


def told(user: Any, words: Sequence[str], *, own: bool = True) -> str:
    """A sentence to herself, or to staff about her (`own=False`). One query, and Django's own for permissions."""
    name = user.get_username()
    reason = next(_holding(user, words, own=own), None) or _went_to(words) or ("you were chosen" if own else f"{name} was chosen")
    return f"{'You' if own else name} got this because {reason}."


def _holding(user: Any, words: Sequence[str], *, own: bool) -> Iterator[str]:
    name = user.get_username()
    who, are, have = ("you", "are", "have") if own else (name, "is", "has")
    groups = set(user.groups.values_list("name", flat=True))
    for word in words:
        kind, _, meant = word.partition(":")
        if word == "all" and _is_whole(words):
            yield "everybody got it"
        elif word == "staff" and user.is_staff:
            yield f"{who} {are} on the staff"
        elif kind == "user" and meant == name:
            yield f"it was sent to {who}"
        elif kind == "group" and meant in groups:
            yield f"{who} {are} in {meant}"
        elif kind == "perm" and user.has_perm(meant):
            yield f"{who} {have} the permission {meant}"


def _went_to(words: Sequence[str]) -> str:
    """What held when it was sent and cannot be known any more, where only one word can have meant her."""
    others = [word for word in words if not word.startswith("user:")]
    if len(others) != 1 or not _is_whole(words):
        return ""
    kind, _, meant = others[0].partition(":")
    went = {"staff": "the staff", "group": f"the group {meant}", "perm": f"whoever had the permission {meant}"}
    went["watching"] = f"whoever was looking at {meant}"
    return f"it went to {went[kind]}" if kind in went else ""


def _is_whole(words: Sequence[str]) -> bool:
    """Whether nobody was taken out of it: a broadcast's conditions and exclusions are words too."""
    return all(word in ("all", "staff") or word.startswith(_PREFIXES) for word in words)
