"""Every row of a SQLite file into an empty database, as it is, in one transaction: docs/how-to/from-sqlite-to-postgres.md.

Not by dumpdata and loaddata, which keep everything in memory, run signals, and trip over rows that `migrate` has made on the other side.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.color import no_style
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections, models, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.models.functions import Now

from core.delivery import epochs
from core.models import Event, Process

OLD = "moved_from"
AT_ONCE = 1000  # rows of one round trip

Tell = Callable[[str, int], None]


class Immovable(Exception):
    """Nothing was taken over; the text says why, and what to do."""


def take_over(file: Path, tell: Tell) -> str:
    """Fill the present database with every row of that file, and return its new epoch. `tell` hears of each table and how many rows it has.

    What `migrate` put into the tables gives way. Raises Immovable, with nothing changed.
    """
    with _opened(file), transaction.atomic(using=OLD), transaction.atomic():
        _look_at_old()
        _look_at_new()
        call_command("flush", interactive=False, inhibit_post_migrate=True, verbosity=0)
        for model in _models():
            tell(model._meta.db_table, _copied(model))
        new = connections[DEFAULT_DB_ALIAS]
        try:
            new.check_constraints()
        except DatabaseError as error:
            raise Immovable(f"Rows point to rows that are not there: {_line(error)}") from error
        _run(new.ops.sequence_reset_sql(no_style(), _models()))
        # The numbers stay, but no page may go on as if nothing had happened: what it saw last may never have reached this file.
        return epochs.rotate(reason="taken over from SQLite")


@contextmanager
def _opened(file: Path) -> Iterator[None]:
    if not file.is_file():
        raise Immovable(f"There is no file {file}.")
    only_read = {"init_command": "PRAGMA query_only=ON"}
    like = connections.settings[DEFAULT_DB_ALIAS]
    connections.settings[OLD] = {**like, "ENGINE": "django.db.backends.sqlite3", "NAME": str(file), "OPTIONS": only_read, "CONN_MAX_AGE": 0}
    try:
        yield
    finally:
        connections[OLD].close()
        del connections[OLD], connections.settings[OLD]


def _look_at_old() -> None:
    try:
        behind = _unapplied(OLD)
    except DatabaseError as error:
        raise Immovable(f"The file cannot be read: {_line(error)}") from error
    if behind:
        raise Immovable(f"The file is {behind} migrations behind: run `manage.py migrate` on it first, with this release.")
    if Process.objects.using(OLD).filter(expires_at__gt=Now()).exists():
        raise Immovable("Processes still work on the file: stop web, worker and beat, and wait 30 seconds.")


def _look_at_new() -> None:
    if connections[DEFAULT_DB_ALIAS].vendor == "sqlite":
        raise Immovable("DATABASE_URL names no Postgres: that is where the rows go.")
    if _unapplied(DEFAULT_DB_ALIAS):
        raise Immovable("The new database lacks its tables: run `manage.py migrate` first.")
    if get_user_model()._base_manager.exists() or Event.objects.exists():
        raise Immovable("The new database holds people or events already, which would be lost: take an empty one.")


def _unapplied(alias: str) -> int:
    executor = MigrationExecutor(connections[alias])
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _models() -> list[type[models.Model]]:
    """Every table that is ours or a package's, those between two many-to-many sides included."""
    found = apps.get_models(include_auto_created=True)
    return [model for model in found if model._meta.managed and not model._meta.proxy and not model._meta.swapped]


def _copied(model: type[models.Model]) -> int:
    """Copy one table, and say how many rows it has. Raises Immovable."""
    new, fields = connections[DEFAULT_DB_ALIAS], model._meta.local_concrete_fields
    name = new.ops.quote_name
    columns = ", ".join(name(str(field.column)) for field in fields)
    insert = f"INSERT INTO {name(model._meta.db_table)} ({columns}) VALUES ({', '.join(['%s'] * len(fields))})"
    rows = model._base_manager.using(OLD).values_list(*(field.attname for field in fields)).iterator(AT_ONCE)
    ready = ([field.get_db_prep_save(value, new) for field, value in zip(fields, row, strict=True)] for row in rows)
    copied = 0
    try:
        with new.cursor() as cursor:
            while batch := list(islice(ready, AT_ONCE)):
                cursor.executemany(insert, batch)
                copied += len(batch)
    except (DatabaseError, ValueError) as error:
        raise Immovable(f"The table {model._meta.db_table} holds what the new database does not take: {_line(error)}") from error
    return copied


def _run(statements: Iterable[str]) -> None:
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def _line(error: Any) -> str:
    return " ".join(str(error).split())[:300]
