"""What time brings: the expired goes, planned notifications arrive, snoozes end."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from core.delivery.publishing import publish_many
from notifications import deliveries, inbox, policy
from notifications.actions import events
from notifications.actions.sending import withdraw_locked
from notifications.models import InboxItem, Notification, Priority
from notifications.rows import Row

DUE_AT_ONCE = 100  # due notifications in one sweep


def work_off_due(now: datetime | None = None) -> None:
    """The job `notifications_due`: let arrive what waited for its time, or was snoozed until now, and take away what has expired."""
    now = now or timezone.now()
    # What expired while nobody swept must not show first.
    while keys := _due_keys(expires_at__lte=now):
        for pk in keys:
            _expire(pk, now=now)
    while keys := _due_keys(delivered_at=None, deliver_at__lte=now):
        for pk in keys:
            _deliver(pk, now=now)
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
        fresh = {"snoozed_until": None, "seen_at": None, "read_at": None, "moved_at": None}
        if due.update(arrived_at=F("snoozed_until"), version=F("version") + 1, **fresh) != 1:
            return
        shown = list(inbox.visible(InboxItem.objects.filter(pk=pk, archived_at=None), now=now).select_related("notification"))
        for item in shown:
            deliveries.rewrite(InboxItem.objects.filter(pk=pk), item.notification, arrived_at=item.arrived_at)
        publish_many(events.put_back(item.user_id, Row.of_item(item).data()) for item in shown)


def _due_keys(**conditions: Any) -> list[int]:
    due = Notification.objects.filter(**conditions, withdrawn_at=None, broadcast=None)
    return list(due.order_by("pk").values_list("pk", flat=True)[:DUE_AT_ONCE])


def _deliver(pk: int, *, now: datetime) -> None:
    with transaction.atomic():
        # Claimed by counting: two sweeps at once let it arrive once.
        if Notification.objects.filter(pk=pk, delivered_at=None, withdrawn_at=None).update(delivered_at=now) != 1:
            return
        _take_back_unless_allowed(pk, now=now)
        held = InboxItem.objects.filter(notification=pk, notification__withdrawn_at=None)
        items = list(held.select_related("notification").order_by("user_id"))
        if not items:
            return
        deliveries.start_grace(items[0].notification, now=now)
        silent = deliveries.muted_by(items[0].notification)
        # A page that was loaded since its time may have shown it to her already.
        silent |= {item.user_id for item in items if item.seen_at or item.archived_at}
        publish_many(events.put(item.user_id, Row.of_item(item).data(), quiet=item.user_id in silent) for item in items)


def _take_back_unless_allowed(pk: int, *, now: datetime) -> None:
    """What somebody planned reaches only whom she may still tell. This installation's own code, without a sender, is not asked."""
    said = Notification.objects.select_related("sender").get(pk=pk)
    if not said.owner:
        return
    items = InboxItem.objects.filter(notification=pk)
    people = set(items.values_list("user_id", flat=True))
    allowed = policy.still_tellable(said.sender, people, Priority(said.priority))
    if not allowed:
        withdraw_locked([said], now=now)
    elif lost := people - allowed:
        items.filter(user__in=sorted(lost)).delete()


def _expire(pk: int, *, now: datetime) -> None:
    with transaction.atomic():
        known = list(Notification.objects.select_for_update().filter(pk=pk, withdrawn_at=None, expires_at__lte=now))
        withdraw_locked(known, now=now)
