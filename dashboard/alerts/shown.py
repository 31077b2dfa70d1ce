"""How alerts stand on a tile: the same bytes on a page and in a push."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from core.templatetags.ui import icon
from dashboard.alerts import reading
from dashboard.alerts.machine import State
from dashboard.models import AlertRule
from dashboard.widgets.base import partial

# What a state looks like: the chip's class, its icon, its word.
CHIPS = {
    State.PENDING: ("late", "clock", "Pending"),
    State.FIRING: ("error", "bell-ring", "Alert"),
    State.RECOVERING: ("late", "bell", "Recovering"),
}


def facts(rule: AlertRule) -> dict[str, Any]:
    """What there is to show of a rule, as JSON; its widget and who acknowledged it are loaded."""
    by = rule.acknowledged_by
    return {
        "rule": rule.pk,
        "name": rule.name,
        "state": rule.state if rule.enabled else State.OK.value,
        "limit": reading.limit(rule),
        "by": by.get_username() if by and rule.acknowledged_at else "",
        "taken": rule.acknowledged_at is not None,
        "muted": rule.muted_until.timestamp() if rule.muted_until else 0,
    }


def one(facts: Mapping[str, Any]) -> SafeString:
    """The sign of one rule; hidden while all is well."""
    id = f"alert-{facts['rule']}"
    if facts["state"] == State.OK:
        return format_html('<i hidden id="{}"></i>', id)
    tone, drawn, word = CHIPS[State(facts["state"])]
    if facts["taken"] and facts["state"] == State.FIRING:
        tone, drawn, word = "stale", "bell-off", "Acknowledged"
    by = f", acknowledged by {facts['by']}" if facts["by"] else ""
    title = f"{facts['name']}: {facts['limit']}{by}"
    return format_html(
        '<span class="chip alert {}" id="{}" data-alert="{}" title="{}">{}<span>{}</span></span>',
        tone, id, facts["state"], title, icon(drawn), word,
    )  # fmt: skip


def push(facts: Mapping[str, Any]) -> str:
    """The fragment for a rule that stands differently now; pages without it are not interested."""
    return partial(f"#alert-{facts['rule']}", one(facts), swap="outerMorph")


def of_widgets(pks: Collection[int]) -> dict[int, SafeString]:
    """The signs of these widgets' rules, in one query."""
    found: dict[int, list[str]] = defaultdict(list)
    rows = AlertRule.objects.filter(widget__in=pks, enabled=True).select_related("widget", "acknowledged_by").order_by("pk")
    for rule in rows:
        found[rule.widget_id].append(one(facts(rule)))
    # mark_safe: each of them is escaped.
    return {pk: mark_safe("".join(signs)) for pk, signs in found.items()}
