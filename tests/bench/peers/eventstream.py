"""django-eventstream, which serves SSE only: a stream per client, fed by its listener of Redis, on uvicorn.

Not among our requirements: `pip install django-eventstream` where it is to be measured.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.bench.peers.peer import PYTHON, Missing, Peer, Running, served
from tests.support.servers import free_port, start_valkey


@contextmanager
def start(folder: Path) -> Iterator[Running]:
    if find_spec("django_eventstream") is None:
        raise Missing("pip install django-eventstream")
    port = free_port()
    with start_valkey() as valkey:
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.bench.peers.eventstream_settings", "PEER_REDIS": str(valkey.port)}
        command = [PYTHON, "-m", "uvicorn", "--port", str(port), "--log-level", "warning", "tests.bench.peers.eventstream_app:application"]
        with served(command, port=port, folder=folder, environment=environment) as process:
            url, publishing = f"http://127.0.0.1:{port}/events/?channel=bench", {"way": "eventstream", "channel": "bench"}
            yield Running(process.pid, url, publishing, speaks="sse", environment=environment)


EVENTSTREAM: Any = Peer("django-eventstream (SSE, uvicorn)", start)
