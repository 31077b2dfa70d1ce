"""What a board is as text: settings, widgets in order, each with its source and its alerts. No values, no roles, no share links."""

import hashlib
import sys
from collections.abc import Iterable
from typing import Annotated, Any, Literal

import msgspec
import yaml
from msgspec import Meta

from dashboard.models import AlertRule, Dashboard, Widget

MOST_WIDGETS = 200
MOST_ALERTS = 20  # of one widget
SEVERITIES = ("low", "normal", "high", "critical")
Number = Annotated[float, Meta(ge=-1e300, le=1e300)]
Title = Annotated[str, Meta(min_length=1, max_length=120)]
Slug = Annotated[str, Meta(min_length=1, max_length=64)]
Seconds = Annotated[int, Meta(ge=0, le=604_800)]


class _Strict(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    pass


class SourceText(_Strict):
    kind: str
    config: dict[str, Any] = {}


class AlertText(_Strict):
    name: Title
    condition: Literal["above", "below", "outside", "no_data", "stale"]
    low: Number | None = None
    high: Number | None = None
    series: Annotated[str, Meta(max_length=64)] = ""
    pending: Seconds = 0
    recovery: Seconds = 0
    severity: Literal["low", "normal", "high", "critical"] = "normal"
    audience: list[str] = []
    enabled: bool = True


class WidgetText(_Strict):
    slug: Slug
    kind: str
    title: Title
    columns: Annotated[int, Meta(ge=1, le=12)] = 3
    rows: Annotated[int, Meta(ge=1, le=8)] = 2
    interval: Annotated[float, Meta(ge=0.1, le=1e7)] | None = None
    grace: Annotated[float, Meta(ge=0, le=1e7)] | None = None
    keep: Annotated[int, Meta(ge=1, le=10_000)] = 48
    paused: bool = False
    config: dict[str, Any] = {}
    source: SourceText | None = None
    alerts: Annotated[list[AlertText], Meta(max_length=MOST_ALERTS)] = []


class BoardText(_Strict):
    title: Title
    description: Annotated[str, Meta(max_length=300)] = ""
    access: Literal["roles", "members", "public"] = "roles"
    revision: Annotated[str, Meta(max_length=40)] | None = None  # of what the change was made to; none: whatever it was
    widgets: Annotated[list[WidgetText], Meta(max_length=MOST_WIDGETS)] = []


def of_board(board: Dashboard) -> BoardText:
    """A board as it stands, in two queries."""
    rows = board.widgets.select_related("source").prefetch_related("alert_rules")
    text = BoardText(
        title=board.title,
        description=board.description,
        # msgspec leaves a default out by its identity: the same text of the database would stand there, and make another revision.
        access=sys.intern(str(board.access)),  # type: ignore[arg-type]
        widgets=[_widget(row) for row in rows],
    )
    return msgspec.structs.replace(text, revision=_digest(text))


def _digest(text: BoardText) -> str:
    """What changes when anything of it does."""
    return hashlib.sha256(msgspec.json.encode(text)).hexdigest()[:12]


def _widget(row: Widget) -> WidgetText:
    source = getattr(row, "source", None)
    return WidgetText(
        slug=row.slug,
        kind=row.kind,
        title=row.title,
        columns=row.columns,
        rows=row.rows,
        interval=row.interval,
        grace=row.grace,
        keep=row.keep,
        paused=row.state == Widget.State.PAUSED,
        config=row.config,
        source=SourceText(kind=source.kind, config=source.config) if source else None,
        alerts=[_alert(rule) for rule in sorted(_rules(row), key=lambda rule: rule.pk)],
    )


def _rules(row: Widget) -> Iterable[AlertRule]:
    return row.alert_rules.all()


def _alert(rule: AlertRule) -> AlertText:
    return AlertText(
        name=rule.name,
        condition=rule.condition,  # type: ignore[arg-type]
        low=rule.low,
        high=rule.high,
        series=rule.series,
        pending=rule.pending_seconds,
        recovery=rule.recovery_seconds,
        severity=SEVERITIES[rule.severity - 1],  # type: ignore[arg-type]
        audience=rule.audience,
        enabled=rule.enabled,
    )


def written(board: BoardText) -> str:
    """A board as YAML, in a form that people edit."""
    return str(yaml.safe_dump(msgspec.to_builtins(board), sort_keys=False, allow_unicode=True, width=120))
