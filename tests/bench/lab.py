"""Where a bench runs: one Postgres, one Valkey, one Signalbox with its people; web processes and peers come and go by `with`.

with open_lab() as lab, lab.web("uvicorn") as web, lab.crowd(web, 1000, ["bench:1"]) as clients, lab.publisher() as publisher:
    found = deliver(clients, publisher, sockets=1000, messages=100, rate=40, channel="bench:1")
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.crowd import Child, crowd
from tests.bench.processes import CLIENT, SERVER, as_urgent_as_we_are, on_core
from tests.support.servers import ROOT, Postgres, Site, Valkey, Web, make_site, start_postgres, start_valkey

PEOPLE = 10_000
FILES = 8 * 2**30  # bytes: more than the files of Postgres take in all rows
SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.bench.settings", "MAX_CONNECTIONS_PER_USER": "0", "MAX_CONNECTIONS_PER_ADDRESS": "0"}


@dataclass(slots=True)
class Lab:
    """What the rows share."""

    folder: Path
    valkey: Valkey
    postgres: Postgres
    size: int = PEOPLE
    _sites: dict[str, Site] = field(default_factory=dict)
    _people: dict[str, dict[str, Any]] = field(default_factory=dict)

    def site(self, database: str = "postgres") -> Site:
        """The Signalbox on that database, made on first need."""
        if database not in self._sites:
            folder = self.folder / database
            folder.mkdir()
            address = self.postgres.new_database() if database == "postgres" else ""
            self._sites[database] = make_site(folder, database=address, redis=self.valkey.url, **SETTINGS)
        return self._sites[database]

    def made(self) -> dict[str, Any]:
        """The people of the Postgres site, as `people.py` made them, and their room."""
        if "postgres" not in self._people:
            command = [sys.executable, "-m", "tests.bench.people", str(self.size)]
            done = subprocess.run(command, cwd=ROOT, env=self.site().env(), capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            self._people["postgres"] = json.loads(done.stdout)
        return self._people["postgres"]

    def people(self, count: int) -> list[tuple[str, str]]:
        """(primary key, session) of so many of them."""
        return [(pk, session) for pk, session in self.made()["people"][:count]]

    @contextmanager
    def web(self, server: str, **environment: Any) -> Iterator[Web]:
        """A web process that has a core for itself."""
        with ExitStack() as stack:
            with on_core(SERVER):
                web = stack.enter_context(self.site().web(server=server, **environment))
            as_urgent_as_we_are(web.pid)
            yield web

    @contextmanager
    def crowd(
        self, web: Web, count: int, channels: Sequence[str], *, each: Sequence[str] = (), skip: int = 0, **more: Any
    ) -> Iterator[Child]:
        """So many signed-in sockets on these channels and, as every page has, their own and everybody's; or each on one of its own.

        skip: so many of the people are left out, for they are somewhere else.
        """
        people = self.people(skip + count)[skip:]
        at: list[Mapping[str, str | None]] = [{**dict.fromkeys(channels), f"user:{pk}": None, "audience:all": None} for pk, _ in people]
        if each:
            at = [{channel: None} for channel in each]
        # The cookie's name has our port (core.settings).
        cookies = [f"sessionid_{web.port}={session}" for _, session in people]
        with crowd(web.socket_url, cookies, at, **more) as child:
            yield child

    def publisher(self, database: str = "postgres", *, core: int = CLIENT) -> Child:
        """A process that publishes on our site."""
        return Child("tests.bench.publisher", self.site(database).env(), core=core)

    def poster(self) -> Child:
        """A process that publishes by HTTP, for the peers that take it so."""
        return Child("tests.bench.publisher", {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"})


def _memory() -> str | None:
    """A folder whose files are in memory and stay there, if this machine has one with room; None: wherever temporary files are.

    A virtual machine may give the pages of files back to its host as soon as nobody looks at them. Each that Postgres touches again then
    costs 10 to 20 us, which is milliseconds for whoever commits next to somebody who writes a million rows.
    """
    folder = "/dev/shm"
    return folder if os.path.isdir(folder) and shutil.disk_usage(folder).free > FILES else None


@contextmanager
def open_lab(*, size: int = PEOPLE) -> Iterator[Lab]:
    """Postgres has no disk here (fsync off, its files in memory): what is measured is ours, and not how long a machine's disk takes."""
    folder = Path(tempfile.mkdtemp(prefix="sb-bench-"))
    try:
        with on_core(CLIENT), start_valkey() as valkey, start_postgres(within=_memory()) as postgres:
            for process in (valkey, postgres):
                as_urgent_as_we_are(process.pid)
            yield Lab(folder, valkey, postgres, size)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
