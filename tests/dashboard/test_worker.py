"""A task in a real Celery worker records this machine's figures: one message to the board's group, and a page that shows them."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import redis

from tests.support import servers

READ = "from dashboard.models import Sample; print(Sample.objects.filter(series__widget__slug__in=['memory', 'usage']).count())"
BOARD = "from dashboard.models import Dashboard; print(Dashboard.objects.get(slug='this-machine').pk)"
# As beat sends it, but without its expiry: the worker may take longer to come up.
SEND = "from workers.celery import app; app.send_task('workers.tasks.sample_machine', queue='live')"


@pytest.mark.valkey
def test_a_sample_taken_by_a_worker_is_one_message_to_the_board(new_site: Callable[..., Any], valkey: servers.Valkey) -> None:
    site = new_site(redis=True)
    site.manage("demo")
    pk = _shell(site, BOARD)
    heard = redis.Redis.from_url(valkey.url).pubsub()
    heard.psubscribe("*")
    with site.worker():
        _shell(site, SEND)
        message = servers.wait_until(lambda: _message(heard, f"dashboard.{pk}"), described="the board's group to hear of it")
    assert b"widget.value" in message
    assert not _message(heard, f"dashboard.{pk}")
    assert int(_shell(site, READ)) >= 3


def _shell(site: Any, code: str) -> str:
    return str(site.manage("shell", "--no-imports", "-c", code).stdout.strip())


def _message(heard: Any, group: str) -> bytes:
    """The next message to this group that is there already; empty when there is none."""
    while said := heard.get_message(timeout=0.1):
        if said["type"] == "pmessage" and re.search(rb"%s\b" % re.escape(group.encode()), said["channel"]):
            return bytes(said["data"])
    return b""
