"""`make chaos`: plays the faults against real processes and says whether the promise held. Exit 1 where it did not.

ROW=4 or ROW=4,5    these rows only (19, the soak, and room run on demand: ROW=19, ROW=room or FULL=1)
FULL=1              real times, both servers on both databases
SELFTEST=1          breaks the product in six ways; each must turn its own verdict red, and no other
DATABASE= SERVER=   only that one
--write <file>      writes the table as Markdown (make chaos WRITE=docs/delivery-figures.md)
"""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from core import frontend
from tests.chaos import report, runner, verdicts
from tests.chaos.report import Result
from tests.chaos.rows import ROWS, Row
from tests.chaos.stage import Scene, Services
from tests.support import machine

FULL = os.environ.get("FULL") == "1"
PASSES = [("sqlite", "uvicorn"), ("postgres", "uvicorn"), ("sqlite", "daphne"), *([("postgres", "daphne")] if FULL else [])]
ON_DEMAND = 19
NAMED = {"room": 20}  # rows beside the faults' own, by name


def main() -> int:
    lacking = {name: how for name, how in machine.missing().items() if name in {"postgres", "valkey"}}
    if lacking:
        print("\n".join(f"NOT RUN: chaos needs {name} ({how})" for name, how in lacking.items()))
        return 1
    if not frontend.installed():
        print("Fetching the front-end packages.", flush=True)
        frontend.install()
    with runner.services(postgres=True) as services:
        return _self_test(services) if os.environ.get("SELFTEST") == "1" else _rows(services)


def _rows(services: Services) -> int:
    results: list[Result] = []
    for row, database, server in _wanted():
        result = runner.play(row, services, Scene(database=database, server=server))
        results.append(result)
        print(f"{row.number:>2} {row.fault} on {result.on}: {'ok' if result.passed else 'FAILED'}", flush=True)
        for sentence in result.explained():
            print(f"   {sentence}", flush=True)
        if "--write" in sys.argv:  # after every row: a run that is broken off has its table too
            Path(sys.argv[sys.argv.index("--write") + 1]).write_text(_page(results))
    print("\n" + report.table(results))
    for row in [row for row in _chosen() if row.waits_for]:
        print(f"NOT RUN: row {row.number}, {row.fault} (waits for {row.waits_for})")
    print(report.last_line(results))
    return 0 if results and all(result.passed for result in results) else 1


def _chosen() -> list[Row]:
    asked = {NAMED.get(row) or int(row) for row in os.environ.get("ROW", "").split(",") if row}
    return [row for row in ROWS if (row.number in asked if asked else row.number not in {ON_DEMAND, *NAMED.values()} or FULL)]


def _wanted() -> Iterator[tuple[Row, str, str]]:
    """Each row on each pass. A row for one database only is played there in the passes of the other one too, once for each server."""
    for row in _chosen():
        done = set()
        for database, server in PASSES if row.number != ON_DEMAND or FULL else PASSES[1:2]:
            place = (database if database in row.databases else row.databases[0], server)
            only = (os.environ.get("DATABASE", place[0]), os.environ.get("SERVER", server))
            if row.play is not None and place not in done and place == only:
                done.add(place)
                yield row, *place


_WORDS = """Acked: publishes whose transaction committed. Shown: events on clients' screens. Repaired: gaps found by hubs and clients, and
what relays numbered. Pub p99: a publish with its commit and numbering. Slowest: from the commit to the screen of a client that was
connected all that time, those of a stopped process included (row 8). Away: the longest that a client was not live. Memory, open
files and tasks: of one web process, at the start and at the end of the row."""


def _page(results: list[Result]) -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    day = time.strftime("%Y-%m-%d", time.gmtime())
    where = f"{day}, {os.cpu_count()} cores and {memory:.0f} GB, shared by publishers, clients and servers."
    return f"# What `make chaos` measured\n\n{where}\n\n{_WORDS}\n\n{report.markdown(results)}\n\n`{report.last_line(results)}`\n"


def _self_test(services: Services) -> int:
    wrong = 0
    for verdict in verdicts.NAMES:
        found = runner.sabotaged(verdict, services)
        right = set(found) == {verdict}
        wrong += not right
        print(
            f"selftest: {verdict}: {'red as it must be' if right else 'WRONG'}, { ({name: len(said) for name, said in found.items()}) }",
            flush=True,
        )
        for name, said in found.items():
            print(f"   {name}: {said[0]}", flush=True)
    print(f"selftest: ways={len(verdicts.NAMES)} wrong={wrong}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
