"""Saying it: the broadcast's rows, whom it is for, and the one event that brings it to every open page."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE
from django.db import IntegrityError, transaction
from django.utils import timezone

from core.delivery.publishing import NewEvent, publish_many
from core.jobs import wake
from notifications import audiences, drafts, policy
from notifications.audiences import Audience
from notifications.broadcasts.actions.noting import note
from notifications.broadcasts.progress import progress_event
from notifications.broadcasts.recipients import known_at
from notifications.errors import BadNotification
from notifications.models import Broadcast, Notification, Priority
from notifications.rows import Row

MAX_CHOSEN = 10_000
NO_RIGHT = "Not sent: whoever planned it may no longer send broadcasts."
NO_CRITICAL = "Not sent: whoever planned it may no longer send critical notifications."
NO_CHANNEL = "Not sent: whoever planned it may no longer read a channel whose watchers it is for."
NOBODY = "Not sent: nobody active is in its audience any more."


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
    markdown: bool = False,
    sender: Any = None,
    token: str = "",
) -> Broadcast:
    """Say it to everybody meant, at once or at a time. Who is meant is fixed when it is sent; people made later are not.

    It is on every page that is open as soon as this commits; the inbox rows follow in chunks, and whoever looks sooner has hers.
    The same `token` again, as from a second click, gives the first broadcast and sends nothing.
    Raises BadNotification and its kin (an audience of nobody); then nothing was stored. Who may do this: policy.may_broadcast.
    """
    if known := _sent_before(token, sender):
        return known
    now = timezone.now()
    draft = drafts.checked(
        now=now, title=title, body=body, url=url, category=category, priority=priority, actions=actions,
        expires_at=expires_at, deliver_at=send_at, data=data, markdown=markdown,
    )  # fmt: skip
    meant = fixed(audiences.resolve(audience))
    # Who will look at a channel then, nobody knows now.
    if not (meant.watching and draft.deliver_at) and not meant.people().exists():
        raise BadNotification("Nobody active is in this audience.", field="audience")
    try:
        with transaction.atomic():
            notification = Notification.objects.create(
                **draft.fields(), owner="" if sender is None else f"user:{sender.pk}", sender=sender,
                audience=list(meant.shown[:20]), created_at=now, updated_at=now,
            )  # fmt: skip
            made = Broadcast.objects.create(
                notification=notification, sender=sender, audience=meant.stored(), channel=meant.channel(), state="scheduled",
                send_at=draft.deliver_at, created_at=now, token=token or None,
            )  # fmt: skip
            if draft.deliver_at is None:
                _begin(made, now=now, flag=ADDITION)
            else:
                note(made, f"Planned for {draft.deliver_at:%Y-%m-%d %H:%M} UTC, to {_whom(meant)}.", by=sender, flag=ADDITION)
            return made
    except IntegrityError:
        # The other click was first, in this very moment.
        if known := _sent_before(token, sender):
            return known
        raise


def _sent_before(token: str, sender: Any) -> Broadcast | None:
    return Broadcast.objects.filter(token=token, sender=sender).select_related("notification").first() if token else None


def fixed(meant: Audience) -> Audience:
    """The audience without its query: the people whom it picks now. Raises BadNotification: too many of them."""
    return meant if meant.chosen is None else _by_keys(replace(meant, chosen=None), meant.chosen)


def _at_sending(meant: Audience) -> Audience:
    """The audience without its channels: the people who look at them now."""
    return meant if not meant.watching else _by_keys(replace(meant, watching=()), Audience(watching=meant.watching).people())


def _by_keys(rest: Audience, chosen: Any) -> Audience:
    keys = [str(key) for key in chosen.order_by("pk").values_list("pk", flat=True)[: MAX_CHOSEN + 1]]
    if len(keys) > MAX_CHOSEN:
        raise BadNotification(f"A broadcast takes at most {MAX_CHOSEN} people one by one; a group would do.", field="audience")
    return replace(rest, users=tuple(dict.fromkeys([*rest.users, *keys])))


def _begin(made: Broadcast, *, now: datetime, flag: int = CHANGE) -> None:
    """Show it on every open page and have the worker come. The caller holds the row, or has just made it."""
    meant = _at_sending(Audience.from_stored(made.audience))
    made.audience, people = meant.stored(), known_at(meant.people(), now)
    made.state, made.sent_at, made.total = "sending", now, people.count()
    made.last_user = str(people.order_by("-pk").values_list("pk", flat=True).first() or "")
    if not made.total:
        made.state, made.finished_at, made.reason = "done", now, NOBODY
    made.save(update_fields=["audience", "state", "sent_at", "total", "last_user", "finished_at", "reason"])
    Notification.objects.filter(pk=made.notification_id).update(delivered_at=now, updated_at=now)
    if made.total:
        people_meant = f"{made.total} {'person' if made.total == 1 else 'people'}"
        note(made, f"Sent to {_whom(meant)}: {people_meant}.", by=made.sender, flag=flag)
        publish_many([put_event(made), progress_event(made)])
        wake("broadcasts_due")
        wake("broadcast_figures")
    else:
        publish_many([progress_event(made)])


def _whom(meant: Audience) -> str:
    return ", ".join(meant.shown[:20])


def put_event(made: Broadcast, *, again: bool = False) -> NewEvent:
    """The one event that brings it to every page. Again: pages opened while it was paused get the row, and nobody a second toast."""
    assert made.sent_at is not None
    about = {"id": made.notification_id, "broadcast": made.pk, "row": Row.of(made.notification, arrived_at=made.sent_at).data()}
    return NewEvent(made.channel, "broadcast.put", about | ({"again": True} if again else {}), key=str(made.notification_id))


def begin_scheduled(pk: int, *, now: datetime) -> None:
    """Begin one that waited for its time, once; its sender's right is asked again, for it may have been taken since."""
    with transaction.atomic():
        waiting = Broadcast.objects.select_for_update(of=("self",), skip_locked=True).filter(pk=pk, state="scheduled")
        made = waiting.select_related("sender", "notification").first()
        if made is None or _has_expired(made.notification, now):
            return  # the expired is ended by the sweep, and must not show first
        if why := _no_right(made):
            _not_sent(made, why, now=now)
            return
        try:
            _begin(made, now=now)
        except BadNotification as error:
            # Who is meant cannot be found any more: trying it again for ever would tell nobody.
            _not_sent(made, f"Not sent: {error}"[:200], now=now)


def _not_sent(made: Broadcast, why: str, *, now: datetime) -> None:
    made.state, made.finished_at, made.reason = "cancelled", now, why
    made.save(update_fields=["state", "finished_at", "reason"])
    publish_many([progress_event(made)])


def _no_right(made: Broadcast) -> str:
    """Why whoever planned it may not send it now; empty when she may."""
    if made.sender is None:
        # Either this installation's own code sent it, or whoever did is no longer there.
        return NO_RIGHT if made.notification.owner else ""
    if not policy.may_broadcast(made.sender):
        return NO_RIGHT
    if not policy.may_watch(made.sender, Audience.from_stored(made.audience)):
        return NO_CHANNEL
    return "" if policy.may_say(made.sender, Priority(made.notification.priority)) else NO_CRITICAL


def _has_expired(notification: Notification, now: datetime) -> bool:
    return notification.expires_at is not None and notification.expires_at <= now
