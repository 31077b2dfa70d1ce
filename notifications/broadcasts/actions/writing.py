"""The inbox rows of a broadcast: chunk after chunk by a worker, each with its checkpoint in one transaction."""

from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef
from django.utils import timezone

from core.delivery.publishing import NewEvent, publish, publish_many
from notifications import deliveries
from notifications.broadcasts.progress import progress_event
from notifications.broadcasts.recipients import people_of
from notifications.models import Broadcast, BroadcastChunk, InboxItem


def write_chunk(pk: int, *, size: int = 0) -> bool:
    """Write the rows of the next `size` people (BROADCAST_CHUNK without it), with a checkpoint, in one transaction.

    Killed anywhere, the next call goes on where the last commit stood: nobody twice, nobody missed. False when there is nothing left
    to do, or when another worker is doing it.
    """
    with transaction.atomic():
        # A second worker does not wait here: it has other broadcasts to write, and other jobs to do.
        sending = Broadcast.objects.select_for_update(of=("self",), no_key=True, skip_locked=True).filter(pk=pk, state="sending")
        made = sending.select_related("notification").first()
        if made is None:
            return False
        last = made.chunks.order_by("-number").first()
        people = people_of(made).order_by("pk")
        if last is not None:
            people = people.filter(pk__gt=get_user_model()._meta.pk.to_python(last.last_user))
        ends = _ends(people, size or settings.BROADCAST_CHUNK)
        if ends is None:
            _finish(made)
            return False
        written = _insert_items(made, people.filter(pk__lte=ends[1]))
        deliveries.write_for(made.notification, arrived_at=made.sent_at or made.created_at, first=ends[0], last=ends[1])
        number = last.number + 1 if last else 1
        _checkpoint(made, number=number, first=str(ends[0]), last=str(ends[1]), written=written)
        return True


def _ends(people: Any, size: int) -> tuple[Any, Any] | None:
    """The keys of the first and of the last of the next `size` people, who are in the order of their keys; None when nobody is left."""
    keys = people.values_list("pk", flat=True)
    first = keys.first()
    full = list(keys[size - 1 : size])
    last = full[0] if full else keys.last()
    return None if first is None or last is None else (first, last)


def _checkpoint(made: Broadcast, *, number: int, first: str, last: str, written: int) -> None:
    BroadcastChunk.objects.create(broadcast=made, number=number, first_user=first, last_user=last, written=written, done_at=timezone.now())
    Broadcast.objects.filter(pk=made.pk).update(written=F("written") + written)
    made.written += written
    grew = NewEvent(made.channel, "inbox.grew", {"first": first, "last": last}, key=str(made.pk))
    publish_many([grew, progress_event(made)])


def _finish(made: Broadcast) -> None:
    made.state, made.finished_at = "done", timezone.now()
    # Rows that people's own pages wrote before the worker came count too.
    made.written = InboxItem.objects.filter(notification=made.notification_id).count()
    made.save(update_fields=["state", "finished_at", "written"])
    publish_many([progress_event(made)])


def _insert_items(made: Broadcast, people: Any) -> int:
    """Give these people their rows by one INSERT ... SELECT; who has hers keeps it. Returns how many were written."""
    quote, user = connection.ops.quote_name, get_user_model()._meta
    key = quote(str(user.pk.column))
    select, parameters = people.order_by().values("pk").query.sql_with_params()
    # A WHERE must be there: without it SQLite reads ON CONFLICT as a join's ON.
    statement = (
        f"INSERT INTO {quote(InboxItem._meta.db_table)} (user_id, notification_id, arrived_at, version) "
        f"SELECT {key}, %s, %s, 1 FROM {quote(user.db_table)} WHERE {key} IN ({select}) "
        "ON CONFLICT DO NOTHING"
    )
    arrived_at = connection.ops.adapt_datetimefield_value(made.sent_at or made.created_at)
    with connection.cursor() as cursor:
        cursor.execute(statement, [made.notification_id, arrived_at, *parameters])
        return int(cursor.rowcount)


# --- sooner than the worker ---


def ensure_items(user: Any) -> None:
    """Give a person the rows that the worker has not written for her yet, so that her pages are right meanwhile. One query as a rule."""
    missing = Broadcast.objects.filter(state="sending").exclude(
        Exists(InboxItem.objects.filter(notification=OuterRef("notification"), user=user))
    )
    for made in missing.select_related("notification"):
        if people_of(made).filter(pk=user.pk).exists():
            _give(user, made)


def ensure_item(user: Any, notification: int) -> None:
    """Give a person her row of a broadcast that was stopped before the worker came to her: it stands on her screen, and she acts on it."""
    stopped = Broadcast.objects.filter(
        notification=notification, state__in=["paused", "cancelled"], sent_at__isnull=False, notification__withdrawn_at=None
    )
    for made in stopped.select_related("notification"):
        if people_of(made).filter(pk=user.pk).exists():
            _give(user, made)


def _give(user: Any, made: Broadcast) -> None:
    """Write her row, and have her other pages count it: they show it since it was sent."""
    item = InboxItem(user=user, notification=made.notification, arrived_at=made.sent_at or made.created_at)
    with transaction.atomic():
        InboxItem.objects.bulk_create([item], ignore_conflicts=True)
        publish(f"user:{user.pk}", "notification.state", {"what": "given", "rows": []})
