"""The job `broadcasts_due`: end what has expired, begin what is scheduled for now, write the rows of all that is being sent."""

import logging
from collections.abc import Callable
from datetime import datetime
from functools import partial

from django.db import DatabaseError, transaction
from django.utils import timezone

from core.delivery.publishing import NewEvent, publish_many
from notifications.broadcasts.actions.sending import begin_scheduled
from notifications.broadcasts.actions.writing import write_chunk
from notifications.broadcasts.progress import progress_event
from notifications.errors import BadNotification
from notifications.models import Broadcast, Notification

logger = logging.getLogger(__name__)

AT_ONCE = 100


def work_off_due(now: datetime | None = None) -> None:
    """Do all of it until nothing is left; what one broadcast cannot do now is left for the next sweep and keeps no other waiting."""
    now = now or timezone.now()
    for pk in _keys(notification__expires_at__lte=now, notification__withdrawn_at=None):
        _tried(partial(_expire, pk, now=now), pk)
    for pk in _keys(state="scheduled", send_at__lte=now):
        _tried(partial(begin_scheduled, pk, now=now), pk)
    writing = _keys(state="sending")
    while writing:
        # In turn: a short one need not wait for a long one's million rows.
        writing = [pk for pk in writing if _tried(partial(write_chunk, pk), pk)]


def _tried(step: Callable[[], bool | None], pk: int) -> bool:
    try:
        return bool(step())
    except (DatabaseError, BadNotification) as error:
        # As when a person of the chunk was deleted while it was written: the next sweep writes it without her.
        logger.warning("Broadcast %s waits for the next sweep: %s", pk, type(error).__name__)
        return False


def _keys(**conditions: object) -> list[int]:
    return list(Broadcast.objects.filter(**conditions).order_by("pk").values_list("pk", flat=True)[:AT_ONCE])


def _expire(pk: int, *, now: datetime) -> None:
    with transaction.atomic():
        made = Broadcast.objects.select_for_update(no_key=True).get(pk=pk)
        claimed = Notification.objects.filter(pk=made.notification_id, withdrawn_at=None).update(withdrawn_at=now)
        if claimed != 1:
            return
        if made.state in ("scheduled", "sending", "paused"):
            made.state, made.finished_at = "cancelled", now
            made.reason = "Expired before everybody had it." if made.sent_at else "Not sent: it expired before its time came."
            made.save(update_fields=["state", "finished_at", "reason"])
        gone = NewEvent(made.channel, "broadcast.gone", {"id": made.notification_id}, key=str(made.notification_id))
        publish_many([gone, progress_event(made)])
