"""What keeps the tables of notifications from growing without end (core.retention)."""

from core.retention import bounded, trimmed

APP = "signalbox_notifications"


def register() -> None:
    by_days = ("Notification", "InboxItem", "Delivery", "Broadcast", "BroadcastChunk", "BroadcastReach", "Schedule")
    trimmed(*(f"{APP}.{name}" for name in by_days), job="old_notifications", why="KEEP_DAYS")
    bounded(
        *(
            f"{APP}.{name}"
            for name in ("Preference", "Mute", "QuietHours", "Webhook", "PushSubscription", "KnownBrowser", "Recurrence", "SavedFilter")
        ),
        why="what people make, by hand: a few rows each",
    )
