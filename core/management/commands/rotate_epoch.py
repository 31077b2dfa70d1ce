from typing import Any

from django.core.management.base import BaseCommand

from core.delivery import epochs


class Command(BaseCommand):
    help = "Run it after restoring the database from a backup: every open page then starts again from what the database says now."

    def handle(self, **options: Any) -> None:
        self.stdout.write(f"The epoch is now {epochs.rotate(reason='rotate_epoch was run')}.")
