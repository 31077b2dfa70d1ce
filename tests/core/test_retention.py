"""Nothing grows without end: every table has its rule, every rule its job, and the jobs take away what is old and nothing else."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.utils import timezone

from core import jobs, retention
from core.models import Event, SignIn
from notifications import actions
from notifications.actions.forgetting import forget_old
from notifications.models import Broadcast, BroadcastChunk, Delivery, InboxItem, Notification, Schedule

pytestmark = pytest.mark.django_db

DOCS = Path(__file__).resolve().parents[2] / "docs" / "care.md"
YEAR = timedelta(days=366)


def tables() -> set[str]:
    return {f"{model._meta.app_label}.{model.__name__}" for model in apps.get_models(include_auto_created=True)}


def test_every_table_has_a_rule():
    known = {rule.table for rule in retention.rules()}
    assert tables() - known == set(), "say with core.retention what trims this table, or what bounds it"
    assert known - tables() == set(), "no such table any more"


def test_every_rule_names_a_job_that_runs_by_itself():
    for rule in retention.rules():
        if rule.job:
            job = jobs.job(rule.job)
            assert job.enabled and (job.every or job.cron), rule


def test_the_docs_list_every_rule():
    text = DOCS.read_text()
    for rule in retention.rules():
        assert f"| `{rule.table}` | {f'`{rule.job}`: ' if rule.job else ''}{rule.why} |" in text


def test_sessions_go_an_hour_after_they_ran_out(alice: Any):
    now = timezone.now()
    for name, left in (("lives", timedelta(days=1)), ("just-ended", -timedelta(minutes=5)), ("ended", -timedelta(hours=2))):
        Session.objects.create(session_key=name, session_data="", expire_date=now + left)
        SignIn.objects.create(user=alice, session_key=name, last_seen=now, expires_at=now + left)
    assert retention.forget_ended(now=now) == 2
    assert set(Session.objects.values_list("session_key", flat=True)) == {"lives", "just-ended"}
    assert set(SignIn.objects.values_list("session_key", flat=True)) == {"lives", "just-ended"}


def test_the_admins_log_goes_after_keep_days(alice: Any, settings: Any):
    entry = LogEntry.objects.create(user=alice, object_repr="x", action_flag=1)
    later = timezone.now() + YEAR
    retention.forget_ended(now=timezone.now())
    assert LogEntry.objects.filter(pk=entry.pk).exists()
    settings.KEEP_DAYS = 0
    retention.forget_ended(now=later)
    assert LogEntry.objects.filter(pk=entry.pk).exists()
    settings.KEEP_DAYS = 365
    retention.forget_ended(now=later)
    assert not LogEntry.objects.filter(pk=entry.pk).exists()


def aged(title: str, user: Any) -> int:
    """Something that was said a long time ago."""
    sent = actions.notify([user], title=title)
    Notification.objects.filter(pk=sent.id).update(created_at=timezone.now() - YEAR, updated_at=timezone.now() - YEAR)
    InboxItem.objects.filter(notification=sent.id).update(arrived_at=timezone.now() - YEAR)
    return sent.id


def test_what_is_old_leaves_inboxes_and_open_pages_and_what_is_young_stays(bob: Any):
    old, read = aged("Old", bob), aged("Read", bob)
    actions.mark_read(bob, [read])
    young = actions.notify([bob], title="Young").id
    Event.objects.all().delete()
    assert forget_old() == 2
    assert list(Notification.objects.values_list("pk", flat=True)) == [young]
    assert not Delivery.objects.exclude(item__notification=young).exists()
    # Only the unread one was counted anywhere.
    [told] = Event.objects.filter(channel=f"user:{bob.pk}", type="notification.gone").values_list("data", flat=True)
    assert json.loads(told) == {"ids": [old]}


def test_what_is_put_off_or_still_to_come_stays(bob: Any):
    snoozed = aged("Snoozed", bob)
    actions.snooze(bob, [snoozed], until=timezone.now() + timedelta(days=1))
    InboxItem.objects.filter(notification=snoozed).update(arrived_at=timezone.now() - YEAR)
    coming = actions.notify([bob], title="Coming", deliver_at=timezone.now() + timedelta(days=1)).id
    Notification.objects.filter(pk=coming).update(created_at=timezone.now() - YEAR, updated_at=timezone.now() - YEAR)
    assert forget_old() == 0
    assert set(Notification.objects.values_list("pk", flat=True)) == {snoozed, coming}


def test_a_broadcast_goes_with_its_progress_and_one_that_is_sent_stays(alice: Any, bob: Any):
    done, sending = (actions.broadcast("all", title=title, sender=alice) for title in ("Done", "Sending"))
    long_ago = timezone.now() - YEAR
    Notification.objects.update(created_at=long_ago, updated_at=long_ago)
    Broadcast.objects.filter(pk=done.pk).update(state="done", finished_at=long_ago)
    BroadcastChunk.objects.create(broadcast=done, number=1, first_user="1", last_user="2", written=2, done_at=long_ago)
    Schedule.objects.create(name="hourly", slot=long_ago)
    forget_old()
    assert list(Broadcast.objects.values_list("pk", flat=True)) == [sending.pk]
    assert [row.title for row in Notification.objects.all()] == ["Sending"]
    assert not BroadcastChunk.objects.exists() and not Schedule.objects.exists()


def test_with_keep_days_0_nothing_is_forgotten(bob: Any, settings: Any):
    settings.KEEP_DAYS = 0
    aged("Old", bob)
    assert forget_old() == 0 and Notification.objects.count() == 1
