"""Writing samples: which widget is meant, its series, and the rows in one statement. No lock but that of a (series, time) written twice."""

import difflib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, TypeVar

from django.db import connections, router

from core.errors import Code, Problem, quoted
from dashboard import history, models, widgets
from dashboard.models import Dashboard, Sample, Series, Widget
from dashboard.widgets.base import Reading, View, WidgetKind

T = TypeVar("T")
MAX_SERIES = 64
_AT_ONCE = 2000
_FEW = 20  # rows below which placeholders are as quick as arrays
_COLUMNS = ("series_id", "at", "value", "label", "data")


@dataclass(frozen=True, slots=True)
class Target:
    """A widget as it stands while values are written to it."""

    pk: int
    dashboard: int
    slug: str
    kind: str
    revision: int
    state: str  # as on Widget
    config: Any


@dataclass(frozen=True, slots=True)
class Row:
    """One checked value. `at` is in microseconds."""

    target: Target
    series: str
    at: int
    reading: Reading


@dataclass(frozen=True, slots=True)
class Line:
    """One series that was written to. `ids`: the new samples' ids by time; `before`: where there are several, the newest time before."""

    target: Target
    name: str
    pk: int
    is_new: bool
    before: int | None
    ids: Mapping[int, int]

    @property
    def newest(self) -> int:
        """The time of the newest of the samples that were written."""
        return max(self.ids)


def settings(target: Target) -> Any:
    return widgets.of(target.kind).settings(target.config)


def facts(target: Target, pk: int, name: str, view: View) -> dict[str, Any]:
    """What there is to show of one series, on a page and in an event."""
    kind = widgets.of(target.kind)
    state = "live" if target.state == Widget.State.OK else target.state
    who = {"widget": target.slug, "kind": kind.name, "series": name, "line": pk, "state": state}
    return who | kind.facts(settings(target), view)


def wanted(target: Target) -> history.Wanted:
    """What a tile of this widget needs of each of its series."""
    kind = widgets.of(target.kind)
    return history.Wanted(kind.recent, kind.horizon(settings(target)))


# --- which widget ---


def reference(widget: Widget | Target | str) -> int | str:
    return widget if isinstance(widget, str) else widget.pk


def targets(asked: Iterable[Widget | Target | str]) -> dict[int | str, Target]:
    """The widgets meant, by what was asked for: freshly read, for an instance may be old; a Target was read in this transaction.

    Raises Problem (404) that names near ones.
    """
    asked = list(asked)
    given: dict[int | str, Target] = {widget.pk: widget for widget in asked if isinstance(widget, Target)}
    references = {reference(widget) for widget in asked} - set(given)
    pks = [one for one in references if isinstance(one, int)]
    names = [one for one in references if isinstance(one, str)]
    found: dict[Any, Target] = {**given, **_targets_by_name(names), **targets_by_pk(pks)}
    for one in references - set(found):
        raise unknown(str(one), all_names())
    return found


def targets_by_pk(pks: Collection[int]) -> dict[int, Target]:
    found: dict[int, Target] = {}
    for chunk in _batched(pks, _NAMES_AT_ONCE):
        found |= {row[0]: _target(row) for row in _select(f"{_TARGET} WHERE w.id IN ({_numbers(chunk)})")}
    return found


def _targets_by_name(names: Collection[str]) -> dict[int | str, Target]:
    return {name: target for name, (target, _, _) in targets_of_boards(names).items()}


def targets_of_boards(names: Collection[str]) -> dict[str, tuple[Target, str, Any]]:
    """The widgets of these names ("dashboard/widget") that there are, each with its board's access and owner."""
    found: dict[str, tuple[Target, str, Any]] = {}
    for chunk in _batched([name.split("/") for name in names if name.count("/") == 1], _NAMES_AT_ONCE):
        boards, slugs = ({parts[which] for parts in chunk} for which in (0, 1))
        either = f"{_TARGET} WHERE d.slug IN ({_holes(boards)}) AND w.slug IN ({_holes(slugs)})"
        found |= {f"{row[7]}/{row[2]}": (_target(row), row[8], row[9]) for row in _select(either, [*boards, *slugs])}
    return {name: found[name] for name in names if name in found}


# In SQL, as the samples are: put together anew for each value that comes, Django's queries cost as much as all the rest.
_TARGET = (
    "SELECT w.id, w.dashboard_id, w.slug, w.kind, w.revision, w.state, w.config, d.slug, d.access, d.owner_id "
    f"FROM {Widget._meta.db_table} w JOIN {Dashboard._meta.db_table} d ON d.id = w.dashboard_id"
)
_NAMES_AT_ONCE = 300


def _select(sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
    with connections[router.db_for_write(Sample)].cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())


def _holes(values: Collection[Any]) -> str:
    return ", ".join(["%s"] * len(values))


def _numbers(values: Iterable[int]) -> str:
    """Numbers as they are written in SQL: a placeholder each costs psycopg more than Postgres takes for the row."""
    return ", ".join(f"{value:d}" for value in values)


def _target(row: Sequence[Any]) -> Target:
    pk, dashboard, slug, kind, revision, state, config = row[:7]
    return Target(pk, dashboard, slug, kind, revision, state, json.loads(config) if isinstance(config, str) else config)


def target_of(row: Widget) -> Target:
    return Target(row.pk, row.dashboard_id, row.slug, row.kind, row.revision, row.state, row.config)


def all_names() -> list[str]:
    return [f"{board}/{widget}" for board, widget in Widget.objects.order_by("pk").values_list("dashboard__slug", "slug")[:2000]]


def unknown(name: str, known: Iterable[str]) -> Problem:
    """The refusal of a widget that is not there, naming those that may have been meant."""
    near = difflib.get_close_matches(name, list(known), n=5, cutoff=0.5)
    hint = f" Near: {', '.join(near)}." if near else " A widget is written <dashboard>/<widget>, as in this-machine/cpu."
    return Problem(Code.NOT_FOUND, f"There is no widget {quoted(name)}.{hint}", field="widget", allowed=near)


# --- which series ---


def check_series(kind: WidgetKind, name: object) -> None:
    """Raise Problem unless a widget of this kind may have a series of this name."""
    if not isinstance(name, str) or not models.is_series(name):
        raise Problem(Code.INVALID, models.SERIES_SHAPE, field="series")
    if name and not kind.several:
        raise Problem(Code.INVALID, f"A {kind.title.lower()} shows one line of values: leave `series` out.", field="series")


def _series(rows: Sequence[Row]) -> tuple[dict[tuple[int, str], int], set[int]]:
    """The series of these rows by (widget, name), and which of them were made just now."""
    asked = {(row.target.pk, row.series) for row in rows}
    known = _known_series({pk for pk, _ in asked})
    new = [Series(widget_id=pk, name=name) for pk, name in sorted(asked - known.keys())]
    if not new:
        return known, set()
    _check_room(known, new)
    before = set(known.values())
    Series.objects.bulk_create(new, ignore_conflicts=True)
    known = _known_series({pk for pk, _ in asked})
    return known, set(known.values()) - before


def _known_series(widget_pks: Collection[int]) -> dict[tuple[int, str], int]:
    found: dict[tuple[int, str], int] = {}
    for chunk in _batched(widget_pks, _NAMES_AT_ONCE):
        sql = f"SELECT widget_id, name, id FROM {Series._meta.db_table} WHERE widget_id IN ({_numbers(chunk)})"
        found |= {(widget, name): pk for widget, name, pk in _select(sql)}
    return found


def _check_room(known: Collection[tuple[int, str]], new: Iterable[Series]) -> None:
    count: dict[int, int] = defaultdict(int)
    for pk in [pk for pk, _ in known] + [series.widget_id for series in new]:
        count[pk] += 1
        if count[pk] > MAX_SERIES:
            raise Problem(Code.INVALID, f"A widget has at most {MAX_SERIES} series.", field="series")


# --- samples ---


def write(rows: Sequence[Row]) -> list[Line]:
    """Store these values; the later of two for one (series, time) stands. Call it inside a transaction."""
    pks, new = _series(rows)
    of_line: dict[tuple[int, str], list[Row]] = defaultdict(list)
    for row in rows:
        of_line[row.target.pk, row.series].append(row)
    # A single sample is either the newest or not; only of several can some lie behind what was there.
    before = history.newest_times([pks[line] for line, found in of_line.items() if len(found) > 1])
    ids = _insert([(pks[line], row) for line, found in sorted(of_line.items()) for row in sorted(found, key=lambda row: row.at)])
    lines = [(pks[line], found[0]) for line, found in of_line.items()]
    return [Line(row.target, row.series, pk, pk in new, before.get(pk), ids[pk]) for pk, row in lines]


def _insert(rows: Sequence[tuple[int, Row]]) -> dict[int, dict[int, int]]:
    """The new ids by series and time. Rows come sorted, so that two calls that meet on a (series, time) wait in one order."""
    ids: dict[int, dict[int, int]] = defaultdict(dict)
    # One statement must not meet a (series, time) twice: the later one stands.
    plain = {(series, row.at): (series, row) for series, row in rows if not _keeps_all(row)}
    for chunk in _batched(plain.values(), _AT_ONCE):
        for pk, series, at in _execute(chunk, _REPLACE):
            ids[series][at] = pk
    for series, row in rows:
        if _keeps_all(row):
            pk, at = _insert_beside(series, row)
            ids[series][at] = pk
    return ids


def _keeps_all(row: Row) -> bool:
    return widgets.of(row.target.kind).keeps_all


# A replaced sample gets a new, higher id: what is announced of it must beat what was announced before.
_REPLACE = "DO UPDATE SET id = excluded.id, value = excluded.value, label = excluded.label, data = excluded.data"


def _insert_beside(series: int, row: Row) -> tuple[int, int]:
    """Store an entry at its time or, where one stands there, in the next free microsecond. Returns its id and time."""
    while not (made := _execute([(series, row)], "DO NOTHING")):
        row = replace(row, at=row.at + 1)
    return made[0][0], row.at


def _execute(rows: Sequence[tuple[int, Row]], on_conflict: str) -> list[tuple[int, int, int]]:
    connection = connections[router.db_for_write(Sample)]
    cells = [_cells(series, row) for series, row in rows]
    parameters: list[Any]
    if connection.vendor == "postgresql" and len(rows) >= _FEW:
        given, parameters = _FROM_ARRAYS, [list(column) for column in zip(*cells, strict=True)]
    else:
        given = f"VALUES {', '.join(['(%s, %s, %s, %s, %s)'] * len(rows))}"
        parameters = [part for row in cells for part in row]
    sql = (
        f"INSERT INTO {Sample._meta.db_table} ({', '.join(_COLUMNS)}) {given} "
        f"ON CONFLICT (series_id, at) {on_conflict} RETURNING id, series_id, at"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())


# As in core.delivery.statements: ten thousand placeholders cost more than the rows. In order, so that ids and locks are drawn in it.
_FROM_ARRAYS = (
    "SELECT series_id, at, value, label, data::jsonb FROM unnest(%s::bigint[], %s::bigint[], %s::float8[], %s::text[], %s::text[]) "
    "WITH ORDINALITY AS given(series_id, at, value, label, data, place) ORDER BY place"
)


def _batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk


def _cells(series: int, row: Row) -> tuple[Any, ...]:
    reading = row.reading
    return series, row.at, reading.value, reading.label, None if reading.data is None else json.dumps(reading.data)
