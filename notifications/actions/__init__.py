"""Everything that changes what people have been told, and the one place here that publishes, last: docs/notifications.md.

notify("group:ops", title="Backup done", key="backup")
"""

from notifications.actions.due import work_off_due
from notifications.actions.filters import delete_filter, rename_filter, save_filter
from notifications.actions.muting import mute, unmute
from notifications.actions.quiet import end_quiet_hours, set_quiet_hours
from notifications.actions.sending import Sent, notify, owner_of, replace, withdraw
from notifications.actions.states import (
    archive,
    change,
    change_matching,
    mark_matching_read,
    mark_read,
    mark_seen,
    mark_unread,
    seen_on_screen,
    snooze,
    unarchive,
    undo,
    unsnooze,
)
from notifications.broadcasts.actions import broadcast

__all__ = [
    "Sent", "archive", "broadcast", "change", "change_matching", "delete_filter", "end_quiet_hours", "mark_matching_read", "mark_read",
    "mark_seen", "mark_unread", "mute", "notify", "owner_of", "rename_filter", "replace", "save_filter", "seen_on_screen",
    "set_quiet_hours", "snooze", "unarchive", "undo", "unmute", "unsnooze", "withdraw", "work_off_due",
]  # fmt: skip
