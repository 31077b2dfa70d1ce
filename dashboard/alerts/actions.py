"""Alerts at work: judging, telling, acknowledging, muting, changing rules; publishes how a rule stands. docs/alerts.md.

A rule's row is locked from before its due rows are read until what came of it has committed: each value is judged once, whoever judges.
"""

import logging
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import router, transaction
from django.utils import timezone

from core import jobs, sinks
from core.delivery.publishing import publish
from dashboard import actions, values
from dashboard.alerts import machine, reading, seeing, shown, telling
from dashboard.alerts.machine import State, Verdict
from dashboard.alerts.noting import JOB
from dashboard.models import AlertDue, AlertRule, Sample, Widget

logger = logging.getLogger(__name__)

AT_ONCE = 100  # rules in one transaction
MOST_DUE = 2000  # stretches of values that these have judged at once: after an hour without a worker there are many
RETRY = timedelta(minutes=1)  # until people are told again whom nobody could tell
_STANDING = [
    "state", "since", "judged", "value", "line", "fired", "due_at", "told",
    "acknowledged_by", "acknowledged_at", "late_breaches", "late_at",
]  # fmt: skip


# --- judging ---


def judge_now() -> int:
    """The job: judge what is due. Returns how many rules that were."""
    return judge(now=timezone.now())


def judge(*, now: datetime) -> int:
    """Judge every rule that has new values, or whose time has come."""
    AlertDue.objects.filter(rule__enabled=False).delete()
    waiting = set(AlertDue.objects.values_list("rule", flat=True).distinct())
    waiting |= set(AlertRule.objects.filter(enabled=True, due_at__lte=now).values_list("pk", flat=True))
    pks = sorted(waiting)
    for start in range(0, len(pks), AT_ONCE):
        is_full = True
        while is_full:
            with transaction.atomic(using=_alias()):
                is_full = _judge_locked(pks[start : start + AT_ONCE], now)
    return len(pks)


def _judge_locked(pks: Collection[int], now: datetime) -> bool:
    """Judge these rules by their oldest due values. Whether there may be more of them."""
    rules = list(_locked(pks).filter(enabled=True))
    due = list(AlertDue.objects.filter(rule__in=[rule.pk for rule in rules]).order_by("pk")[:MOST_DUE])
    new, lines = seeing.new_values(due, now=values.microseconds(now)), seeing.lines_of(rules)
    _note_late(rules, due, now)
    for rule in rules:
        _judge_one(rule, new.get(rule.pk, []), lines[rule.pk], now)
    for first in range(0, len(due), 500):
        AlertDue.objects.filter(pk__in=[one.pk for one in due[first : first + 500]]).delete()
    return len(due) == MOST_DUE


def _note_late(rows: Collection[AlertRule], due: Collection[AlertDue], now: datetime) -> None:
    """What came too late to change how a rule stands is judged all the same, and can be read at the rule."""
    rules = {row.pk: rule for row in rows if (rule := reading.rule_of(row)) and not rule.is_silence}
    late = seeing.late_breaches(due, rules, now=values.microseconds(now))
    for row in rows:
        if row.pk in late:
            row.late_breaches, row.late_at = row.late_breaches + late[row.pk].count, max(row.late_at or 0, late[row.pk].newest)


def _judge_one(row: AlertRule, new: list[seeing.Value], lines: dict[int, str], now: datetime) -> None:
    rule, standing = reading.rule_of(row), reading.standing_of(row)
    if rule is None:
        row.due_at = now + RETRY  # its widget may be set going again
        row.save(update_fields=["due_at"])
        return
    whose: dict[int, str] = {}
    if rule.is_silence:
        last = seeing.newest(lines)
        looked = [machine.Seen(last.at, last.value)] if last else []
    else:
        looked, whose = seeing.seen(standing, new, lines, rule)
    verdict = machine.judge(rule, standing, looked, now=values.microseconds(now))
    before = shown.facts(row)
    _take(row, verdict, whose)
    row.due_at = _due(verdict)
    _tell(row, verdict, now)
    row.save(update_fields=_STANDING)
    if shown.facts(row) != before:
        _show(row)


def _take(row: AlertRule, verdict: Verdict, whose: dict[int, str]) -> None:
    """Let the row stand as the verdict says."""
    now = verdict.standing
    if now.judged in whose:
        row.line = whose[now.judged]
    row.state, row.since, row.judged, row.value, row.fired = now.state.value, now.since, now.judged, now.value, list(now.fired)
    if not now.is_firing:
        row.acknowledged_by, row.acknowledged_at = None, None


def _due(verdict: Verdict) -> datetime | None:
    return None if verdict.due is None else values.moment(verdict.due)


def _tell(row: AlertRule, verdict: Verdict, now: datetime) -> None:
    """Tell people what they do not know yet, and remember it."""
    is_muted = reading.is_muted(row, now)
    if verdict.standing.is_firing:
        if not row.told and is_muted:
            row.due_at = min(filter(None, (row.due_at, row.muted_until)))
        elif not row.told:
            row.told = _said(row, telling.firing(row), now)
    elif row.told:
        row.told = not _said(
            row, telling.resolved(row, now=now, is_quiet=is_muted or verdict.standing.flaps(values.microseconds(now))), now
        )
    elif verdict.fired and not is_muted:
        _said(row, telling.was_firing(row, now=now), now)


def _said(row: AlertRule, alert: sinks.Alert, now: datetime) -> bool:
    """Whether it could be said; else it is tried again."""
    try:
        with transaction.atomic(using=_alias()):
            if alert.people:
                sinks.alerts.tell(alert)
    except Exception:
        # Whatever a taker raises: the alert's state is kept, and people are told as soon as it can be done.
        logger.exception("nobody could be told of the alert %s", row.pk)
        row.due_at = min(filter(None, (row.due_at, now + RETRY)))
        return False
    return True


def _show(row: AlertRule) -> None:
    publish(f"dashboard:{row.widget.dashboard_id}", "widget.config", {"alert": shown.facts(row)}, key=f"{row.widget_id}/alert-{row.pk}")


# --- what people do about it ---


def acknowledge(pk: int, *, by: Any, now: datetime) -> bool:
    """Say on all pages and in the inbox item who has taken care of it, until it is over. False: it does not fire, or is taken."""
    with transaction.atomic(using=_alias()):
        row = _locked([pk]).first()
        if row is None or not reading.standing_of(row).is_firing or row.acknowledged_at is not None:
            return False
        row.acknowledged_by, row.acknowledged_at = by, now
        row.save(update_fields=["acknowledged_by", "acknowledged_at"])
        if row.told:
            _said(row, telling.acknowledged(row), now)
        _show(row)
    return True


def mute(pk: int, *, until: datetime | None, now: datetime) -> None:
    """Tell nobody of this rule until then; what still fires then is told. None: no longer muted."""
    with transaction.atomic(using=_alias()):
        row = _locked([pk]).get()
        row.muted_until = until
        # Unmuted, what fires is told at once.
        row.due_at = now if until is None else row.due_at
        row.save(update_fields=["muted_until", "due_at"])
        _show(row)
        jobs.wake(JOB)


# --- rules ---


def save_rule(rule: AlertRule, *, seen: int | None = None) -> AlertRule:
    """Create or change a rule; what its widget shows now is judged by it at once. Raises ValidationError; Problem as save_widget.

    `seen`: the revision of the widget that the change was made to.
    """
    with transaction.atomic(using=_alias()):
        if rule.pk:
            known = _locked([rule.pk]).get()
            for name in _STANDING:
                setattr(rule, name, getattr(known, name))
            if known.series != rule.series or not rule.enabled:
                _end(rule)
        rule.judged, rule.due_at = 0, timezone.now() if rule.enabled else None
        rule.late_breaches, rule.late_at = 0, None
        rule.full_clean(exclude=["due_at"])
        rule.save()
        _judge_again(rule)
        actions.save_widget(Widget.objects.get(pk=rule.widget_id), seen=seen)
    return rule


def remove_rule(rule: AlertRule, *, seen: int | None = None) -> None:
    """Delete a rule; what it told of is said to be over."""
    with transaction.atomic(using=_alias()):
        for known in _locked([rule.pk]):
            known.delete()
        actions.save_widget(Widget.objects.get(pk=rule.widget_id), seen=seen)


def rule_goes(rule: AlertRule) -> None:
    """Of a rule that is being deleted, also with its widget or its board: who was told that it fires hears that it does no more."""
    if rule.told:
        _said(rule, telling.ended(rule), timezone.now())


def _end(rule: AlertRule) -> None:
    """Nothing of it goes on."""
    rule_goes(rule)
    rule.told, rule.state, rule.since, rule.value, rule.line = False, State.OK.value, values.microseconds(timezone.now()), None, ""
    rule.acknowledged_by, rule.acknowledged_at = None, None


def _judge_again(rule: AlertRule) -> None:
    """Have the newest value of each series judged, as if it came now."""
    if rule.enabled and not reading.standing_of(rule).judged:
        # What is history has not come late: nobody would have judged it.
        news = Sample.objects.filter(at__gt=values.microseconds(timezone.now()) - seeing.NEWS)
        for series in seeing.lines_of([rule])[rule.pk]:
            newest = news.filter(series=series).order_by("-at").values_list("pk", flat=True).first()
            if newest is not None:
                AlertDue.objects.create(rule=rule, series=series, first=newest, last=newest)
    jobs.wake(JOB)


# --- small things ---


def _locked(pks: Iterable[int]) -> Any:
    """These rules with their widgets and boards, locked in the order of their keys."""
    rows = AlertRule.objects.select_for_update(no_key=True, of=("self",)).select_related("widget__dashboard", "acknowledged_by")
    return rows.filter(pk__in=list(pks)).order_by("pk")


def _alias() -> str:
    return router.db_for_write(AlertRule)
