"""What people are told of an alert. Everything about one rule has one key, so that it is one item in each inbox."""

from datetime import datetime

from core.sinks import Alert
from dashboard import values
from dashboard.alerts import audience, reading
from dashboard.alerts.machine import SECOND
from dashboard.models import AlertRule
from dashboard.widgets.figures import span

QUIETLY, NORMAL = 1, 2  # as core.sinks.Alert says


def firing(rule: AlertRule) -> Alert:
    return _said(rule, f"Alert: {rule.name}", _now(rule), priority=rule.severity)


def acknowledged(rule: AlertRule) -> Alert:
    by = rule.acknowledged_by.get_username() if rule.acknowledged_by else "somebody"
    return _said(rule, f"Alert: {rule.name}", f"{_now(rule)} Acknowledged by {by}.", priority=QUIETLY)


def resolved(rule: AlertRule, *, now: datetime, is_quiet: bool) -> Alert:
    return _said(rule, f"Resolved: {rule.name}", f"{_now(rule)}{_lasted(rule, now)}", priority=QUIETLY if is_quiet else NORMAL)


def was_firing(rule: AlertRule, *, now: datetime) -> Alert:
    """Of what began and was over before anybody could be told."""
    return _said(rule, f"Resolved: {rule.name}", f"It was {reading.limit(rule)} for a moment. {_now(rule)}", priority=NORMAL)


def ended(rule: AlertRule) -> Alert:
    return _said(rule, f"Resolved: {rule.name}", "The rule was changed, switched off or removed.", priority=QUIETLY)


def _said(rule: AlertRule, title: str, body: str, *, priority: int) -> Alert:
    people = audience.people_of(rule)
    return Alert(f"alert-{rule.pk}", people, title[:200], body, address(rule), priority, f"dashboard:{rule.widget.dashboard_id}")


def address(rule: AlertRule) -> str:
    """The page about the alerts of a widget."""
    return f"/dashboards/{rule.widget.dashboard.slug}/{rule.widget.slug}/alerts/"


def _now(rule: AlertRule) -> str:
    value = reading.newest(rule)
    where = f"{rule.widget.dashboard.title} / {rule.widget.title}"
    return f"{where} is at {value}; the alert is for {reading.limit(rule)}." if value else f"{where}: {reading.limit(rule)}."


def _lasted(rule: AlertRule, now: datetime) -> str:
    began = rule.fired[-1] if rule.fired else 0
    return f" It fired for {span(max(1, (values.microseconds(now) - began) // SECOND))}." if began else ""
