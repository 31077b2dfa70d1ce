"""pgbouncer in transaction mode in front of a Postgres of the tests: few sessions, dealt out in turn, so that nothing can live in one."""

import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import machine
from tests.support.servers import Postgres, Process, accepts, free_port, wait_until

SESSIONS = 3


@dataclass
class Bouncer(Process):
    port: int = 0

    def address(self, database: str) -> str:
        """A Postgres' address, by way of us."""
        return f"postgres://signalbox@127.0.0.1:{self.port}/{database.rsplit('/', 1)[1]}"

    def show(self, what: str) -> list[dict[str, Any]]:
        """What its console says, such as `POOLS`."""
        import psycopg
        from psycopg.rows import dict_row

        address = f"postgres://signalbox@127.0.0.1:{self.port}/pgbouncer"
        with psycopg.connect(address, autocommit=True, row_factory=dict_row, cursor_factory=psycopg.ClientCursor) as console:
            return list(console.execute(f"SHOW {what}"))  # type: ignore[arg-type]


@contextmanager
def start_bouncer(postgres: Postgres) -> Iterator[Bouncer]:
    program = machine.pgbouncer_program()
    assert program, "apt install pgbouncer"
    user = "postgres" if os.getuid() == 0 else None  # as Postgres, it refuses to run as root
    folder, port = Path(tempfile.mkdtemp(prefix="sb-pgbouncer-")), free_port()
    settings = {"listen_addr": "127.0.0.1", "listen_port": port, "unix_socket_dir": "", "auth_type": "any", "admin_users": "signalbox"}
    settings |= {"pool_mode": "transaction", "default_pool_size": SESSIONS, "server_round_robin": 1, "max_client_conn": 300}
    lines = (f"{name} = {value}" for name, value in settings.items())
    where = f"* = host=127.0.0.1 port={postgres.port} user=signalbox"
    (folder / "ini").write_text("\n".join(("[databases]", where, "[pgbouncer]", *lines)) + "\n")
    if user:
        for path in (folder, folder / "ini"):
            shutil.chown(path, user=pwd.getpwnam(user).pw_uid)
    server = Bouncer([program, str(folder / "ini")], folder / "log", user=user, port=port)
    try:
        server.start()
        wait_until(lambda: accepts(port), described="pgbouncer", log=server.log)
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)
