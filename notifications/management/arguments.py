"""What `manage.py notify` and `manage.py broadcast` take alike: whom, and what is said."""

import json
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from notifications import audiences, drafts, times
from notifications.errors import BadNotification


def add_audience(parser: ArgumentParser) -> None:
    parser.add_argument("audience", help=f"{', '.join(audiences.SHAPES)}; several parted by commas")


def add_saying(parser: ArgumentParser, *, category: str) -> None:
    """The options that `said` reads. `category`: the one without the option."""
    parser.add_argument("--body", default="")
    parser.add_argument("--url", default="", help="where a click leads")
    parser.add_argument("--category", default=category)
    parser.add_argument("--priority", default="normal", help="low, normal, high, critical, or 1 to 5")
    parser.add_argument("--action", action="append", default=[], metavar="LABEL=URL", help="a button that leads there; at most twice")
    parser.add_argument("--press", action="append", default=[], metavar="LABEL=PATH", help="a button that posts to a path made for it")
    parser.add_argument("--data", help="your own JSON object, never shown")
    parser.add_argument("--at", help="when: ISO 8601 with offset, unix seconds, or like 30m")
    parser.add_argument("--expires", help="the same")


def said(options: dict[str, Any], *, now: datetime) -> dict[str, Any]:
    """These options as keywords of `notify` and `broadcast`, all but the title and --at. Raises BadNotification."""
    return {
        "body": options["body"],
        "url": options["url"],
        "category": options["category"],
        "priority": drafts.priority_named(options["priority"]),
        "actions": [*map(_action, options["action"]), *(_action(text) | {"method": "post"} for text in options["press"])],
        "data": _data(options["data"]) if options["data"] is not None else None,
        "expires_at": moment(options, "expires", now=now),
    }


def moment(options: dict[str, Any], name: str, *, now: datetime) -> datetime | None:
    """The time that an option names. Raises BadNotification."""
    return times.read(options[name], now=now, field=f"--{name}") if options[name] else None


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
