"""Pause, resume, cancel, withdraw. Each takes the broadcast's row lock: a chunk that is being written is finished first."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from core.delivery.publishing import NewEvent, publish_many
from core.jobs import wake
from notifications import deliveries
from notifications.broadcasts.actions.noting import note
from notifications.broadcasts.actions.sending import put_event
from notifications.broadcasts.progress import progress_event
from notifications.errors import WrongState
from notifications.models import Broadcast, Notification


def pause(made: Broadcast, *, by: Any = None) -> Broadcast:
    """Write no more rows for now, or do not begin. What is on screens stays there. Raises WrongState."""
    return _steer(made.pk, {"sending": "paused", "scheduled": "paused"}, verb="paused", by=by)


def resume(made: Broadcast, *, by: Any = None) -> Broadcast:
    """Go on after the last chunk; begin where it had not begun. Raises WrongState."""
    return _steer(made.pk, {"paused": "sending"}, verb="resumed", by=by)


def cancel(made: Broadcast, *, withdraw: bool = False, by: Any = None) -> Broadcast:
    """Reach nobody else. With `withdraw` it also leaves every screen and inbox; that may be said of one that is done. Raises WrongState."""
    states = ["scheduled", "sending", "paused", *(["done", "cancelled"] if withdraw else [])]
    verb = "cancelled and withdrawn" if withdraw else "cancelled"
    return _steer(made.pk, dict.fromkeys(states, "cancelled"), verb=verb, withdraw=withdraw, by=by)


def _steer(pk: int, states: dict[str, str], *, verb: str, by: Any, withdraw: bool = False) -> Broadcast:
    """Lead a broadcast from one of these states to the next."""
    now = timezone.now()
    with transaction.atomic():
        made = Broadcast.objects.select_for_update(of=("self",)).select_related("notification").get(pk=pk)
        if made.state not in states:
            raise WrongState(f"A broadcast that is {made.state} cannot be {verb}.", field="state", allowed=sorted(states))
        made.state = states[made.state]
        if made.state == "sending":
            made.resumed_at = now
            if made.sent_at is None:
                # Paused before its time: it waits for it again, or is late and begins at the next sweep.
                made.state = "scheduled"
        made.finished_at = now if made.state == "cancelled" else None
        made.save(update_fields=["state", "finished_at", "resumed_at"])
        if withdraw:
            _withdraw_locked(made, now=now)
        note(made, f"{verb.capitalize()}.", by=by)
        going_on = made.state == "sending" and made.notification.withdrawn_at is None
        publish_many([*([put_event(made, again=True)] if going_on else []), progress_event(made)])
        wake("broadcasts_due")
        return made


def _withdraw_locked(made: Broadcast, *, now: datetime) -> None:
    """Take it off screens and out of inboxes; once."""
    open_ones = Notification.objects.filter(pk=made.notification_id, withdrawn_at=None)
    if open_ones.update(withdrawn_at=now, updated_at=now) == 1 and made.sent_at:
        deliveries.cancel_for([made.notification_id], now=now)
        publish_many([NewEvent(made.channel, "broadcast.gone", {"id": made.notification_id}, key=str(made.notification_id))])
