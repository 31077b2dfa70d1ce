"""Plays rows and the self-test: what `make chaos` and the small set in CI share."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from tests.chaos import verdicts
from tests.chaos.report import Result, measured
from tests.chaos.rows import Row
from tests.chaos.stage import Scene, Services, open_stage
from tests.support.servers import NotThere, start_postgres, start_valkey


@contextmanager
def services(*, postgres: bool) -> Iterator[Services]:
    """The servers that a run stands on, in a folder that goes with them."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sb-chaos-", ignore_cleanup_errors=True)))
        folder.chmod(0o755)  # Postgres runs as another user where we are root
        valkey = stack.enter_context(start_valkey())
        yield Services(folder, valkey, stack.enter_context(start_postgres()) if postgres else None)


def play(row: Row, services: Services, scene: Scene) -> Result:
    """Play one row on one database and server. A row that breaks is a failed row and does not end the run."""
    assert row.play is not None
    result = Result(row.number, row.fault, f"{scene.database} {scene.server}")
    start = time.monotonic()
    try:
        with row.opened(services, row.on(scene)) as stage:
            row.play(stage)
            measured(result, stage, stage.finish(), repairs=row.repairs)
    except (NotThere, AssertionError, OSError, TimeoutError) as error:
        result.problems.append(f"the row broke: {type(error).__name__} {str(error)[-1500:]}")
    result.notes.append(f"{time.monotonic() - start:.0f} s")
    return result


BROKEN = Scene(webs=1, least=250, crowd=10, publishers=2, rate=30, by_http=False)


def sabotaged(verdict: str, services: Services) -> dict[str, list[str]]:
    """Break the product in the way that turns this verdict red, and return all findings."""
    lossy = {"CHAOS_LAYER": "7"} if verdict == "double" else {}
    scene = replace(BROKEN, checks=verdict != "double", environment={"CHAOS_SABOTAGE": verdict, **lossy})
    with open_stage(services, scene) as stage:
        stage.until_traffic(scene.least)
        return {name: found for name, found in verdicts.judge(stage.finish()).items() if found}
