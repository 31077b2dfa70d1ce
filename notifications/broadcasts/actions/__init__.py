"""One message to an audience of any size: one event to everybody's pages now, the inbox rows by a worker in chunks.

made = broadcast("all", title="Maintenance at 22:00", sender=request.user)
pause(made)
"""

from notifications.broadcasts.actions.due import work_off_due
from notifications.broadcasts.actions.figures import measure_watched
from notifications.broadcasts.actions.recurring import recur, switch, work_off_recurring
from notifications.broadcasts.actions.sending import MAX_CHOSEN, broadcast
from notifications.broadcasts.actions.steering import cancel, pause, resume
from notifications.broadcasts.actions.writing import ensure_item, ensure_items, write_chunk
from notifications.broadcasts.recipients import people_of

__all__ = [
    "MAX_CHOSEN", "broadcast", "cancel", "ensure_item", "ensure_items", "measure_watched", "pause",
    "people_of", "recur", "resume", "switch", "work_off_due", "work_off_recurring", "write_chunk",
]  # fmt: skip
