"""How people stand to broadcasts and audiences: who belongs, who has a row already, who may send. Reads only, many people at once."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.utils import timezone

from notifications import audiences, policy
from notifications.broadcasts.recipients import people_of
from notifications.models import Broadcast, BroadcastReach, InboxItem, Notification

_KEY = re.compile(r"all|staff|group-[1-9][0-9]{0,17}", re.ASCII)


def is_key(key: str) -> bool:
    """Whether this is an audience channel's key."""
    return _KEY.fullmatch(key) is not None


@dataclass(frozen=True, slots=True)
class Facts:
    """What decides which audience channels a person may read."""

    staff: bool
    groups: frozenset[int]


def facts(users: Collection[str]) -> dict[str, Facts]:
    """These people's facts, in two queries; inactive and unknown ones are left out."""
    model = get_user_model()
    keys = _keys(users)
    people = dict(model._default_manager.filter(pk__in=keys, is_active=True).values_list("pk", "is_staff"))
    groups: dict[Any, set[int]] = {}
    for person, group in model._default_manager.filter(pk__in=list(people), groups__isnull=False).values_list("pk", "groups"):
        groups.setdefault(person, set()).add(group)
    return {str(key): Facts(staff, frozenset(groups.get(key, ()))) for key, staff in people.items()}


def belongs(known: Facts | None, key: str) -> bool:
    """Whether somebody with these facts is in the audience `all`, `staff` or `group-<pk>`."""
    if known is None or not is_key(key):
        return False
    return key == "all" or (known.staff if key == "staff" else int(key.removeprefix("group-")) in known.groups)


@dataclass(frozen=True, slots=True)
class State:
    """How one person's copy of a broadcast stands."""

    arrived_at: datetime
    seen: bool = False
    read: bool = False


def of_people(broadcast: int, users: Collection[str]) -> tuple[Notification | None, Mapping[str, State]]:
    """The notification of a broadcast, and how it stands with those of these people whose inbox it is in, or will be in a moment."""
    made = Broadcast.objects.filter(pk=broadcast, notification__withdrawn_at=None).select_related("notification").first()
    if made is None or made.sent_at is None:
        return None, {}
    keys = _keys(users)
    items = InboxItem.objects.filter(notification=made.notification, user__in=keys)
    known = {item.user_id: item for item in items}
    states = {
        str(key): State(item.arrived_at, seen=item.seen_at is not None, read=item.read_at is not None)
        for key, item in known.items()
        if item.archived_at is None and item.snoozed_until is None
    }
    if made.state == "sending":
        missing = [key for key in keys if key not in known]
        meant = people_of(made).filter(pk__in=missing).values_list("pk", flat=True)
        states |= {str(key): State(made.sent_at) for key in meant}
    return made.notification, states


def between(users: Collection[str], first: str, last: str) -> Iterable[str]:
    """Those of these people whose primary keys lie between two; everybody where keys are neither numbers nor UUIDs."""
    for read in (int, UUID):
        try:
            low, high = read(first), read(last)
            return [user for user in users if low <= read(user) <= high]  # type: ignore[operator]
        except ValueError:
            continue
    return users


def senders(users: Collection[str]) -> set[str]:
    """Those of these people who may send broadcasts."""
    permission = audiences.permission_named(policy.BROADCAST)
    if permission is None:
        return set()
    people = get_user_model()._default_manager.filter(audiences.holding(permission), pk__in=_keys(users), is_active=True)
    return {str(key) for key in people.values_list("pk", flat=True)}


def answer_roll_call(broadcast: int, process: str, users: Collection[str]) -> None:
    """Note which of a broadcast's people are among those whom a web process serves now."""
    made = Broadcast.objects.filter(pk=broadcast, sent_at__isnull=False).first()
    if made is None:
        return
    people = [str(key) for key in people_of(made).filter(pk__in=_keys(users)).values_list("pk", flat=True)] if users else []
    BroadcastReach.objects.bulk_create(
        [BroadcastReach(broadcast=made, process=process, connected=len(people), people=people, asked_at=timezone.now())],
        update_conflicts=True,
        unique_fields=["broadcast", "process"],
        update_fields=["connected", "people", "asked_at"],
    )


def _keys(users: Collection[str]) -> list[Any]:
    read = get_user_model()._meta.pk.to_python
    keys = []
    for user in users:
        try:
            keys.append(read(user))
        except ValidationError:
            continue
    return keys
