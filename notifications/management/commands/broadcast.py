"""`manage.py broadcast all "Maintenance at 22:00"`: say it to everybody, from a shell or a cron job."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from notifications import actions, audiences
from notifications.errors import BadNotification
from notifications.management import arguments


class Command(BaseCommand):
    help = "Broadcast to an audience of any size: `broadcast all 'Maintenance at 22:00' --body '...' --at 2h`."

    def add_arguments(self, parser: ArgumentParser) -> None:
        arguments.add_audience(parser)
        parser.add_argument("title")
        arguments.add_saying(parser, category="broadcast")
        parser.add_argument("--markdown", action="store_true", help="the body is Markdown, as in the console")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        try:
            made = actions.broadcast(
                audiences.split(options["audience"]),
                title=options["title"],
                markdown=options["markdown"],
                send_at=arguments.moment(options, "at", now=now),
                **arguments.said(options, now=now),
            )
        except BadNotification as error:
            raise CommandError(str(error)) from None
        when = f"at {made.send_at:%Y-%m-%d %H:%M} UTC" if made.send_at else f"to {made.total} {'person' if made.total == 1 else 'people'}"
        self.stdout.write(f"broadcast {made.pk} {when}")
