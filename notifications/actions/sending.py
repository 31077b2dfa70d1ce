"""Tell people something, say something else under the same key, take it back."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Max
from django.utils import timezone

from core.delivery.publishing import publish_many
from notifications import audiences, deliveries, drafts
from notifications.actions import events
from notifications.bulk import insert_items
from notifications.drafts import Draft
from notifications.errors import TooLarge, UnknownKey
from notifications.models import InboxItem, Notification, Priority
from notifications.rows import Row

MAX_RECIPIENTS = 10_000


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
    markdown: bool = False,
    channel: str = "",
    sender: Any = None,
) -> Sent:
    """Tell these people: on every page they have open as soon as the caller's transaction commits, and in their inboxes.

    Outside the page too, where they want that and have not seen it after a while. `channel`: the room or dashboard that it is about
    (`room:3`, from code that knows it); who has muted that gets a silent row and nothing else.

    A `key` belongs to its sender: what these people have under it is replaced, moves to the top and is unread again; with
    Priority.LOW it changes quietly where it stands. What others have under the same key stays as it is.
    At most MAX_RECIPIENTS people: `broadcast` is for more. Raises BadNotification and its kin; then nothing was stored.
    """
    now = timezone.now()
    draft = drafts.checked(
        now=now, title=title, body=body, url=url, category=category, priority=priority, actions=actions, key=key,
        expires_at=expires_at, deliver_at=deliver_at, data=data, markdown=markdown,
    )  # fmt: skip
    meant = audiences.resolve(audience)
    people = list(meant.people().order_by("pk").values_list("pk", flat=True)[: MAX_RECIPIENTS + 1])
    if len(people) > MAX_RECIPIENTS:
        words = f"A notification tells at most {MAX_RECIPIENTS} people at once. Send a broadcast: broadcast(), or POST /api/v1/broadcasts."
        raise TooLarge(words, field="audience")
    if not people:
        return Sent(0, 0)
    with transaction.atomic():
        return _send(draft, people, words=meant.shown, channel=channel, sender=sender, now=now)


def replace(key: str, *, sender: Any = None, **changes: Any) -> Sent:
    """Change what everybody has under this sender's key; takes any of notify's keywords. Raises UnknownKey, BadNotification."""
    now = timezone.now()
    with transaction.atomic():
        # What has expired is gone, whether it was swept away yet or not.
        known = [one for one in _known_locked(owner_of(sender), key) if one.expires_at is None or one.expires_at > now]
        if not known:
            raise UnknownKey("You have sent nothing under this key, or it was withdrawn or has expired.", field="key")
        people = 0
        for notification in known:
            draft = drafts.changed(_as_it_is(notification), now=now, **changes)
            held = _holders([notification])[notification.pk]
            _again(notification, draft, sorted(held), replaces={}, now=now)
            people += len(held)
        return Sent(known[0].pk, people)


def withdraw(key: str, *, sender: Any = None) -> int:
    """Take what this sender sent under a key off every screen and out of every inbox. Returns how many people had it."""
    with transaction.atomic():
        return withdraw_locked(_known_locked(owner_of(sender), key), now=timezone.now())


def owner_of(sender: Any) -> str:
    """Whose keys a sender's are. Code of this installation sends as nobody."""
    return "" if sender is None else f"user:{sender.pk}"


# --- how ---


def _send(draft: Draft, people: Sequence[Any], *, words: Sequence[str], channel: str, sender: Any, now: datetime) -> Sent:
    owner = owner_of(sender)
    # The generation before what is known of the key: who commits in between is either known, or has taken this generation.
    generation = _next_generation(owner, draft.key)
    known = _known_locked(owner, draft.key)
    held = _holders(known)
    meant = set(people)
    same = next((one for one in known if held[one.pk] <= meant), None)
    notification = same or _stored(draft, generation, owner=owner, words=words, channel=channel, sender=sender, now=now)
    if notification is None:
        # Somebody else sent under this key for the first time, in this moment: now it is a replacement.
        return _send(draft, people, words=words, channel=channel, sender=sender, now=now)
    replaces = _taken_from([one for one in known if one is not same], held, meant)
    if same is not None:
        _again(same, draft, sorted(held[same.pk]), replaces=replaces, now=now)
    _arrive(notification, [person for person in people if same is None or person not in held[same.pk]], replaces=replaces, now=now)
    return Sent(notification.pk, len(people))


def _stored(
    draft: Draft, generation: int, *, owner: str, words: Sequence[str], channel: str, sender: Any, now: datetime
) -> Notification | None:
    """The payload's row; None when another transaction took this generation of the key first."""
    row = Notification(
        **draft.fields(), owner=owner, key=draft.key, generation=generation, sender=sender, audience=list(words[:20]),
        channel=channel, created_at=now, updated_at=now, delivered_at=None if draft.deliver_at else now,
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
    if not people:
        return
    arrived_at = notification.deliver_at or now
    insert_items(notification.pk, people, arrived_at=arrived_at)
    deliveries.write_for(notification, arrived_at=arrived_at)
    if notification.delivered_at is None:
        events.publish_gone({person: replaces[person] for person in people if person in replaces})
        return
    row, silent = Row.of(notification, arrived_at=arrived_at).data(), deliveries.muted_by(notification)
    events.put_all(people, row, silent=silent, replaces=replaces)


def _again(notification: Notification, draft: Draft, people: Sequence[Any], *, replaces: Mapping[Any, list[int]], now: datetime) -> None:
    """Say something else where `people` have this notification already."""
    shown = notification.delivered_at is not None
    values = draft.fields() | {"updated_at": now, "delivered_at": None if draft.deliver_at else now}
    Notification.objects.filter(pk=notification.pk).update(**values)
    for name, value in values.items():
        setattr(notification, name, value)
    items = InboxItem.objects.filter(notification=notification)
    if draft.priority == Priority.LOW and shown and not draft.deliver_at:
        rows = {item.user_id: Row.of_item(item) for item in items.select_related("notification").order_by("user_id")}
        open_ones = {person: row for person, row in rows.items() if not row.archived}
        publish_many(events.put(person, row.data(), quiet=True, replaces=replaces.get(person, ())) for person, row in open_ones.items())
        return
    arrived_at = draft.deliver_at or now
    fresh = {"seen_at": None, "read_at": None, "archived_at": None, "snoozed_until": None, "moved_at": None}
    items.update(arrived_at=arrived_at, version=F("version") + 1, **fresh)
    deliveries.write_again(notification, arrived_at=arrived_at)
    if draft.deliver_at:
        events.publish_gone({person: [notification.pk, *replaces.get(person, ())] for person in people})
        return
    row_data, silent = Row.of(notification, arrived_at=arrived_at).data(), deliveries.muted_by(notification)
    events.put_all(people, row_data, silent=silent, replaces=replaces)


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


def _as_it_is(notification: Notification) -> Draft:
    """A stored notification as the draft that it was."""
    names = ("title", "body", "url", "category", "key", "expires_at", "data", "markdown")
    waiting = notification.deliver_at if notification.delivered_at is None else None
    values = {name: getattr(notification, name) for name in names}
    return Draft(**values, priority=Priority(notification.priority), actions=tuple(notification.actions), deliver_at=waiting)


def withdraw_locked(notifications: Collection[Notification], *, now: datetime) -> int:
    """Take these, whose rows the caller holds, out of every inbox. They stay, hidden: staff can still look up what somebody was told."""
    held = _holders(notifications)
    Notification.objects.filter(pk__in=list(held)).update(withdrawn_at=now, updated_at=now)
    deliveries.cancel_for(list(held), now=now)
    lost: dict[Any, list[int]] = {}
    for pk, people in held.items():
        for person in people:
            lost.setdefault(person, []).append(pk)
    events.publish_gone(lost)
    return len(lost)
