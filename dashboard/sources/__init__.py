"""The kinds of source by name. To add one: a file beside this one, its class in KINDS."""

from dashboard.sources.base import SourceKind
from dashboard.sources.celery_queues import CelerySource
from dashboard.sources.function import FunctionSource
from dashboard.sources.health import HealthSource
from dashboard.sources.http_json import HttpSource
from dashboard.sources.model import ModelSource
from dashboard.sources.prometheus import PrometheusSource
from dashboard.sources.system import SystemSource

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

__all__ = ["KINDS", "POLLED"]
