"""One message to an audience of any size: one event to everybody's pages now, the inbox rows by a worker in chunks."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from core.delivery.publishing import NewEvent, publish_many
from core.jobs import wake
from notifications import audiences, drafts, policy
from notifications.audiences import Audience
from notifications.errors import BadNotification, WrongState
from notifications.models import Broadcast, BroadcastChunk, InboxItem, Notification, Priority
from notifications.rows import Row

CHUNK = 10_000
MAX_CHOSEN = 10_000


def broadcast(
    audience: object,
    *,
    title: str,
    body: str = "",
    url: str = "",
    category: str = "broadcast",
    priority: Priority = Priority.NORMAL,
    actions: Iterable[Mapping[str, str]] = (),
    expires_at: datetime | None = None,
    send_at: datetime | None = None,
    data: Mapping[str, Any] | None = None,
    sender: Any = None,
) -> Broadcast:
    """Say it to everybody meant, at once or at a time. Who is meant is fixed when it is sent; people made later are not.

    It is on every page that is open as soon as this commits; the inbox rows follow in chunks, and whoever looks sooner has hers.
    Raises BadNotification and its kin (an audience of nobody); then nothing was stored. Who may do this: policy.may_broadcast.
    """
    now = timezone.now()
    draft = drafts.checked(
        now=now, title=title, body=body, url=url, category=category, priority=priority, actions=actions,
        expires_at=expires_at, deliver_at=send_at, data=data,
    )  # fmt: skip
    meant = _fixed(audiences.resolve(audience))
    # Who will look at a channel then, nobody knows now.
    if not (meant.watching and draft.deliver_at) and not meant.people().exists():
        raise BadNotification("Nobody active is in this audience.", field="audience")
    with transaction.atomic():
        notification = Notification.objects.create(
            **draft.fields(), owner="" if sender is None else f"user:{sender.pk}", sender=sender, audience=list(meant.shown[:20]),
            created_at=now, updated_at=now,
        )  # fmt: skip
        made = Broadcast.objects.create(
            notification=notification, sender=sender, audience=meant.stored(), channel=meant.channel(), state="scheduled",
            send_at=draft.deliver_at, created_at=now,
        )  # fmt: skip
        if draft.deliver_at is None:
            _begin(made, now=now)
        return made


def _fixed(meant: Audience) -> Audience:
    """The audience without its query: the people whom it picks now."""
    return meant if meant.chosen is None else _by_keys(replace(meant, chosen=None), meant.chosen)


def _at_sending(meant: Audience) -> Audience:
    """The audience without its channels: the people who look at them now."""
    return meant if not meant.watching else _by_keys(replace(meant, watching=()), Audience(watching=meant.watching).people())


def _by_keys(rest: Audience, chosen: Any) -> Audience:
    keys = [str(key) for key in chosen.order_by("pk").values_list("pk", flat=True)[: MAX_CHOSEN + 1]]
    if len(keys) > MAX_CHOSEN:
        raise BadNotification(f"A broadcast takes at most {MAX_CHOSEN} people one by one; a group would do.", field="audience")
    return replace(rest, users=tuple(dict.fromkeys([*rest.users, *keys])))


def people_of(made: Broadcast) -> Any:
    """The active people whom a broadcast that has been sent is for."""
    user_model = get_user_model()
    last = user_model._meta.pk.to_python(made.last_user)
    return Audience.from_stored(made.audience).people().filter(pk__lte=last)


def ensure_items(user: Any) -> None:
    """Give a person the rows that the worker has not written for her yet, so that her pages are right meanwhile. One query as a rule."""
    for made in Broadcast.objects.filter(state="sending").select_related("notification"):
        mine = InboxItem.objects.filter(notification=made.notification, user=user)
        if not mine.exists() and people_of(made).filter(pk=user.pk).exists():
            InboxItem.objects.bulk_create(
                [InboxItem(user=user, notification=made.notification, arrived_at=made.sent_at or made.created_at)], ignore_conflicts=True
            )


def ensure_item(user: Any, notification: int) -> None:
    """Give a person her row of a broadcast that was stopped before the worker came to her: it stands on her screen, and she acts on it."""
    stopped = Broadcast.objects.filter(
        notification=notification, state__in=["paused", "cancelled"], sent_at__isnull=False, notification__withdrawn_at=None
    )
    for made in stopped.select_related("notification"):
        if people_of(made).filter(pk=user.pk).exists():
            InboxItem.objects.bulk_create(
                [InboxItem(user=user, notification=made.notification, arrived_at=made.sent_at or made.created_at)], ignore_conflicts=True
            )


# --- sending ---


def _begin(made: Broadcast, *, now: datetime) -> None:
    """Show it on every open page and have the worker come. The caller holds the row, or has just made it."""
    meant = _at_sending(Audience.from_stored(made.audience))
    made.audience, people = meant.stored(), meant.people()
    made.state, made.sent_at, made.total = "sending", now, people.count()
    made.last_user = str(people.order_by("-pk").values_list("pk", flat=True).first() or "")
    if not made.total:
        made.state, made.finished_at = "done", now
    made.save(update_fields=["audience", "state", "sent_at", "total", "last_user", "finished_at"])
    Notification.objects.filter(pk=made.notification_id).update(delivered_at=now, updated_at=now)
    if made.total:
        row = Row.of(made.notification, arrived_at=now)
        about = {"id": made.notification_id, "broadcast": made.pk, "row": row.data()}
        publish_many([NewEvent(made.channel, "broadcast.put", about, key=str(made.notification_id)), _progress(made)])
        wake("broadcasts_due")


def _progress(made: Broadcast) -> NewEvent:
    about = {"state": made.state, "total": made.total, "written": made.written}
    return NewEvent(f"broadcast:{made.pk}", "progress", about, key="progress")


def work_off_due(now: datetime | None = None) -> None:
    """The job `broadcasts_due`: begin what is scheduled for now, end what has expired, write the rows of all that is being sent."""
    now = now or timezone.now()
    for pk in _keys(state="scheduled", send_at__lte=now):
        _begin_scheduled(pk, now=now)
    for pk in _keys(notification__expires_at__lte=now, notification__withdrawn_at=None):
        _expire(pk, now=now)
    for pk in _keys(state="sending"):
        while write_chunk(pk):
            pass


def _keys(**conditions: Any) -> list[int]:
    return list(Broadcast.objects.filter(**conditions).order_by("pk").values_list("pk", flat=True)[:100])


def _begin_scheduled(pk: int, *, now: datetime) -> None:
    with transaction.atomic():
        made = (
            Broadcast.objects.select_for_update(of=("self",))
            .filter(pk=pk, state="scheduled")
            .select_related("sender", "notification")
            .first()
        )
        if made is None:
            return
        # Asked again: the right to send may have been taken since.
        if made.sender is not None and not policy.may_broadcast(made.sender):
            Broadcast.objects.filter(pk=pk).update(state="cancelled", finished_at=now)
            return
        _begin(made, now=now)


def _expire(pk: int, *, now: datetime) -> None:
    with transaction.atomic():
        made = Broadcast.objects.get(pk=pk)
        claimed = Notification.objects.filter(pk=made.notification_id, withdrawn_at=None).update(withdrawn_at=now)
        if claimed != 1:
            return
        Broadcast.objects.filter(pk=pk, state__in=["scheduled", "sending", "paused"]).update(state="cancelled", finished_at=now)
        publish_many([NewEvent(made.channel, "broadcast.gone", {"id": made.notification_id}, key=str(made.notification_id))])


# --- steering ---


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
    """Lead a broadcast from one of these states to the next. A chunk that is being written is finished first: it holds the row."""
    now = timezone.now()
    with transaction.atomic():
        made = Broadcast.objects.select_for_update(of=("self",)).select_related("notification").get(pk=pk)
        if made.state not in states:
            raise WrongState(f"A broadcast that is {made.state} cannot be {verb}.", field="state", allowed=sorted(states))
        made.state = states[made.state]
        if made.state == "sending" and made.sent_at is None:
            # Paused before its time: it waits for it again, or is late and begins at the next sweep.
            made.state = "scheduled"
        made.finished_at = now if made.state == "cancelled" else None
        made.save(update_fields=["state", "finished_at"])
        if withdraw:
            _withdraw_locked(made, now=now)
        if by is not None:
            _note(made, verb, by=by)
        publish_many([_progress(made)])
        wake("broadcasts_due")
        return made


def _note(made: Broadcast, verb: str, *, by: Any) -> None:
    """The audit trail: the admin's own history of the broadcast."""
    about = {"content_type": ContentType.objects.get_for_model(Broadcast), "object_id": str(made.pk), "object_repr": str(made)[:200]}
    LogEntry.objects.create(user=by, action_flag=CHANGE, change_message=verb.capitalize() + ".", **about)


def _withdraw_locked(made: Broadcast, *, now: datetime) -> None:
    """Take it off screens and out of inboxes; once."""
    if (
        Notification.objects.filter(pk=made.notification_id, withdrawn_at=None).update(withdrawn_at=now, updated_at=now) == 1
        and made.sent_at
    ):
        publish_many([NewEvent(made.channel, "broadcast.gone", {"id": made.notification_id}, key=str(made.notification_id))])


# --- writing the rows ---


def write_chunk(pk: int, *, size: int = CHUNK) -> bool:
    """Write the rows of the next `size` people, with a checkpoint, in one transaction. False when there is nothing left to do.

    Killed anywhere, the next call goes on where the last commit stood: nobody twice, nobody missed.
    """
    with transaction.atomic():
        made = Broadcast.objects.select_for_update().filter(pk=pk, state="sending").first()
        if made is None:
            return False
        last = made.chunks.order_by("-number").first()
        people = people_of(made).order_by("pk")
        if last is not None:
            people = people.filter(pk__gt=get_user_model()._meta.pk.to_python(last.last_user))
        keys = list(people.values_list("pk", flat=True)[:size])
        if not keys:
            _finish(made)
            return False
        written = _insert_items(made, people.filter(pk__lte=keys[-1]))
        number = last.number + 1 if last else 1
        _checkpoint(made, number=number, first=str(keys[0]), last=str(keys[-1]), written=written)
        return True


def _checkpoint(made: Broadcast, *, number: int, first: str, last: str, written: int) -> None:
    BroadcastChunk.objects.create(broadcast=made, number=number, first_user=first, last_user=last, written=written, done_at=timezone.now())
    Broadcast.objects.filter(pk=made.pk).update(written=F("written") + written)
    made.written += written
    grew = NewEvent(made.channel, "inbox.grew", {"first": first, "last": last}, key=str(made.pk))
    publish_many([grew, _progress(made)])


def _finish(made: Broadcast) -> None:
    made.state, made.finished_at = "done", timezone.now()
    # Rows that people's own pages wrote before the worker came count too.
    made.written = InboxItem.objects.filter(notification=made.notification_id).count()
    made.save(update_fields=["state", "finished_at", "written"])
    publish_many([_progress(made)])


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
