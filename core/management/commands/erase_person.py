"""`manage.py erase_person <user> --yes <user>`: take a person out for good: docs/personal-data.md."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core import persons
from core.management.people import person


class Command(BaseCommand):
    help = "Erase a person: her account and all that is hers goes; what she said to others stays as a removed person's. Nobody can undo it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="Her user name.")
        parser.add_argument("--yes", metavar="USER", help="Her user name once more, to say that you mean it.")

    def handle(self, *, user: str, yes: str | None, **options: Any) -> None:
        her = person(user)
        if yes != user:
            raise CommandError(f"This cannot be undone. Take her export first, then say: erase_person {user} --yes {user}")
        try:
            persons.erase(her)
        except persons.NotErasable as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{user} is gone. Backups still hold her until they are thrown away.")
