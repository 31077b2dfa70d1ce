"""Delivery rows are written with what they deliver, in its transaction, one statement for each way however many people there are."""

from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet, Value

from core import jobs
from notifications import categories, transports
from notifications.deliveries.facts import MENTION
from notifications.deliveries.reasons import Reason
from notifications.models import Delivery, InboxItem, Mute, Notification, Preference, Priority
from notifications.transports import Transport


def write_for(notification: Notification, *, arrived_at: datetime, first: Any = None, last: Any = None) -> int:
    """Owe it to everybody who has an item of it, every way that she wants and can be reached; who is owed already stays as she is.

    In the caller's transaction, after the items. `first` and `last`: only people with keys in between (a broadcast's chunk).
    Costs nothing where no way applies. Returns how many rows were written.
    """
    if notification.priority == Priority.LOW:
        return 0
    return sum(_write_one(transport, notification, arrived_at, first, last) for transport in applying(notification.category))


def applying(category: str) -> list[Transport[Any]]:
    """The ways that a category may go here at all."""
    kind = categories.of(category)
    return [one for one in transports.all_known() if one.is_set_up() and (kind.shown or one.name in kind.mandatory)]


def _write_one(transport: Transport[Any], notification: Notification, arrived_at: datetime, first: Any, last: Any) -> int:
    items = _wanting(transport, notification.category)
    if items is None:
        return 0
    items = items.filter(notification=notification)
    if first is not None:
        items = items.filter(user__gte=first, user__lte=last)
    due_at = due(transport, notification, arrived_at=arrived_at)
    written = _insert(items, transport.name, due_at)
    if written and due_at <= arrived_at:
        jobs.wake(job_of(transport))
    return written


def _wanting(transport: Transport[Any], category: str) -> QuerySet[InboxItem] | None:
    """The items of whoever wants this category this way and can be reached so; None where nobody does."""
    kind, items = categories.of(category), InboxItem.objects.filter(user__in=transport.reachable())
    if transport.name in kind.mandatory:
        return items
    said = Preference.objects.filter(category=kind.name, transport=transport.name)
    if transport.name in kind.on:
        return items.exclude(Exists(said.filter(user=OuterRef("user"), enabled=False)))
    wanted = said.filter(enabled=True)
    return items.filter(Exists(wanted.filter(user=OuterRef("user")))) if wanted.exists() else None


def due(transport: Transport[Any], notification: Notification, *, arrived_at: datetime) -> datetime:
    """When it is to go out: after its grace, in which a page may have shown it; what is urgent, or sent whatever was shown, at once."""
    at_once = notification.priority >= Priority.HIGH or categories.of(notification.category).is_sent_always(transport.name)
    return arrived_at + timedelta(seconds=0.0 if at_once else transport.grace)


def job_of(transport: Transport[Any]) -> str:
    """The name of the job that works off what is due this way."""
    return f"deliveries_{transport.name}"


def _insert(items: QuerySet[InboxItem], transport: str, due_at: datetime) -> int:
    select, parameters = items.order_by().values_list("pk", Value(transport)).query.sql_with_params()
    # A WHERE must be there: without it SQLite reads ON CONFLICT as a join's ON.
    statement = (
        f"INSERT INTO {connection.ops.quote_name(Delivery._meta.db_table)} (item_id, transport, state, due_at, attempts, reason) "
        f"SELECT owed.*, 'due', %s, 0, '' FROM ({select}) AS owed WHERE 1 = 1 ON CONFLICT DO NOTHING"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [connection.ops.adapt_datetimefield_value(due_at), *parameters])
        return int(cursor.rowcount)


def start_grace(notification: Notification, *, now: datetime) -> None:
    """What was planned is shown only now: pages have their time to show it from here on, and what is urgent goes out at once."""
    owed = Delivery.objects.filter(item__notification=notification, state="due", attempts=0)
    for transport in applying(notification.category):
        due_at = due(transport, notification, arrived_at=now)
        waiting = owed.filter(transport=transport.name).update(due_at=due_at)
        if waiting and due_at <= now:
            jobs.wake(job_of(transport))


def write_again(notification: Notification, *, arrived_at: datetime) -> None:
    """What people had has become news once more (replaced, or back from a snooze): owe it anew, also where it was delivered before."""
    rewrite(InboxItem.objects.filter(notification=notification), notification, arrived_at=arrived_at)
    write_for(notification, arrived_at=arrived_at)


def rewrite(items: QuerySet[InboxItem], notification: Notification, *, arrived_at: datetime) -> None:
    """Owe these items anew where they have been owed. Whoever is sending one of them now finds his lease gone, and it goes out again."""
    if notification.priority == Priority.LOW:
        return
    for transport in applying(notification.category):
        due_at = due(transport, notification, arrived_at=arrived_at)
        owed = Delivery.objects.filter(item__in=items, transport=transport.name)
        again = owed.update(state="due", due_at=due_at, leased_until=None, attempts=0, reason="", finished_at=None)
        if again and due_at <= arrived_at:
            jobs.wake(job_of(transport))


def muted_by(notification: Notification) -> set[Any]:
    """Who hears nothing of it, because she muted the room or dashboard that it is about (primary keys)."""
    if not notification.channel:
        return set()
    levels = ["nothing"] if notification.category == MENTION else ["nothing", "mentions"]
    return set(Mute.objects.filter(channel=notification.channel, level__in=levels).values_list("user_id", flat=True))


def cancel_for(notifications: Any, *, now: datetime) -> int:
    """These have been withdrawn (primary keys): what is still due of them is owed no more. Returns how many.

    What a worker holds and has not begun to send stays unsent too (`leasing.begin`); what is on its way is noted as sent when it arrives.
    """
    with transaction.atomic():
        owed = Delivery.objects.filter(item__notification__in=notifications, state__in=["due", "leased"])
        return owed.update(state="skipped", reason=Reason("withdrawn", now).stored(), finished_at=now)
