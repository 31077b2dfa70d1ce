"""`manage.py notify ops "Backup done"`: tell people, from a shell or a cron job."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from notifications import actions, audiences, texts
from notifications.errors import BadNotification
from notifications.management import arguments


class Command(BaseCommand):
    help = (
        "Notify people: `notify group:ops 'Backup done' --body '48 GB' --key backup`. Without a title the text comes from standard input."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        arguments.add_audience(parser)
        parser.add_argument("title", nargs="?", help="one line; - or nothing reads title and body from standard input")
        arguments.add_saying(parser, category="")
        parser.add_argument("--key", default="", help="the same key again replaces")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        try:
            said = {"title": options["title"], **arguments.said(options, now=now)}
            if said["title"] in (None, "-"):
                said["title"], said["body"] = texts.title_and_body(sys.stdin.read(4 * texts.BODY))
            sent = actions.notify(
                audiences.split(options["audience"]), key=options["key"], deliver_at=arguments.moment(options, "at", now=now), **said
            )
        except BadNotification as error:
            raise CommandError(str(error)) from None
        if not sent.recipients:
            raise CommandError("Nobody active is in this audience.")
        self.stdout.write(f"notification {sent.id} to {sent.recipients} {'person' if sent.recipients == 1 else 'people'}")
