"""A rule's row as the machine takes it, and in words. No query."""

from datetime import datetime

from dashboard import values, widgets
from dashboard.alerts.machine import SECOND, Condition, Rule, Standing, State
from dashboard.models import AlertRule, Widget
from dashboard.values import NUMBER_SHAPE
from dashboard.widgets.figures import shown, span


def quiet_seconds(widget: Widget) -> float:
    """How old a widget's newest value is when its tile says stale (words.js); 0: nobody said how often one comes, so it never is."""
    return widget.expected + 3 * widget.patience if widget.expected else 0


def has_numbers(kind: str) -> bool:
    """Whether the values of a kind of widget are numbers that can be above or below something."""
    found = widgets.KINDS.get(kind)
    return found is not None and (found.shape == NUMBER_SHAPE or kind == "status")


def rule_of(row: AlertRule) -> Rule | None:
    """The rule, its widget being loaded; None: it can never fire."""
    condition = Condition(row.condition)
    pending, recovery = row.pending_seconds * SECOND, row.recovery_seconds * SECOND
    quiet = 0
    if condition is Condition.NO_DATA:
        quiet, pending = max(pending, SECOND), 0
    elif condition is Condition.STALE:
        quiet = round(quiet_seconds(row.widget) * SECOND)
    if condition in {Condition.NO_DATA, Condition.STALE} and (not quiet or row.widget.state == Widget.State.PAUSED):
        return None
    return Rule(condition, row.low or 0.0, row.high or 0.0, pending, recovery, quiet)


def standing_of(row: AlertRule) -> Standing:
    """How it stands. Silence is reckoned from when the rule was made, where no value ever came."""
    judged = row.judged or (values.microseconds(row.created_at) if row.condition in {Condition.NO_DATA, Condition.STALE} else 0)
    return Standing(State(row.state), row.since, judged, row.value, tuple(row.fired))


def limit(row: AlertRule) -> str:
    """What it fires for, as in "above 90 %"."""
    unit = f" {row.widget.config['unit']}" if isinstance(row.widget.config.get("unit"), str) and row.widget.config["unit"] else ""
    match Condition(row.condition):
        case Condition.ABOVE:
            return f"above {shown(row.high or 0.0)}{unit}"
        case Condition.BELOW:
            return f"below {shown(row.low or 0.0)}{unit}"
        case Condition.OUTSIDE:
            return f"outside {shown(row.low or 0.0)} to {shown(row.high or 0.0)}{unit}"
        case Condition.NO_DATA:
            return f"no data for {span(row.pending_seconds)}"
    return "stale"


def newest(row: AlertRule) -> str:
    """Its newest value, as in "web-1: 97.3"; empty where none was judged."""
    if row.value is None:
        return ""
    return f"{row.line}: {shown(row.value)}" if row.line else shown(row.value)


def is_muted(row: AlertRule, now: datetime) -> bool:
    return row.muted_until is not None and row.muted_until > now
