"""Broadcasts that recur: a row with its next time, swept like all that is due. A slot is a row, so each is sent once.

After everything was down, the newest slot that was missed goes out if it is at most CATCH_UP late; older news is no news, and left out.
"""

import logging
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import DatabaseError, IntegrityError, transaction
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule

from notifications import audiences, drafts, policy
from notifications.audiences import Audience
from notifications.broadcasts import cron
from notifications.broadcasts.actions.noting import note
from notifications.broadcasts.actions.sending import broadcast, fixed
from notifications.broadcasts.cron import BadCron, Cron
from notifications.errors import BadNotification
from notifications.models import Broadcast, Priority, Recurrence, Schedule

logger = logging.getLogger(__name__)

CATCH_UP = timedelta(hours=1)
NO_RIGHT = "Switched off: whoever planned it may no longer send broadcasts."
NEVER = "This timetable names no time that ever comes."


def recur(
    audience: object, times: str, *, zone: str = "UTC", title: str, body: str = "", url: str = "",
    priority: Priority = Priority.NORMAL, markdown: bool = False, sender: Any, token: str = "",
) -> Recurrence:  # fmt: skip
    """Plan a broadcast for every time that five cron fields name. Who is meant is found anew each time.

    Raises BadNotification and its kin: a bad timetable, one that never comes, an audience of nobody; then nothing was stored.
    """
    now = timezone.now()
    if known := _planned_before(token, sender):
        return known
    table, clock = _read(times), _zone(zone)
    next_at = _coming(table, clock, now)
    said = drafts.checked(now=now, title=title, body=body, url=url, priority=priority, markdown=markdown)
    meant = fixed(audiences.resolve(audience))
    if not meant.watching and not meant.people().exists():
        raise BadNotification("Nobody active is in this audience.", field="audience")
    says = {"title": said.title, "body": said.body, "url": said.url, "priority": int(said.priority), "markdown": said.markdown}
    try:
        with transaction.atomic():
            made = Recurrence.objects.create(
                title=said.title, says=says, audience=meant.stored(), crontab=_crontab(table, clock), sender=sender, next_at=next_at,
                created_at=now, token=token or None,
            )  # fmt: skip
            note(made, f"Planned for {times} ({zone}).", by=sender, flag=1)
            return made
    except IntegrityError:
        # The other click was first, in this very moment.
        if known := _planned_before(token, sender):
            return known
        raise


def _planned_before(token: str, sender: Any) -> Recurrence | None:
    return Recurrence.objects.filter(token=token, sender=sender).first() if token else None


def _crontab(table: Cron, clock: ZoneInfo) -> CrontabSchedule:
    minute, hour, day, month, weekday = table.words
    fields = {"minute": minute, "hour": hour, "day_of_month": day, "month_of_year": month, "day_of_week": weekday, "timezone": clock}
    # Nothing keeps its table from holding two equal rows, at which get_or_create would raise.
    return CrontabSchedule.objects.filter(**fields).order_by("pk").first() or CrontabSchedule.objects.create(**fields)


def switch(made: Recurrence, *, on: bool, by: Any) -> bool:
    """Switch a recurring broadcast on or off. What was missed meanwhile is not sent. False when it stood so already.

    Off always works. Raises BadNotification: on, with a timetable that was broken by hand meanwhile.
    """
    now = timezone.now()
    with transaction.atomic():
        row = Recurrence.objects.select_for_update(of=("self",)).select_related("crontab").get(pk=made.pk)
        if row.enabled == on:
            return False
        row.enabled, row.reason = on, ""
        if on:
            row.next_at = _coming(_read(_times(row)), row.crontab.timezone, now)
        row.save(update_fields=["enabled", "reason", "next_at"])
        note(row, "Switched on." if on else "Switched off.", by=by)
        return True


def work_off_recurring(now: datetime | None = None) -> None:
    """The job `broadcasts_recurring`: send every slot that has come, once."""
    now = now or timezone.now()
    for pk in list(Recurrence.objects.filter(enabled=True, next_at__lte=now).order_by("pk").values_list("pk", flat=True)[:100]):
        try:
            _work_off(pk, now=now)
        except BadCron as error:
            # Somebody changed the timetable by hand.
            Recurrence.objects.filter(pk=pk).update(enabled=False, reason=str(error)[:200])
        except DatabaseError as error:
            logger.warning("The recurring broadcast %s waits for the next sweep: %s", pk, type(error).__name__)


def _work_off(pk: int, *, now: datetime) -> None:
    with transaction.atomic():
        due = Recurrence.objects.select_for_update(of=("self",), skip_locked=True).filter(pk=pk, enabled=True, next_at__lte=now)
        row = due.select_related("crontab", "sender").first()
        if row is None:
            return
        slot, row.next_at = _newest_slot(row, now), _next(row, now)
        row.reason = "" if row.next_at else NEVER
        if row.sender is None or not policy.may_broadcast(row.sender):
            row.enabled, row.reason = False, NO_RIGHT
        elif slot is not None:
            row.reason = _send(row, slot) or row.reason
        row.save(update_fields=["next_at", "enabled", "reason"])


def _newest_slot(row: Recurrence, now: datetime) -> datetime | None:
    """The newest slot that has come, unless it is too late for it."""
    table, clock = _table(row), row.crontab.timezone
    assert row.next_at is not None
    slot = row.next_at if row.next_at >= now - CATCH_UP else table.after(now - CATCH_UP, zone=clock)
    while slot is not None and (later := table.after(slot, zone=clock)) is not None and later <= now:
        slot = later
    return slot if slot is not None and slot <= now else None


def _send(row: Recurrence, slot: datetime) -> str:
    """Send one slot, once; returns what was wrong with it."""
    try:
        with transaction.atomic():
            claimed = Schedule.objects.create(name=f"recurring-{row.pk}", slot=slot)
    except IntegrityError:
        return ""
    try:
        with transaction.atomic():
            made = _broadcast(row)
    except BadNotification as error:
        return f"Not sent at {slot:%Y-%m-%d %H:%M} UTC: {error}"[:200]
    Schedule.objects.filter(pk=claimed.pk).update(broadcast=made)
    return ""


def _broadcast(row: Recurrence) -> Broadcast:
    said = {**row.says, "priority": Priority(row.says["priority"])}
    meant = Audience.from_stored(row.audience)
    policy.check_priority(row.sender, said["priority"])
    policy.check_may_watch(row.sender, meant)
    return broadcast(meant, **said, sender=row.sender)


def _next(row: Recurrence, now: datetime) -> datetime | None:
    return _table(row).after(now, zone=row.crontab.timezone)


def _coming(table: Cron, clock: ZoneInfo, now: datetime) -> datetime:
    """The next time; refused where there is none."""
    found = table.after(now, zone=clock)
    if found is None:
        raise BadNotification(NEVER, field="repeats")
    return found


def _table(row: Recurrence) -> Cron:
    return cron.read(_times(row))


def _times(row: Recurrence) -> str:
    one = row.crontab
    return " ".join([one.minute, one.hour, one.day_of_month, one.month_of_year, one.day_of_week])


def _read(times: str) -> Cron:
    try:
        return cron.read(times)
    except BadCron as error:
        raise BadNotification(str(error), field="repeats") from None


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        raise BadNotification("There is no such time zone; it is written Europe/Berlin.", field="zone") from None
