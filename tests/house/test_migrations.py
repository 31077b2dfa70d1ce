"""Migrations do nothing that old code, still running beside the new, would notice."""

from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ModelState, ProjectState

from scripts import migrations as policy


def state() -> ProjectState:
    made = ProjectState()
    fields = [
        ("id", models.BigAutoField(primary_key=True)),
        ("name", models.CharField(max_length=80)),
        ("age", models.IntegerField(null=True)),
    ]
    made.add_model(ModelState("shop", "Person", fields))
    return made


def said_of(*operations: Any, name: str = "0002_change") -> list[str]:
    migration = migrations.Migration(name, "shop")
    migration.operations = list(operations)
    return [line.rpartition(": ")[2] for line in policy.of_migration(migration, state())]


def nothing(apps: Any, editor: Any) -> None: ...


char = models.CharField
GONE, LATER = "old code still uses it", "drop the old one a release later"
REFUSED = [
    (migrations.RemoveField("Person", "age"), GONE),
    (migrations.DeleteModel("Person"), GONE),
    (migrations.RenameField("Person", "name", "called"), LATER),
    (migrations.RenameModel("Person", "Human"), LATER),
    (migrations.AlterModelTable("Person", "people"), LATER),
    (migrations.AddField("Person", "nick", char(max_length=10)), "old code leaves this column out"),
    (migrations.AddField("Person", "nick", char(max_length=10, default="x")), "old code leaves this column out"),
    (migrations.AlterField("Person", "name", char(max_length=20)), "old code writes more than fits"),
    (migrations.AlterField("Person", "age", models.IntegerField()), "old code may still leave it empty"),
    (migrations.AlterField("Person", "age", models.TextField(null=True)), "old code writes the old type"),
    (migrations.RunPython(nothing), "it cannot be run backwards"),
    (migrations.SeparateDatabaseAndState(database_operations=[migrations.RemoveField("Person", "age")]), GONE),
]
ALLOWED = [
    migrations.AddField("Person", "nick", char(max_length=10, null=True)),
    migrations.AddField("Person", "nick", char(max_length=10, default="x", db_default="x")),
    migrations.AddField("Person", "friends", models.ManyToManyField("shop.Person")),
    migrations.AlterField("Person", "name", char(max_length=200)),
    migrations.AlterField("Person", "age", models.IntegerField(null=True, help_text="In years.")),
    migrations.CreateModel("Pet", [("id", models.BigAutoField(primary_key=True))]),
    migrations.AddIndex("Person", models.Index(fields=["name"], name="person_name")),
    migrations.RunPython(nothing, nothing),
]


@pytest.mark.parametrize(("operation", "why"), REFUSED, ids=lambda value: type(value).__name__)
def test_what_old_code_would_notice_is_refused(operation: Any, why: str):
    said = said_of(operation)
    assert len(said) == 1 and why in said[0]


@pytest.mark.parametrize("operation", ALLOWED, ids=lambda value: type(value).__name__)
def test_what_it_would_not_notice_is_fine(operation: Any):
    assert said_of(operation) == []


def test_a_release_later_what_nobody_uses_may_go_but_nothing_is_ever_renamed():
    gone = migrations.RemoveField("Person", "age")
    assert said_of(gone, name="0003_contract_age") == []
    assert len(said_of(migrations.RenameField("Person", "name", "called"), name="0003_contract_name")) == 1


def test_what_a_migration_changed_is_known_to_its_next_step():
    wider, back = (migrations.AlterField("Person", "name", char(max_length=size)) for size in (200, 100))
    assert len(said_of(wider, back)) == 1


def test_imports_of_our_own_code_are_found(tmp_path: Path):
    file = tmp_path / "0002_x.py"
    file.write_text("import dashboard.models\nfrom core.models import Event\nfrom django.db import models\n")
    assert [line.split()[2] for line in policy.imports(file)] == ["dashboard.models,", "core.models,"]


def test_ours_keep_to_it():
    assert list(policy.complaints()) == []
    on_disk = MigrationLoader(None).disk_migrations
    assert all((app, name) in on_disk for app, name in policy.RELEASED.items())
    with_migrations = {app for app, _ in on_disk if apps.get_app_config(app).module.__name__.split(".")[0] in policy.OURS}
    assert with_migrations == set(policy.RELEASED)


# --- the code of the release before, on the tables of today ---


def lacking(released: ProjectState) -> list[str]:
    """What code with these models could not read or write in the database as it is."""
    found = []
    with connection.cursor() as cursor:
        tables = set(connection.introspection.table_names(cursor))
        for model in released.apps.get_models(include_auto_created=True):
            table = model._meta.db_table
            if model._meta.app_label not in policy.RELEASED:
                continue
            if table not in tables:
                found.append(f"{table} is gone")
                continue
            columns = {column.name: column for column in connection.introspection.get_table_description(cursor, table)}
            known = {field.column for field in model._meta.concrete_fields}
            found += [f"{table}.{name} is gone" for name in sorted(known - set(columns))]
            new = [column for name, column in columns.items() if name not in known]
            found += [f"{table}.{column.name} must be written" for column in new if not column.null_ok and column.default is None]
    return found


@pytest.mark.django_db
def test_the_code_of_the_release_before_works_on_the_tables_of_today():
    loader = MigrationLoader(None)
    assert lacking(loader.project_state(list(policy.RELEASED.items()))) == []


@pytest.mark.django_db
def test_it_would_be_noticed_if_it_did_not():
    released = MigrationLoader(None).project_state(list(policy.RELEASED.items()))
    token = released.models["signalbox", "apitoken"]
    token.fields["nick"] = models.CharField(max_length=10)
    del token.fields["hint"]
    del released.models["signalbox", "lease"]
    gone = ModelState("signalbox", "Gone", [("id", models.BigAutoField(primary_key=True))])
    released.models["signalbox", "gone"] = gone
    assert sorted(lacking(released)) == [
        "signalbox_apitoken.hint must be written", "signalbox_apitoken.nick is gone", "signalbox_gone is gone",
    ]  # fmt: skip
