"""Rows that are put in or replaced by their key: the series is the row, the value an object of its cells."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from django.utils.html import escape
from msgspec import Meta

from core.errors import Code, Problem
from dashboard import values
from dashboard.widgets.base import Config, Reading, View, WidgetKind, fresh, partial
from dashboard.widgets.figures import shown

MOST = 12  # cells of a row
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)", re.ASCII)
Name = Annotated[str, Meta(min_length=1, max_length=40)]


class TableConfig(Config, frozen=True):
    columns: Annotated[
        list[Name],
        Meta(max_length=MOST, description='Which cells, in this order, as in ["CPU", "State"]; none: all in one.'),
    ] = []
    key: Annotated[str, Meta(max_length=40, title="First column", description="What a row is called by.")] = "Row"
    sort: Annotated[str, Meta(max_length=40, title="Sorted by", description='A column; "-" before it: the highest first.')] = ""


class Table(WidgetKind):
    name = "table"
    title = "Table"
    icon = "table"
    config = TableConfig
    several = True
    size = (6, 3)
    curl = '\'{"series": "web-1", "value": {"CPU": 42, "State": "busy"}}\''
    shape = 'A row is an object of at most 12 cells, each a number or a short text: {"CPU": 42, "State": "busy"}; {} takes the row out.'

    def read(self, value: object, *, label: object = "", data: Any = None) -> Reading:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return Reading(values.number(value), values.label(label), {"cells": {"Value": values.number(value)}})
        if not isinstance(value, dict) or len(value) > MOST or not all(isinstance(name, str) and 0 < len(name) <= 40 for name in value):
            raise Problem(Code.INVALID, self.shape, field="value")
        cells = {values.label(name): _cell(cell) for name, cell in value.items()}
        return Reading(float(len(cells)), values.label(label), {"cells": cells})

    def told(self, label: str, data: Any) -> str:
        return _together((data or {}).get("cells", {})) or "taken out"

    def facts(self, config: TableConfig, view: View) -> dict[str, Any]:
        cells = (view.points[-1].data or {}).get("cells", {})
        named = {name: cells.get(name, "") for name in config.columns}
        return super().facts(config, view) | {"cells": list(named.values()) if named else [_together(cells)], "gone": not cells}

    def body(self, widget: int, facts: Mapping[str, Any]) -> str:
        key = escape(facts["label"] or facts["series"] or "value")
        cells = "".join(_column(cell) for cell in facts["cells"])
        hidden = " hidden" if facts["gone"] else ""
        return f'<tr id="w-{widget}-l{facts["line"]}"{hidden}><th scope="row">{fresh(widget, facts)}{key}</th>{cells}</tr>'

    def whole(self, widget: int, config: TableConfig, bodies: str) -> str:
        columns = [config.key, *(config.columns or ["Value"])]
        heads = "".join(
            f'<th scope="col"><button type="button" data-sort="{n}">{escape(name)}</button></th>' for n, name in enumerate(columns)
        )
        wanted = config.sort.removeprefix("-")
        first = f"{'-' if config.sort.startswith('-') else ''}{columns.index(wanted)}" if wanted in columns else ""
        table = f'<table class="sortable" data-sorted="{first}"><thead><tr>{heads}</tr></thead><tbody>{bodies}</tbody></table>'
        return f'<div class="scroll-x" tabindex="0">{table}</div>'

    def push(self, widget: int, facts: Mapping[str, Any]) -> str:
        return partial(f"#w-{widget}-l{facts['line']}", self.body(widget, facts), swap="outerMorph")


def _cell(cell: object) -> float | str:
    if isinstance(cell, bool) or not isinstance(cell, int | float | str | None):
        raise Problem(Code.INVALID, Table.shape, field="value")
    return values.number(cell) if isinstance(cell, int | float) else values.label(cell)


def _together(cells: Mapping[str, float | str]) -> str:
    return " · ".join(f"{name} {_text(cell)}" for name, cell in cells.items())


def _text(cell: float | str) -> str:
    return cell if isinstance(cell, str) else shown(cell)


def _column(cell: float | str) -> str:
    if isinstance(cell, str):
        return _time(cell) or f"<td>{escape(cell)}</td>"
    return f'<td class="r num" data-value="{cell!r}">{shown(cell)}</td>'


def _time(cell: str) -> str:
    """A time, which the browser writes as people do there (times.js); empty where it is none."""
    if not _INSTANT.fullmatch(cell):
        return ""
    try:
        moment = datetime.fromisoformat(cell)
    except ValueError:
        return ""
    return f'<td data-value="{moment.timestamp():.0f}"><time datetime="{cell}" data-style="datetime">{cell}</time></td>'
