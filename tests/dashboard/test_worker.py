"""A task in a real Celery worker records this machine's figures: one message to the board's group, and a page that shows them."""

import re
from collections.abc import Callable
from typing import Any

import msgpack
import pytest
import redis

from tests.support import servers

READ = "from dashboard.models import Sample; print(Sample.objects.filter(series__widget__slug__in=['memory', 'usage']).count())"
SAMPLED = "from dashboard.models import Widget; print(Widget.objects.get(dashboard__slug='this-machine', slug='memory').pk)"
BOARD = "from dashboard.models import Dashboard; print(Dashboard.objects.get(slug='this-machine').pk)"
# As beat sends it, but without its expiry: the worker may take longer to come up.
SEND = "from workers.celery import app; app.send_task('workers.tasks.sample_machine', queue='live')"


@pytest.mark.valkey
def test_a_sample_taken_by_a_worker_is_one_message_to_the_board(new_site: Callable[..., Any], valkey: servers.Valkey) -> None:
    site = new_site(redis=True)
    site.manage("demo")
    pk, memory = _shell(site, BOARD), _shell(site, SAMPLED)
    heard = redis.Redis.from_url(valkey.url).pubsub()
    heard.psubscribe("*")
    with site.worker():
        _shell(site, SEND)
        widgets = servers.wait_until(lambda: _widgets(heard, pk, memory), described="the board's group to hear of it")
    assert len(widgets) >= 3  # all that was sampled, in one message
    assert not _widgets(heard, pk, memory)
    assert int(_shell(site, READ)) >= 3


def _shell(site: Any, code: str) -> str:
    return str(site.manage("shell", "--no-imports", "-c", code).stdout.strip())


def _widgets(heard: Any, pk: str, sampled: str) -> list[str]:
    """The widgets that the next message to the board has values of, if `sampled` is one: a worker's recount is not a sample."""
    while said := heard.get_message(timeout=0.1):
        if said["type"] == "pmessage" and re.search(rb"dashboard\.%s\b" % pk.encode(), said["channel"]):
            widgets = [key.partition("/")[0] for _, kind, key, _, _ in msgpack.unpackb(said["data"])["events"] if kind == "widget.value"]
            if sampled in widgets:
                return widgets
    return []
