"""`manage.py export_person <user>`: everything that is stored about a person, as JSON: docs/personal-data.md."""

import json
import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder

from core import persons
from core.management.people import person


class Command(BaseCommand):
    help = "Write everything that is stored about a person as JSON, to the terminal or into a new file that only you can read."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="Her user name.")
        parser.add_argument("--to", help="A file that does not exist yet.")

    def handle(self, *, user: str, to: str | None, **options: Any) -> None:
        text = json.dumps(persons.export(person(user)), cls=DjangoJSONEncoder, indent=2, ensure_ascii=False)
        if to is None:
            self.stdout.write(text)
            return
        try:
            with os.fdopen(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                file.write(text + "\n")
        except OSError as error:
            raise CommandError(f"{to} cannot be written: {(error.strerror or 'it fails').lower()}.") from error
        self.stdout.write(f"Wrote {to}.")
