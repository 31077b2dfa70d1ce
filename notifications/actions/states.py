"""What a person does with what she was told: seen, read, archived, snoozed, and back."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Coalesce
from django.utils import timezone

from core.delivery.publishing import NewEvent, publish, publish_many
from notifications import inbox
from notifications.broadcasts.actions import ensure_items
from notifications.models import InboxItem
from notifications.rows import MOST_ROWS, Row
from notifications.undo import Change

ROWS_SHOWN = 30  # changed rows that are pushed one by one; above it, pages take their lists anew
AT_ONCE = 5000  # keys in one statement


def mark_seen(user: Any) -> int:
    """She has opened the panel: everything that has arrived is seen. Returns how many were new."""
    return _change(user, inbox.of(user, now=timezone.now()).filter(seen_at=None, archived_at=None), "seen").count


def seen_on_screen(user_key: str, ids: Iterable[int]) -> int:
    """A page of hers says that she has had these before her eyes. What is not hers is passed over."""
    user = get_user_model()._default_manager.filter(pk=user_key).first()
    if user is None:
        return 0
    ensure_items(user)
    return _change(user, _hers(user, ids), "seen").count


def mark_read(user: Any, ids: Iterable[int]) -> int:
    """Mark these notifications of hers as read (and seen). What is read already, or not hers, is passed over."""
    return _change(user, _hers(user, ids), "read").count


def mark_unread(user: Any, ids: Iterable[int]) -> int:
    return _change(user, _hers(user, ids), "unread").count


def archive(user: Any, ids: Iterable[int]) -> int:
    return _change(user, _hers(user, ids), "archived").count


def unarchive(user: Any, ids: Iterable[int]) -> int:
    return _change(user, _hers(user, ids), "unarchived").count


def snooze(user: Any, ids: Iterable[int], *, until: datetime) -> int:
    """Put these off: out of every list until then, when they arrive again."""
    return _change(user, _hers(user, ids), "snoozed", until=until).count


def unsnooze(user: Any, ids: Iterable[int]) -> int:
    return _change(user, _hers(user, ids), "unsnoozed").count


def change(user: Any, ids: Iterable[int], what: str, *, until: datetime | None = None) -> Change:
    """The same by the state's name; what it returns can be taken back by `undo`."""
    return _change(user, _hers(user, ids), what, until=until)


def change_matching(user: Any, query: inbox.Query, what: str, *, until: datetime | None = None) -> Change:
    """Change whatever her inbox shows for this query."""
    return _change(user, inbox.listed(user, query, now=timezone.now()), what, until=until)


def mark_matching_read(user: Any, query: inbox.Query) -> int:
    """Mark as read whatever her inbox shows for this query."""
    return change_matching(user, query, "read").count


def undo(user: Any, change: Change) -> int:
    """Take a change back where nothing else has happened since. Returns how many items are as they were."""
    items = inbox.held(user, now=timezone.now())
    with transaction.atomic():
        if change.what == "read":
            keys = _write(items, {"read_at": change.stamp}, {"read_at": None})
        else:
            keys = _write(items, {"moved_at": change.stamp}, _AS_IT_STOOD)
        if keys:
            # A row may belong into a list that no row is pushed into, as the archive or one with a filter.
            publish(f"user:{user.pk}", "notification.state", {"what": _BACK[change.what], "many": True})
    return len(keys)


def _hers(user: Any, ids: Iterable[int]) -> Any:
    return inbox.held(user, now=timezone.now()).filter(notification__in=list(ids))


# Which items a change is anything new for.
_OPEN: dict[str, dict[str, Any]] = {
    "seen": {"seen_at": None},
    "read": {"read_at": None},
    "unread": {"read_at__isnull": False},
    "archived": {"archived_at": None},
    "unarchived": {"archived_at__isnull": False},
    "snoozed": {},
    "unsnoozed": {"snoozed_until__isnull": False},
}


# A move remembers what it changes: the time of an archiving or of a snooze would be lost.
_REMEMBERED = {"was_archived_at": F("archived_at"), "was_snoozed_until": F("snoozed_until")}
_AS_IT_STOOD = {"archived_at": F("was_archived_at"), "snoozed_until": F("was_snoozed_until"), "moved_at": None}
_BACK = {"read": "unread", "archived": "unarchived", "unarchived": "archived", "snoozed": "unsnoozed", "unsnoozed": "snoozed"}


def _values(what: str, *, until: datetime | None, now: datetime) -> dict[str, Any]:
    states: dict[str, dict[str, Any]] = {
        "seen": {"seen_at": now},
        "read": {"read_at": now, "seen_at": Coalesce(F("seen_at"), now)},
        "unread": {"read_at": None},
    }
    moves: dict[str, dict[str, Any]] = {
        "archived": {"archived_at": now, "snoozed_until": None},
        "unarchived": {"archived_at": None},
        "snoozed": {"snoozed_until": until or now, "archived_at": None, "seen_at": Coalesce(F("seen_at"), now)},
        "unsnoozed": {"snoozed_until": None},
    }
    return states[what] if what in states else {**moves[what], **_REMEMBERED, "moved_at": now}


def _change(user: Any, items: Any, what: str, *, until: datetime | None = None) -> Change:
    """Change the state of a person's items and tell her other pages."""
    now = timezone.now()
    with transaction.atomic():
        keys = _write(items, _OPEN[what], _values(what, until=until, now=now))
        if keys:
            publish_many(NewEvent(f"user:{user.pk}", "notification.state", data) for data in _told(what, keys))
    return Change(what, now, len(keys))


def _write(items: Any, standing: dict[str, Any], values: dict[str, Any]) -> list[int]:
    """Give these values to those of the items that stand so. Returns their keys."""
    found = items.filter(**standing).order_by().values("pk")
    # Asked again of the row itself: Postgres looks once more when the row is ours, and somebody may have changed it meanwhile.
    wanted = InboxItem.objects.select_for_update().filter(pk__in=found, **standing)
    keys = list(wanted.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(keys), AT_ONCE):
        InboxItem.objects.filter(pk__in=keys[start : start + AT_ONCE]).update(version=F("version") + 1, **values)
    return keys


def _told(what: str, keys: Sequence[int]) -> list[dict[str, Any]]:
    """What her pages need to know: nothing for seen, the rows for a few, else that they must look anew."""
    if what == "seen":
        return [{"what": what, "rows": []}]
    if len(keys) > ROWS_SHOWN:
        return [{"what": what, "many": True}]
    items = InboxItem.objects.filter(pk__in=keys).select_related("notification").order_by("-arrived_at", "-notification_id")
    rows = [Row.of_item(item).data() for item in items]
    return [{"what": what, "rows": rows[start : start + MOST_ROWS]} for start in range(0, len(rows), MOST_ROWS)]
