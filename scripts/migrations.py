"""`python -m scripts.migrations`: what migrations after a release must not do while old code still runs beside the new: docs/care.md.

Tables change in two steps. Expand: only what old code does not notice. Contract, a release later, in a migration named `NNNN_contract_...`:
drop what nobody uses any more.
"""

import ast
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django
from django.db.migrations import Migration
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

# The newest migrations of the release before: what came after them is read. Moved on with each release.
RELEASED = {
    "signalbox": "0007_people",
    "signalbox_notifications": "0005_saved_filters",
    "signalbox_rooms": "0002_moderation",
    "signalbox_dashboard": "0006_learnt_interval",
}
OURS = ("core", "notifications", "dashboard", "workers", "signalbox")


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")
    django.setup()
    found = list(complaints())
    for line in found:
        print(line)
    return 1 if found else 0


def complaints() -> Iterator[str]:
    """Everything that is wrong with the migrations on disk."""
    from django.db.migrations.loader import MigrationLoader

    loader = MigrationLoader(None)
    for (app, name), migration in sorted(loader.disk_migrations.items()):
        if name > RELEASED.get(app, "~"):
            yield from imports(Path(sys.modules[type(migration).__module__].__file__ or ""))
            yield from of_migration(migration, loader.project_state(list(migration.dependencies)))


def imports(file: Path) -> Iterator[str]:
    """What a migration takes from our own code, which will be another when it runs again."""
    for node in ast.walk(ast.parse(file.read_text())):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [one.name for one in getattr(node, "names", [])]
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from (f"{file.name}: imports {name}, which will change" for name in names if name.split(".")[0] in OURS)


def of_migration(migration: Migration, before: ProjectState) -> Iterator[str]:
    """What is wrong with one migration that begins at this state."""
    app, name = migration.app_label, f"{migration.app_label}.{migration.name}"
    contracts = migration.name.partition("_")[2].startswith("contract_")
    state = before.clone()
    for operation in migration.operations:
        for wrong in _of_operation(operation, app, state, contracts=contracts):
            yield f"{name}: {operation.describe()}: {wrong}"
        operation.state_forwards(app, state)


def _of_operation(operation: Operation, app: str, state: ProjectState, *, contracts: bool) -> Iterator[str]:
    kind = type(operation).__name__
    for inner in getattr(operation, "database_operations", ()):
        yield from _of_operation(inner, app, state, contracts=contracts)
    if kind in {"RenameField", "RenameModel", "AlterModelTable"}:
        yield "old code knows the old name; add the new one beside it, and drop the old one a release later"
    if kind in {"RemoveField", "DeleteModel"} and not contracts:
        yield "old code still uses it; drop it a release later, in a migration named contract_..."
    if kind in {"RunPython", "RunSQL"} and not operation.reversible:
        yield "it cannot be run backwards"
    if kind == "AddField":
        yield from _added(getattr(operation, "field"))  # noqa: B009 (typed as an Operation)
    if kind == "AlterField" and not contracts:
        yield from _altered(_field(state, app, operation), getattr(operation, "field"))  # noqa: B009


def _added(field: Any) -> Iterator[str]:
    if not (field.null or field.many_to_many or field.has_db_default()):
        yield "old code leaves this column out; let it be empty, or give it a db_default"


def _field(state: ProjectState, app: str, operation: Any) -> Any:
    return state.models[app, operation.model_name.lower()].fields[operation.name]


def _altered(before: Any, after: Any) -> Iterator[str]:
    if before.get_internal_type() != after.get_internal_type():
        yield "old code writes the old type; add a column of the new one beside it"
    if before.null and not after.null and not after.has_db_default():
        yield "old code may still leave it empty"
    if (after.max_length or 0) < (before.max_length or 0):
        yield "old code writes more than fits"


if __name__ == "__main__":
    sys.exit(main())
