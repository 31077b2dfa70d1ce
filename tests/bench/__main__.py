"""`make bench`: measures us against our goals and our peers, a line per row, its ratio last. Exit 1 where a goal is missed.

ROW=fanout or ROW=fanout,latency    these rows only
--write <file>                      writes the table with date and machine (make bench writes docs/figures.md when all rows ran)

Every row is a file of rows/, every peer one of peers/; docs/fan-out.md says how it is measured.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from core import frontend
from tests.bench import figures, page
from tests.bench.figures import Line
from tests.bench.lab import PEOPLE, Lab, open_lab
from tests.bench.peers.peer import Missing
from tests.bench.processes import as_urgent_as_we_are
from tests.support import machine

ROWS = (
    "fanout",
    "latency",
    "publishes",
    "connects",
    "reconnect",
    "many_channels",
    "jitter",
    "big_rooms",
    "growth",
    "widget",
    "board",
    "ingest",
    "rooms",
    "recipients",  # last: its site has a million people
)
FEW = 500  # people are enough for what CI asks
LIMIT = 15 * 60  # seconds, of a run of all rows: none begins later
ON_DEMAND = ("fanout_small",)  # for CI (.ci/run): a ratio of one run, with a wide margin


def main() -> int:
    lacking = {name: how for name, how in machine.missing().items() if name in {"postgres", "valkey"}}
    if lacking:
        print("\n".join(f"NOT RUN: bench needs {name} ({how})" for name, how in lacking.items()))
        return 1
    asked = [name for name in os.environ.get("ROW", "").split(",") if name]
    if unknown := set(asked) - {*ROWS, *ON_DEMAND}:
        print(f"There is no row {', '.join(sorted(unknown))}; there is {', '.join(ROWS + ON_DEMAND)}.")
        return 2
    as_urgent_as_we_are(os.getpid())
    with suppress(frontend.NoPackages):  # the peers that need them will be named
        if not frontend.installed():
            frontend.install()
    started, lines = time.monotonic(), []
    took: dict[str, float] = {}
    with open_lab(size=FEW if set(asked) == {"fanout_small"} else PEOPLE) as lab:
        for name in asked or ROWS:
            if not asked and time.monotonic() - started > LIMIT:
                lines.append(Line(name, f"not measured: {LIMIT // 60} minutes are over", goal=1.0, ratio=float("inf")))
                print(lines[-1], flush=True)
                continue
            began = time.monotonic()
            for line in _row(lab, name):
                lines.append(line)
                print(line, flush=True)
            took[name] = time.monotonic() - began
            if "--write" in sys.argv and not asked:
                page.write(Path(sys.argv[sys.argv.index("--write") + 1]), lines)
    print("seconds: " + ", ".join(f"{name} {seconds:.0f}" for name, seconds in took.items()))
    missed = [line for line in lines if not line.is_met]
    print(f"bench: rows={len(asked or ROWS)} figures={len(lines)} missed={len(missed)} minutes={(time.monotonic() - started) / 60:.1f}")
    return 1 if missed else 0


def _row(lab: Lab, name: str) -> Iterator[Line]:
    try:
        yield from import_module(f"tests.bench.rows.{name}").run(lab)
    except Missing as missing:
        yield figures.Line(name, "not measured", {"missing": str(missing)})


if __name__ == "__main__":
    sys.exit(main())
