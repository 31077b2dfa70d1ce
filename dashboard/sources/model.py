"""Figures of any Django model that the settings expose (`DASHBOARD_MODELS`): counts, sums, averages, by group, or the newest rows."""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from django.apps import apps
from django.conf import settings
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import Avg, Count, Field, Model, QuerySet, Sum
from msgspec import Meta

from core.errors import Code, Problem, quoted
from dashboard.sources.base import Found, Look, SourceKind, series_name
from dashboard.widgets.base import Config, WidgetKind

LOOKUPS = frozenset({"exact", "gt", "gte", "lt", "lte", "isnull"})
MOST_GROUPS = 60
# Whatever the settings say: none of these is ever read.
_SECRET = re.compile(r"passw|session|token|secret|digest|private|salt|otp|(^|_)key", re.I)
Word = Annotated[str, Meta(max_length=100)]


class ModelConfig(Config, frozen=True):
    model: Word = ""  # "auth.user"
    figure: Literal["count", "sum", "average", "rows"] = "count"
    field: Word = ""  # what is summed or averaged
    group: Word = ""  # a field: one series for each of its values
    where: Annotated[dict[Word, bool | int | float | str], Meta(max_length=8)] = {}  # {"is_active": true, "size__gt": 5}
    fields: Annotated[list[Word], Meta(max_length=12)] = []  # of `rows`
    rows: Annotated[int, Meta(ge=1, le=10)] = 8


class ModelSource(SourceKind):
    name = "model"
    title = "Rows of this application"
    help = "Counts, sums and averages of a model that DASHBOARD_MODELS exposes, or its newest rows; kept live."
    config = ModelConfig

    def feeds(self, widget: WidgetKind) -> bool:
        return widget.takes_values and widget.name not in {"text", "status"}

    def choices(self, widget: WidgetKind) -> Mapping[str, Sequence[tuple[str, str]]]:
        return {"model": [("", "–"), *((label, label) for label in settings.DASHBOARD_MODELS if not _SECRET.search(label))]}

    def settings(self, config: Mapping[str, Any], widget: WidgetKind) -> ModelConfig:
        typed: ModelConfig = super().settings(config, widget)
        model = exposed(typed.model)
        _check_shape(typed, widget)
        for name in [typed.field, typed.group, *typed.fields, *(key.partition("__")[0] for key in typed.where)]:
            if name:
                _field(model, name)
        for key in typed.where:
            if (key.partition("__")[2] or "exact") not in LOOKUPS:
                raise _wrong(f"A filter is a field, or a field and one of {', '.join(sorted(LOOKUPS))}, as in size__gt.")
        if typed.figure in {"sum", "average"} and not _is_number(_field(model, typed.field)):
            raise _wrong(f"{quoted(typed.field)} is not a number, which can be summed.")
        _chosen(model, typed)
        return typed

    def subject(self, config: ModelConfig) -> str:
        return config.model.lower()

    def look(self, config: ModelConfig, widget: WidgetKind) -> Look:
        chosen = _chosen(exposed(config.model), config)
        if config.figure == "rows":
            return _rows(chosen, config, as_table=widget.name == "table")
        figure = {"count": Count("pk"), "sum": Sum(config.field), "average": Avg(config.field)}[config.figure]
        if not config.group:
            return Look([Found(_number(chosen.aggregate(figure=figure)["figure"]))])
        groups = chosen.order_by().values_list(config.group).annotate(figure=figure).order_by("-figure", config.group)
        return Look([Found(_number(value), _series(group), _words(group)[:200]) for group, value in groups[:MOST_GROUPS]], absent=0)


def exposed(label: str) -> type[Model]:
    """The model of that name, if the settings expose it. Raises Problem; what is not exposed looks like what is not there."""
    known = {name.lower(): name for name in settings.DASHBOARD_MODELS}
    try:
        if label.lower() not in known or _SECRET.search(label):
            raise LookupError
        return apps.get_model(label)
    except (LookupError, ValueError):
        names = ", ".join(sorted(name for name in known if not _SECRET.search(name)))
        raise _wrong(f"There is no model {quoted(label)} to show; there is {names or 'none'} (DASHBOARD_MODELS in the settings).") from None


def _fields(model: type[Model]) -> list[str]:
    listed: Any = {name.lower(): fields for name, fields in settings.DASHBOARD_MODELS.items()}[model._meta.label_lower]
    return [name for name in listed if not _SECRET.search(name)]


def _field(model: type[Model], name: str) -> "Field[Any, Any]":
    try:
        field: Any = model._meta.get_field(name if name in _fields(model) else "")
    except FieldDoesNotExist:
        field = None
    if not isinstance(field, Field):
        raise _wrong(f"{model._meta.label} has no field {quoted(name)} to show; there is {', '.join(_fields(model))}.")
    return field


def _check_shape(config: ModelConfig, widget: WidgetKind) -> None:
    lists = widget.name in {"feed", "table"}
    if widget.name in {"text", "status"} or not widget.takes_values:
        raise _wrong(f"A {widget.title.lower()} does not show figures of a model.")
    if (config.figure == "rows") != (widget.name == "feed") and not (lists and widget.name == "table"):
        raise _wrong("The newest rows are shown by a feed or a table, figures by the other kinds.")
    if config.figure == "rows" and not config.fields:
        raise _wrong("`fields` says which fields of the newest rows are shown.")
    if config.group and (not widget.several or config.figure == "rows"):
        raise _wrong(f"A {widget.title.lower()} shows one line of values: leave `group` out.")
    if config.figure in {"sum", "average"} and not config.field:
        raise _wrong(f"`field` says what the {config.figure} is of.")


def _chosen(model: type[Model], config: ModelConfig) -> QuerySet[Any]:
    try:
        return model._default_manager.filter(**config.where)
    except (ValueError, TypeError, ValidationError):
        raise _wrong("A value of `where` does not fit its field.") from None


def _rows(chosen: QuerySet[Any], config: ModelConfig, *, as_table: bool) -> Look:
    rows = list(chosen.order_by("-pk").values_list("pk", *config.fields)[: config.rows])
    if as_table:
        cells = [dict(zip(config.fields, map(_words, row[1:]), strict=True)) for row in rows]
        shown = [Found(cell, str(place), str(row[0])) for place, (cell, row) in enumerate(zip(cells, rows, strict=True), 1)]
        return Look(shown, absent={})
    return Look([_entry(list(row[1:])) for row in reversed(rows)])


def _entry(row: list[Any]) -> Found:
    """A row as an entry of a feed: its first time is when it happened, the rest its words."""
    happened = next((value for value in row if isinstance(value, datetime)), None)
    words = " · ".join(_words(value) for value in row if value is not happened or value is None)
    return Found(words[:200] or "–", happened=None if happened is None else happened.timestamp())


def _number(value: Any) -> float:
    number = float(value or 0)
    if not math.isfinite(number) or abs(number) > 1e300:
        raise _wrong("The figure is too large to be shown.")
    return number


def _words(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "–" if value is None else str(value)[:200]


def _series(group: Any) -> str:
    return series_name(_words(group) if group is not None else "none")


def _is_number(field: "Field[Any, Any]") -> bool:
    return field.get_internal_type() in {"DecimalField", "FloatField"} or "Integer" in field.get_internal_type()


def _wrong(detail: str) -> Problem:
    return Problem(Code.INVALID, detail, field="source")
