"""`manage.py notify ops "Backup done"`: tell people, from a shell or a cron job."""

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from notifications import actions, audiences, drafts, texts, times
from notifications.errors import BadNotification


class Command(BaseCommand):
    help = (
        "Notify people: `notify group:ops 'Backup done' --body '48 GB' --key backup`. Without a title the text comes from standard input."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("audience", help=f"{', '.join(audiences.SHAPES)}; several parted by commas")
        parser.add_argument("title", nargs="?", help="one line; - or nothing reads title and body from standard input")
        parser.add_argument("--body", default="")
        parser.add_argument("--url", default="", help="where a click leads")
        parser.add_argument("--category", default="")
        parser.add_argument("--priority", default="normal", help="low, normal, high, critical, or 1 to 5")
        parser.add_argument("--key", default="", help="the same key again replaces")
        parser.add_argument("--action", action="append", default=[], metavar="LABEL=URL", help="a button that leads there; at most twice")
        parser.add_argument("--press", action="append", default=[], metavar="LABEL=PATH", help="a button that posts to a path made for it")
        parser.add_argument("--data", help="your own JSON object, never shown")
        parser.add_argument("--at", help="when: ISO 8601 with offset, unix seconds, or like 30m")
        parser.add_argument("--expires", help="the same")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        title, body = options["title"], options["body"]
        try:
            if title in (None, "-"):
                title, body = texts.title_and_body(sys.stdin.read(4 * texts.BODY))
            sent = actions.notify(
                audiences.split(options["audience"]),
                title=title,
                body=body,
                url=options["url"],
                category=options["category"],
                priority=drafts.priority_named(options["priority"]),
                actions=[*map(_action, options["action"]), *(_action(text) | {"method": "post"} for text in options["press"])],
                key=options["key"],
                data=_data(options["data"]) if options["data"] is not None else None,
                deliver_at=times.read(options["at"], now=now, field="--at") if options["at"] else None,
                expires_at=times.read(options["expires"], now=now, field="--expires") if options["expires"] else None,
            )
        except BadNotification as error:
            raise CommandError(str(error)) from None
        if not sent.recipients:
            raise CommandError("Nobody active is in this audience.")
        self.stdout.write(f"notification {sent.id} to {sent.recipients} {'person' if sent.recipients == 1 else 'people'}")


def _action(text: str) -> dict[str, str]:
    label, parts, url = text.partition("=")
    if not parts:
        raise BadNotification("--action and --press are a label, an equals sign and an address: --action 'Log=/log/'.", field="actions")
    return {"label": label, "url": url}


def _data(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise BadNotification("""--data is a JSON object: --data '{"build": 42}'.""", field="data")
    return data
