"""A publisher in a process of its own: `python -m tests.support.publisher`.

Reads a JSON list of events per line and answers `ok` once they are committed; those marked `unstored` it hands to the channel layer alone.
"""

import json
import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.support.settings")
django.setup()

from core.delivery.publishing import NewEvent, broadcast_unstored, publish_many  # noqa: E402


def main() -> None:
    print("ready", flush=True)
    for line in sys.stdin:
        events = json.loads(line)
        stored = [event for event in events if not event.get("unstored")]
        publish_many([NewEvent(e["channel"], e["type"], e["data"], e.get("key", "")) for e in stored])
        for event in events:
            if event.get("unstored"):
                broadcast_unstored(event["channel"], event["type"], event["data"])
        print("ok", flush=True)


if __name__ == "__main__":
    main()
