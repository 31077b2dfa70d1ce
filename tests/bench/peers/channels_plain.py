"""Django Channels as the tutorials teach it: a consumer per socket in a group on the Redis layer, on Daphne."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench.peers.peer import PYTHON, Peer, Running, served
from tests.support.servers import free_port, start_valkey


@contextmanager
def start(folder: Path) -> Iterator[Running]:
    port = free_port()
    with start_valkey() as valkey:
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.bench.peers.channels_settings", "PEER_REDIS": valkey.url}
        command = [PYTHON, "-m", "daphne", "-p", str(port), "-v", "0", "tests.bench.peers.channels_app:application"]
        with served(command, port=port, folder=folder, environment=environment) as process:
            url, publishing = f"ws://127.0.0.1:{port}/ws/chat/bench/", {"way": "layer", "group": "chat_bench"}
            yield Running(process.pid, url, publishing, environment=environment)


PLAIN: Any = Peer("channels", start)
