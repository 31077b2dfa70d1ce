"""`manage.py demo`: three people to try things with, their passwords, and a token."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core import databases, demo


class Command(BaseCommand):
    help = "Make the demo (alice, bob, charlie, a dashboard, a room) where it is not there yet, and print how to sign in."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        if databases.unapplied_migrations():
            raise CommandError("The database is not made yet: run `python manage.py prepare`.")
        try:
            for line in demo.make():
                self.stdout.write(line)
        except demo.OtherPeople as error:
            raise CommandError(str(error)) from error
