"""The kinds of source by name. To add one: a file beside this one, its class in KINDS."""

from dashboard.sources.base import SourceKind
from dashboard.sources.model import ModelSource

KINDS: dict[str, SourceKind] = {kind.name: kind for kind in (ModelSource(),)}

__all__ = ["KINDS"]
