"""What became of one notification outside the page, way by way, in words: for its reader, and for staff."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from notifications import categories, transports
from notifications.deliveries.facts import Wishes, facts, wishes
from notifications.deliveries.needed import still_needed
from notifications.deliveries.reasons import Reason
from notifications.models import Delivery, InboxItem, Priority
from notifications.transports import Transport


@dataclass(frozen=True, slots=True)
class Way:
    """One line: "E-mail: not sent, you read it at" and the time that belongs at its end, if any."""

    label: str
    icon: str
    words: str
    at: datetime | None = None
    state: str = ""


def of_item(item: InboxItem, *, now: datetime, own: bool = True) -> list[Way]:
    """What became of somebody's item (with its user and notification). `own`: told to herself, not to staff. A handful of queries."""
    made = {delivery.transport: delivery for delivery in Delivery.objects.filter(item=item)}
    known = wishes([item.user_id])
    return [_way(transport, item, made.get(transport.name), known, now=now, own=own) for transport in transports.all_known()]


def _way(transport: Transport[Any], item: InboxItem, delivery: Delivery | None, known: Wishes, *, now: datetime, own: bool) -> Way:
    words, at, state = (
        _standing(transport, item, delivery, known, now=now, own=own)
        if delivery is not None
        else (*_absent(transport, item, known, now=now, own=own), "none")
    )
    return Way(transport.label, transport.icon, words, at, state)


def _standing(
    transport: Transport[Any], item: InboxItem, delivery: Delivery, known: Wishes, *, now: datetime, own: bool
) -> tuple[str, datetime | None, str]:
    reason = Reason.of(delivery.reason)
    if delivery.state == "done":
        return f"sent{f' ({delivery.reason})' if delivery.reason else ''} at", delivery.finished_at, "done"
    if delivery.state == "dead":
        times = f" after {delivery.attempts} attempts" if delivery.attempts > 1 else ""
        return f"given up{times}. {delivery.reason}", delivery.finished_at, "dead"
    if delivery.state == "skipped":
        return f"not sent, {reason.words(own=own)}", reason.at, "skipped"
    known_facts = facts(item, transport.name, known, now=now)
    verdict = still_needed(known_facts, now=now)
    if verdict.reason is not None:
        return f"{'waits' if verdict.until else 'not sent'}, {verdict.reason.words(own=own)}", verdict.reason.at, "waits"
    if delivery.state == "leased" and delivery.leased_until and delivery.leased_until > now:
        return "is being sent", None, "leased"
    if delivery.attempts:
        return f"tried {_times(delivery.attempts)}. {delivery.reason} Again at", delivery.due_at, "due"
    if known_facts.always:
        return "goes out in any case, at", delivery.due_at, "due"
    return f"goes out unless {'you see it' if own else 'it is seen'} on a page by", delivery.due_at, "due"


def _absent(transport: Transport[Any], item: InboxItem, known: Wishes, *, now: datetime, own: bool) -> tuple[str, datetime | None]:
    """Why nothing is owed this way."""
    category = categories.of(item.notification.category)
    if not transport.is_set_up():
        return Reason("unset").words(own=own), None
    if not category.shown and transport.name not in category.mandatory:
        return "this kind of thing is told on pages only", None
    if item.notification.priority == Priority.LOW:
        return Reason("low").words(own=own), None
    if not category.wanted(transport.name, known.said.get((item.user_id, category.name, transport.name))):
        return Reason("preference").words(own=own), None
    if not transport.addresses([item.user_id]):
        return transport.lacking, None
    verdict = still_needed(facts(item, transport.name, known, now=now), now=now)
    return (f"not sent, {verdict.reason.words(own=own)}", verdict.reason.at) if verdict.reason else (Reason("early").words(own=own), None)


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"
