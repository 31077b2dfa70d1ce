"""The kinds of source by name. To add one: a file beside this one, its class in KINDS."""

from collections.abc import Mapping
from typing import Any

from core.errors import Problem
from dashboard.sources.base import RECOUNT, SourceKind
from dashboard.sources.celery_queues import CelerySource
from dashboard.sources.function import FunctionSource
from dashboard.sources.health import HealthSource
from dashboard.sources.http_json import HttpSource
from dashboard.sources.model import ModelSource
from dashboard.sources.prometheus import PrometheusSource
from dashboard.sources.system import SystemSource
from dashboard.widgets.base import WidgetKind

_ALL: tuple[SourceKind, ...] = (
    ModelSource(),
    SystemSource(),
    CelerySource(),
    HealthSource(),
    HttpSource(),
    PrometheusSource(),
    FunctionSource(),
)
KINDS: dict[str, SourceKind] = {kind.name: kind for kind in _ALL}
POLLED = frozenset(kind.name for kind in _ALL if kind.every)


def seconds_between(kind: str, config: Mapping[str, Any], widget: WidgetKind) -> float | None:
    """How often a source is read: it says so itself, and while nobody watches nothing comes that could be learnt from. None: who knows."""
    source = KINDS.get(kind)
    if source is None or not source.every:
        return RECOUNT.total_seconds() if source else None
    try:
        return float(source.interval(source.settings(config, widget)))
    except Problem:
        return None


__all__ = ["KINDS", "POLLED", "seconds_between"]
