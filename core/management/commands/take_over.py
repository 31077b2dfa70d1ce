"""`manage.py take_over signalbox.sqlite3`: move everything from SQLite into the Postgres of DATABASE_URL."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core import moving


class Command(BaseCommand):
    help = "Take every row of a SQLite file over into the empty Postgres that DATABASE_URL names: docs/how-to/from-sqlite-to-postgres.md."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="the SQLite file, on which nothing runs any more")

    def handle(self, *, file: Path, **options: Any) -> None:
        rows: dict[str, int] = {}
        try:
            epoch = moving.take_over(file, rows.__setitem__)
        except moving.Immovable as error:
            raise CommandError(str(error)) from error
        for table, count in sorted(rows.items()):
            if count:
                self.stdout.write(f"{count:>10}  {table}")
        self.stdout.write(
            f"{sum(rows.values())} rows were taken over. The epoch is now {epoch}: every page starts again from what they say."
        )
