"""What was written on SQLite is kept on Postgres: the same files, run again; and what only two processes at once can show."""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.servers import ROOT

pytestmark = pytest.mark.postgres

# Model sources after a thousand changes, rollups and stretches, leases and back-off, the questions about the database itself.
FILES = [
    "test_model_sources.py",
    "test_history.py",
    "test_polling.py",
    "test_own_figures.py::test_the_database_answers_and_what_is_not_configured_is_not_down",
]


@pytest.mark.slow
def test_sources_and_history_are_the_same_on_postgres(postgres: Any, tmp_path: Path) -> None:
    environment = {**os.environ, "DATABASE_URL": postgres.new_database(), "DATA_DIR": str(tmp_path), "REQUIRE": ""}
    files = [str(Path(__file__).parent / name) for name in FILES]
    command = [sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", *files]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert "skipped" not in done.stdout.splitlines()[-1]


def test_of_two_processes_one_asks_and_the_other_waits_or_lets_it_be(new_site: Callable[..., Any]) -> None:
    site = new_site(database="postgres")

    def run(which: str) -> list[str]:
        code = f"from tests.dashboard.once import {which}; {which}({str(site.folder)!r})"
        return list(site.manage("shell", "--no-imports", "-c", code).stdout.splitlines())

    with ThreadPoolExecutor() as threads:
        first, second = threads.map(run, ["first", "second"])
    assert first == ["first asks", "first asked 1", "first reads", "first has read"]
    assert second == ["second asked 0", "second asks", "second asked 1", "second reads", "shown 2 of 2"]
