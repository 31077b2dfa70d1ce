"""Everything that changes what people have been told, and the one place here that publishes, last: docs/notifications.md.

notify("group:ops", title="Backup done", key="backup")
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.db.models import F, Max
from django.db.models.functions import Coalesce
from django.utils import timezone

from core.delivery.publishing import NewEvent, publish_many
from notifications import audiences, drafts, inbox
from notifications.broadcasts.actions import broadcast, ensure_items
from notifications.bulk import insert_items
from notifications.drafts import Draft
from notifications.errors import TooLarge, UnknownKey
from notifications.models import InboxItem, Notification, Priority
from notifications.rows import MOST_ROWS, Row
from notifications.undo import Change

MAX_RECIPIENTS = 10_000
ROWS_SHOWN = 30  # changed rows that are pushed one by one; above it, pages take their lists anew
DUE_AT_ONCE = 100  # due notifications in one sweep
AT_ONCE = 5000  # keys in one statement


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a send: the notification's id, and how many people have it. Nobody meant: nothing was stored, `id` is 0."""

    id: int
    recipients: int


def notify(
    audience: object,
    *,
    title: str,
    body: str = "",
    url: str = "",
    category: str = "",
    priority: Priority = Priority.NORMAL,
    actions: Iterable[Mapping[str, str]] = (),
    key: str = "",
    expires_at: datetime | None = None,
    deliver_at: datetime | None = None,
    data: Mapping[str, Any] | None = None,
    sender: Any = None,
) -> Sent:
    """Tell these people: on every page they have open as soon as the caller's transaction commits, and in their inboxes.

    A `key` belongs to its sender: what these people have under it is replaced, moves to the top and is unread again; with
    Priority.LOW it changes quietly where it stands. What others have under the same key stays as it is.
    At most MAX_RECIPIENTS people: `broadcast` is for more. Raises BadNotification and its kin; then nothing was stored.
    """
    now = timezone.now()
    draft = drafts.checked(
        now=now, title=title, body=body, url=url, category=category, priority=priority, actions=actions, key=key,
        expires_at=expires_at, deliver_at=deliver_at, data=data,
    )  # fmt: skip
    meant = audiences.resolve(audience)
    people = list(meant.people().order_by("pk").values_list("pk", flat=True)[: MAX_RECIPIENTS + 1])
    if len(people) > MAX_RECIPIENTS:
        raise TooLarge(f"notify() tells at most {MAX_RECIPIENTS} people; use broadcast() for more.", field="audience")
    if not people:
        return Sent(0, 0)
    with transaction.atomic():
        return _send(draft, people, words=meant.shown, sender=sender, now=now)


def replace(key: str, *, sender: Any = None, **changes: Any) -> Sent:
    """Change what everybody has under this sender's key; takes any of notify's keywords. Raises UnknownKey, BadNotification."""
    now = timezone.now()
    with transaction.atomic():
        known = _known_locked(owner_of(sender), key)
        if not known:
            raise UnknownKey("You have sent nothing under this key, or have withdrawn it.", field="key")
        people = 0
        for notification in known:
            draft = drafts.checked(now=now, **(_as_it_is(notification) | changes))
            held = _holders([notification])[notification.pk]
            _again(notification, draft, sorted(held), replaces={}, now=now)
            people += len(held)
        return Sent(known[0].pk, people)


def withdraw(key: str, *, sender: Any = None) -> int:
    """Take what this sender sent under a key off every screen and out of every inbox. Returns how many people had it."""
    with transaction.atomic():
        return _withdraw(_known_locked(owner_of(sender), key), now=timezone.now())


def owner_of(sender: Any) -> str:
    """Whose keys a sender's are. Code of this installation sends as nobody."""
    return "" if sender is None else f"user:{sender.pk}"


# --- sending ---


def _send(draft: Draft, people: Sequence[Any], *, words: Sequence[str], sender: Any, now: datetime) -> Sent:
    owner = owner_of(sender)
    # The generation before what is known of the key: who commits in between is either known, or has taken this generation.
    generation = _next_generation(owner, draft.key)
    known = _known_locked(owner, draft.key)
    held = _holders(known)
    meant = set(people)
    same = next((one for one in known if held[one.pk] <= meant), None)
    notification = same or _stored(draft, generation, owner=owner, words=words, sender=sender, now=now)
    if notification is None:
        # Somebody else sent under this key for the first time, in this moment: now it is a replacement.
        return _send(draft, people, words=words, sender=sender, now=now)
    replaces = _taken_from([one for one in known if one is not same], held, meant)
    if same is not None:
        _again(same, draft, sorted(held[same.pk]), replaces=replaces, now=now)
    _arrive(notification, [person for person in people if same is None or person not in held[same.pk]], replaces=replaces, now=now)
    return Sent(notification.pk, len(people))


def _stored(draft: Draft, generation: int, *, owner: str, words: Sequence[str], sender: Any, now: datetime) -> Notification | None:
    """The payload's row; None when another transaction took this generation of the key first."""
    row = Notification(
        **draft.fields(), owner=owner, key=draft.key, generation=generation, sender=sender, audience=list(words[:20]),
        created_at=now, updated_at=now, delivered_at=None if draft.deliver_at else now,
    )  # fmt: skip
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        if not draft.key or not Notification.objects.filter(owner=owner, key=draft.key, generation=generation).exists():
            raise
        return None
    return row


def _next_generation(owner: str, key: str) -> int:
    if not key:
        return 1
    return int(Notification.objects.filter(owner=owner, key=key).aggregate(last=Max("generation"))["last"] or 0) + 1


def _arrive(notification: Notification, people: Sequence[Any], *, replaces: Mapping[Any, list[int]], now: datetime) -> None:
    """Write new rows, and tell these people at once unless it waits for its time."""
    arrived_at = notification.deliver_at or now
    insert_items(notification.pk, people, arrived_at=arrived_at)
    if notification.delivered_at is None:
        _publish_gone({person: replaces[person] for person in people if person in replaces})
        return
    row = Row.of(notification, arrived_at=arrived_at).data()
    publish_many(_put(person, row, replaces=replaces.get(person, ())) for person in people)


def _again(notification: Notification, draft: Draft, people: Sequence[Any], *, replaces: Mapping[Any, list[int]], now: datetime) -> None:
    """Say something else where `people` have this notification already."""
    values = draft.fields() | {"updated_at": now, "delivered_at": None if draft.deliver_at else now}
    Notification.objects.filter(pk=notification.pk).update(**values)
    for name, value in values.items():
        setattr(notification, name, value)
    items = InboxItem.objects.filter(notification=notification)
    if draft.priority == Priority.LOW and not draft.deliver_at:
        rows = {item.user_id: Row.of_item(item) for item in items.select_related("notification").order_by("user_id")}
        shown = {person: row for person, row in rows.items() if not row.archived}
        publish_many(_put(person, row.data(), quiet=True, replaces=replaces.get(person, ())) for person, row in shown.items())
        return
    arrived_at = draft.deliver_at or now
    fresh = {"seen_at": None, "read_at": None, "archived_at": None, "snoozed_until": None}
    items.update(arrived_at=arrived_at, version=F("version") + 1, **fresh)
    if draft.deliver_at:
        _publish_gone({person: [notification.pk, *replaces.get(person, ())] for person in people})
        return
    row_data = Row.of(notification, arrived_at=arrived_at).data()
    publish_many(_put(person, row_data, replaces=replaces.get(person, ())) for person in people)


def _taken_from(others: Iterable[Notification], held: Mapping[int, set[Any]], people: set[Any]) -> dict[Any, list[int]]:
    """Take from these people what they have under the same key. Says for each person what she lost."""
    lost: dict[Any, list[int]] = {}
    for other in others:
        shared = held[other.pk] & people
        if shared:
            InboxItem.objects.filter(notification=other, user__in=sorted(shared)).delete()
        for person in shared:
            lost.setdefault(person, []).append(other.pk)
    return lost


def _known_locked(owner: str, key: str) -> list[Notification]:
    """What this owner has out under a key, newest first; locked, so that two replacements follow each other."""
    if not key:
        return []
    return list(Notification.objects.select_for_update().filter(owner=owner, key=key, withdrawn_at=None).order_by("-generation"))


def _holders(notifications: Collection[Notification]) -> dict[int, set[Any]]:
    held: dict[int, set[Any]] = {one.pk: set() for one in notifications}
    if held:
        for notification, person in InboxItem.objects.filter(notification__in=list(held)).values_list("notification_id", "user_id"):
            held[notification].add(person)
    return held


def _as_it_is(notification: Notification) -> dict[str, Any]:
    """A stored notification as notify's keywords."""
    names = ("title", "body", "url", "category", "actions", "expires_at", "data")
    waiting = notification.deliver_at if notification.delivered_at is None else None
    values = {name: getattr(notification, name) for name in names}
    return values | {"priority": Priority(notification.priority), "deliver_at": waiting, "key": notification.key}


def _put(person: Any, row: Mapping[str, Any], *, quiet: bool = False, replaces: Iterable[int] = ()) -> NewEvent:
    data = {"row": row, "quiet": quiet, "replaces": list(replaces)}
    return NewEvent(f"user:{person}", "notification.put", data, key=str(row["id"]))


def _publish_gone(lost: Mapping[Any, Sequence[int]]) -> None:
    publish_many(NewEvent(f"user:{person}", "notification.gone", {"ids": list(lost[person])}) for person in sorted(lost) if lost[person])


def _withdraw(notifications: Collection[Notification], *, now: datetime) -> int:
    """Take these out of every inbox. The rows stay, hidden: what somebody was told can still be looked up by staff."""
    held = _holders(notifications)
    Notification.objects.filter(pk__in=list(held)).update(withdrawn_at=now, updated_at=now)
    lost: dict[Any, list[int]] = {}
    for pk, people in held.items():
        for person in people:
            lost.setdefault(person, []).append(pk)
    _publish_gone(lost)
    return len(lost)


# --- what is due ---


def work_off_due(now: datetime | None = None) -> None:
    """The job `notifications_due`: let arrive what waited for its time, or was snoozed until now, and take away what has expired."""
    now = now or timezone.now()
    while keys := _due_keys(delivered_at=None, deliver_at__lte=now):
        for pk in keys:
            _deliver(pk, now=now)
    while keys := _due_keys(expires_at__lte=now):
        for pk in keys:
            _expire(pk, now=now)
    while keys := _snoozed_until(now):
        for pk in keys:
            _arrive_again(pk, now=now)


def _snoozed_until(now: datetime) -> list[int]:
    due = InboxItem.objects.filter(snoozed_until__lte=now).order_by("snoozed_until")
    return list(due.values_list("pk", flat=True)[:DUE_AT_ONCE])


def _arrive_again(pk: int, *, now: datetime) -> None:
    """The end of a snooze: on top, new and unread, as on the first day."""
    with transaction.atomic():
        due = InboxItem.objects.filter(pk=pk, snoozed_until__lte=now)
        fresh = {"snoozed_until": None, "seen_at": None, "read_at": None}
        if due.update(arrived_at=F("snoozed_until"), version=F("version") + 1, **fresh) != 1:
            return
        shown = inbox.visible(InboxItem.objects.filter(pk=pk, archived_at=None), now=now).select_related("notification")
        publish_many(_put(item.user_id, Row.of_item(item).data()) for item in shown)


def _due_keys(**conditions: Any) -> list[int]:
    due = Notification.objects.filter(**conditions, withdrawn_at=None, broadcast=None)
    return list(due.order_by("pk").values_list("pk", flat=True)[:DUE_AT_ONCE])


def _deliver(pk: int, *, now: datetime) -> None:
    with transaction.atomic():
        # Claimed by counting: two sweeps at once let it arrive once.
        if Notification.objects.filter(pk=pk, delivered_at=None, withdrawn_at=None).update(delivered_at=now) != 1:
            return
        items = InboxItem.objects.filter(notification=pk).select_related("notification").order_by("user_id")
        publish_many(_put(item.user_id, Row.of_item(item).data()) for item in items)


def _expire(pk: int, *, now: datetime) -> None:
    with transaction.atomic():
        known = list(Notification.objects.select_for_update().filter(pk=pk, withdrawn_at=None, expires_at__lte=now))
        _withdraw(known, now=now)


# --- a person's own state ---


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
    columns = {"read": ("read_at", "unread"), "archived": ("archived_at", "unarchived"), "snoozed": ("snoozed_until", "unsnoozed")}
    column, back = columns[change.what]
    return _change(user, inbox.held(user, now=timezone.now()).filter(**{column: change.stamp}), back).count


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


def _values(what: str, stamp: datetime, now: datetime) -> dict[str, Any]:
    changes: dict[str, dict[str, Any]] = {
        "seen": {"seen_at": stamp},
        "read": {"read_at": stamp, "seen_at": Coalesce(F("seen_at"), stamp)},
        "unread": {"read_at": None},
        "archived": {"archived_at": stamp},
        "unarchived": {"archived_at": None},
        "snoozed": {"snoozed_until": stamp, "archived_at": None, "seen_at": Coalesce(F("seen_at"), now)},
        "unsnoozed": {"snoozed_until": None},
    }
    return changes[what]


def _change(user: Any, items: Any, what: str, *, until: datetime | None = None) -> Change:
    """Change the state of a person's items and tell her other pages."""
    now = timezone.now()
    stamp = until or now
    with transaction.atomic():
        wanted = InboxItem.objects.select_for_update().filter(pk__in=items.filter(**_OPEN[what]).order_by().values("pk"))
        keys = list(wanted.order_by("pk").values_list("pk", flat=True))
        for start in range(0, len(keys), AT_ONCE):
            InboxItem.objects.filter(pk__in=keys[start : start + AT_ONCE]).update(version=F("version") + 1, **_values(what, stamp, now))
        if keys:
            publish_many(NewEvent(f"user:{user.pk}", "notification.state", data) for data in _told(what, keys))
        return Change(what, stamp, len(keys))


def _told(what: str, keys: Sequence[int]) -> list[dict[str, Any]]:
    """What her pages need to know: nothing for seen, the rows for a few, else that they must look anew."""
    if what == "seen":
        return [{"what": what, "rows": []}]
    if len(keys) > ROWS_SHOWN:
        return [{"what": what, "many": True}]
    items = InboxItem.objects.filter(pk__in=keys).select_related("notification").order_by("-arrived_at", "-notification_id")
    rows = [Row.of_item(item).data() for item in items]
    return [{"what": what, "rows": rows[start : start + MOST_ROWS]} for start in range(0, len(rows), MOST_ROWS)]


__all__ = [
    "Sent", "archive", "broadcast", "change", "change_matching", "mark_matching_read", "mark_read", "mark_seen", "mark_unread", "notify",
    "replace", "seen_on_screen", "snooze", "unarchive", "undo", "unsnooze", "withdraw", "work_off_due",
]  # fmt: skip
