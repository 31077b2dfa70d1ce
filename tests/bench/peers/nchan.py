"""nginx with nchan, its push module in C."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.peers.peer import Missing, Peer, Running, served
from tests.support import machine
from tests.support.servers import free_port

MODULES = (Path("/usr/lib/nginx/modules/ngx_nchan_module.so"), Path("/usr/lib64/nginx/modules/ngx_nchan_module.so"))

CONFIGURATION = """load_module {module};
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 20000; }}
http {{ access_log off; nchan_max_reserved_memory 256M;
 server {{ listen 127.0.0.1:{port};
  location /pub {{ nchan_publisher; nchan_channel_id g; nchan_message_buffer_length 1000; }}
  location /ws/ {{ nchan_subscriber websocket; nchan_channel_id g; nchan_subscriber_first_message newest;
   nchan_websocket_ping_interval 300; }}
 }} }}
"""


@contextmanager
def start(folder: Path) -> Iterator[Running]:
    program = machine.nginx_program()
    module = next((path for path in MODULES if path.exists()), None)
    if program is None or module is None:
        raise Missing("nchan (apt install nginx libnginx-mod-nchan)")
    port = free_port()
    configuration = folder / f"nchan-{port}.conf"
    configuration.write_text(CONFIGURATION.format(module=module, folder=folder, port=port))
    with served([program, "-p", str(folder), "-c", str(configuration)], port=port, folder=folder) as process:
        yield Running(process.pid, f"ws://127.0.0.1:{port}/ws/", {"way": "http", "port": port, "path": "/pub"})


NCHAN = Peer("nchan", start)
