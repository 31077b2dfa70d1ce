"""Many rows in one statement. On Postgres as arrays: composing a hundred thousand placeholders costs more than inserting the rows."""

from collections.abc import Sequence
from typing import Any

from django.db import connections
from django.db.models import Model

from core.models import Event

FEW = 20  # rows below which the ORM's own way is as quick
AT_ONCE = 2000  # rows of one ORM statement

_COLUMNS = {"channel": "text", "type": "text", "slot": "text", "key": "text", "major": "bigint", "minor": "bigint", "data": "text"}


def insert_events(rows: Sequence[Event], *, using: str) -> list[int]:
    """Insert events and return their ids, which rise in the order of the rows."""
    connection = connections[using]
    quote = connection.ops.quote_name
    names = ", ".join(quote(name) for name in _COLUMNS)
    if len(rows) < FEW:
        # What one thing that happened leaves behind: Django's own INSERT costs more than the row.
        holes = ", ".join([f"({', '.join(['%s'] * len(_COLUMNS))})"] * len(rows))
        sql = f"INSERT INTO {quote(Event._meta.db_table)} ({names}) VALUES {holes} RETURNING id"
        with connection.cursor() as cursor:
            cursor.execute(sql, [getattr(row, name) for row in rows for name in _COLUMNS])
            return sorted(id for (id,) in cursor.fetchall())
    if connection.vendor != "postgresql":
        return [row.pk for row in Event.objects.using(using).bulk_create(rows, batch_size=AT_ONCE)]
    arrays = ", ".join(f"%s::{type}[]" for type in _COLUMNS.values())
    # Ids are drawn in the order of the sorted rows.
    sql = (
        f"INSERT INTO {quote(Event._meta.db_table)} ({names}) SELECT {names} FROM unnest({arrays}) "
        f"WITH ORDINALITY AS given({names}, place) ORDER BY place RETURNING id"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [[getattr(row, name) for row in rows] for name in _COLUMNS])
        return [id for (id,) in cursor.fetchall()]


def update_each(
    model: type[Model], pairs: Sequence[tuple[Any, int]], *, column: str, by: str, type: str = "bigint", stamp: str = "", using: str
) -> None:
    """Set a number column of many rows, each to its own value, in one statement; with `stamp`, that column to the database's now.

    `type` is the type of `by`. Column names are ours, never input.
    """
    connection = connections[using]
    quote = connection.ops.quote_name
    table = quote(model._meta.db_table)
    now = "strftime('%%Y-%%m-%%d %%H:%%M:%%f000', 'now')" if connection.vendor == "sqlite" else "statement_timestamp()"
    also = f", {quote(stamp)} = {now}" if stamp else ""
    parameters: list[Any]
    if connection.vendor == "postgresql":
        source, parameters = f"unnest(%s::{type}[], %s::bigint[]) AS given(a, b)", [list(part) for part in zip(*pairs, strict=True)]
    else:
        values = ", ".join(["(%s, %s)"] * len(pairs))
        source = f"(SELECT column1 AS a, column2 AS b FROM (VALUES {values})) AS given"
        parameters = [part for pair in pairs for part in pair]
    sql = f"UPDATE {table} SET {quote(column)} = given.b{also} FROM {source} WHERE {table}.{quote(by)} = given.a"
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
