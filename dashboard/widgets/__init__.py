"""The kinds of widget by name. To add one: a file beside this one, its class in KINDS, a template if it needs one."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError

from core.errors import Problem
from dashboard.widgets.bars import Bars
from dashboard.widgets.base import WidgetKind
from dashboard.widgets.clock import Clock
from dashboard.widgets.feed import Feed
from dashboard.widgets.gauge import Gauge
from dashboard.widgets.progress import Progress
from dashboard.widgets.room import Room
from dashboard.widgets.stat import Stat
from dashboard.widgets.status import Status
from dashboard.widgets.table import Table
from dashboard.widgets.text import Text
from dashboard.widgets.timeseries import TimeSeries

_ALL = (Stat(), TimeSeries(), Gauge(), Bars(), Progress(), Table(), Status(), Feed(), Text(), Clock(), Room())
KINDS: dict[str, WidgetKind] = {kind.name: kind for kind in _ALL}


def of(name: str) -> WidgetKind:
    """The kind of that name. Raises KeyError."""
    return KINDS[name]


def check_config(kind: str, config: Mapping[str, Any]) -> None:
    """Raise ValidationError unless there is such a kind and this is a config for it."""
    if kind not in KINDS:
        raise ValidationError({"kind": f"There is no kind of widget {kind!r}; there is {', '.join(sorted(KINDS))}."})
    try:
        KINDS[kind].settings(config)
    except Problem as problem:
        raise ValidationError({"config": problem.detail}) from None


__all__ = ["KINDS", "check_config", "of"]
