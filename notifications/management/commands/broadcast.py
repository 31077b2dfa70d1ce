"""`manage.py broadcast all "Maintenance at 22:00"`: say it to everybody, from a shell or a cron job."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from notifications import actions, audiences, drafts, times
from notifications.errors import BadNotification


class Command(BaseCommand):
    help = "Broadcast to an audience of any size: `broadcast all 'Maintenance at 22:00' --body '...' --at 2h`."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("audience", help=f"{', '.join(audiences.SHAPES)}; several parted by commas")
        parser.add_argument("title")
        parser.add_argument("--body", default="")
        parser.add_argument("--url", default="", help="where a click leads")
        parser.add_argument("--priority", default="normal", help="low, normal, high, critical, or 1 to 5")
        parser.add_argument("--at", help="when: ISO 8601 with offset, unix seconds, or like 30m")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            made = actions.broadcast(
                audiences.split(options["audience"]),
                title=options["title"],
                body=options["body"],
                url=options["url"],
                priority=drafts.priority_named(options["priority"]),
                send_at=times.read(options["at"], now=timezone.now(), field="--at") if options["at"] else None,
            )
        except BadNotification as error:
            raise CommandError(str(error)) from None
        when = f"at {made.send_at:%Y-%m-%d %H:%M} UTC" if made.send_at else f"to {made.total} {'person' if made.total == 1 else 'people'}"
        self.stdout.write(f"broadcast {made.pk} {when}")
