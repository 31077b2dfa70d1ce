"""Where a widget's values come from when nobody pushes them: docs/dashboards.md. A kind of source reads; dashboard/refresh.py stores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec

from core.errors import Code, Problem
from dashboard.widgets.base import Config, WidgetKind


@dataclass(frozen=True, slots=True)
class Found:
    """One value that a source found. `happened`: for an entry of a feed, its own time in unix seconds."""

    value: object
    series: str = ""
    label: str = ""
    happened: float | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """All that a source shows now. What it showed before and does not name is over: it becomes `absent` (None: it stays)."""

    found: Sequence[Found]
    absent: object = None


class SourceKind:
    """One kind of source. Subclass it in a file of its own and name it in `sources.KINDS`."""

    name: ClassVar[str]
    title: ClassVar[str]
    config: ClassVar[type[Config]] = Config

    def settings(self, config: Mapping[str, Any], widget: WidgetKind) -> Any:
        """The typed config, if it can feed a widget of this kind. Raises Problem that says what is wrong."""
        try:
            return msgspec.convert(config, self.config)
        except msgspec.ValidationError as error:
            raise Problem(Code.INVALID, f"The settings of this source are wrong: {error}.", field="source") from None

    def subject(self, config: Any) -> str:
        """What marks this source dirty when it changes: a model's label. Empty: nothing does."""
        return ""

    def look(self, config: Any, widget: WidgetKind) -> Look:
        """Read what there is now. Raises Problem in words that a tile may show."""
        raise NotImplementedError
