"""What notifications keep about a person, for her export and her erasure: docs/personal-data.md."""

from typing import Any

from core.delivery.forgetting import forget_channel, rewrite
from core.models import Event
from core.persons import PORTION, Kept, Part, Removed, rows, words_without
from notifications.models import (
    Broadcast,
    Delivery,
    InboxItem,
    KnownBrowser,
    Mute,
    Notification,
    Preference,
    PushSubscription,
    QuietHours,
    Recurrence,
    SavedFilter,
    Webhook,
)


def _export(user: Any) -> dict[str, Kept]:
    said = [f"notification__{name}" for name in ("title", "body", "url", "category", "priority", "audience")]
    items = InboxItem.objects.filter(user=user)
    sent = Notification.objects.filter(sender=user)
    return {
        "inbox": rows(items, "arrived_at", "seen_at", "read_at", "archived_at", "snoozed_until", *said),
        "deliveries": rows(
            Delivery.objects.filter(item__user=user), "item__notification__title", "transport", "state", "reason", "attempts", "finished_at"
        ),
        "sent": rows(sent, "title", "body", "url", "audience", "created_at"),
        "broadcasts": rows(Broadcast.objects.filter(sender=user), "notification__title", "state", "created_at", "sent_at", "total"),
        "recurring_broadcasts": rows(Recurrence.objects.filter(sender=user), "title", "says", "enabled", "created_at"),
        "preferences": rows(Preference.objects.filter(user=user), "category", "transport", "enabled"),
        "filters": rows(SavedFilter.objects.filter(user=user), "name", "tab", "q", "created_at"),
        "muted": rows(Mute.objects.filter(user=user), "channel", "level"),
        "quiet_hours": rows(QuietHours.objects.filter(user=user), "start", "end"),
        "webhook": rows(Webhook.objects.filter(user=user), "url", "shape", "created_at"),
        "devices": rows(PushSubscription.objects.filter(user=user), "device", "endpoint", "created_at", "accepted_at"),
        "browsers": rows(KnownBrowser.objects.filter(user=user), "name", "first_at"),
    }


def _erase(user: Any, removed: Removed) -> None:
    # Keys outlive their sender: they stay taken, by nobody that can be named.
    Notification.objects.filter(owner=f"user:{user.pk}").update(owner=removed.key)
    hers = InboxItem.objects.filter(user=user)
    while portion := list(hers.values_list("pk", "notification")[:PORTION]):
        items, notifications = [pk for pk, _ in portion], [pk for _, pk in portion]
        Delivery.objects.filter(item__in=items).delete()
        InboxItem.objects.filter(pk__in=items).delete()
        # What was for her alone has nobody to be kept for.
        Notification.objects.filter(pk__in=notifications, items=None, broadcast=None).delete()
        _unname(notifications, user)
    forget_channel(f"user:{user.pk}")


def _unname(notifications: list[int], user: Any) -> None:
    """Leave her out of whom these were for."""
    for notification in Notification.objects.filter(pk__in=notifications).only("audience"):
        others = words_without(notification.audience, user)
        if len(others) < len(notification.audience):
            Notification.objects.filter(pk=notification.pk).update(audience=others)


def rename(notifications: list[int], *, before: str, after: str) -> None:
    """Where titles of these begin with a person's name, let them begin with another: in inboxes, and in what logs still hold."""
    for row in Notification.objects.filter(pk__in=notifications, title__startswith=f"{before} ").only("title"):
        title = (after + row.title.removeprefix(before))[:200]
        Notification.objects.filter(pk=row.pk).update(title=title)

        def renamed(data: dict[str, Any], title: str = title) -> dict[str, Any]:
            return {**data, "row": {**data["row"], "title": title}} if "row" in data else data

        rewrite(Event.objects.filter(channel__startswith="user:", type="notification.put", key=str(row.pk)), renamed)


PART = Part(
    "notifications",
    _export,
    _erase,
    covers=tuple(
        f"signalbox_notifications.{field}"
        for field in (
            "Notification.sender", "Notification.owner", "Notification.audience", "Notification.title", "InboxItem.user", "Preference.user",
            "Mute.user", "QuietHours.user", "Webhook.user", "PushSubscription.user", "Broadcast.sender", "Broadcast.audience",
            "Recurrence.sender", "Recurrence.audience", "KnownBrowser.user", "KnownBrowser.name", "SavedFilter.user",
            "SavedFilter.name",
        )
    ),
)  # fmt: skip
