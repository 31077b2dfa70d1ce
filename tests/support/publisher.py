"""A publisher in a process of its own: `python -m tests.support.publisher`.

Reads a JSON list of events per line and answers `ok` once they are committed.
"""

import json
import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.support.settings")
django.setup()

from core.delivery.publishing import NewEvent, publish_many  # noqa: E402


def main() -> None:
    print("ready", flush=True)
    for line in sys.stdin:
        events = json.loads(line)
        publish_many([NewEvent(e["channel"], e["type"], e["data"], e.get("key", "")) for e in events])
        print("ok", flush=True)


if __name__ == "__main__":
    main()
