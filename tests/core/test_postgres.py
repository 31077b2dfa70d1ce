"""The core's contracts that were written on SQLite, kept on Postgres behind pgbouncer: the same files, run again on another database."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.bouncer import start_bouncer
from tests.support.servers import ROOT

pytestmark = [pytest.mark.postgres, pytest.mark.pgbouncer, pytest.mark.slow]


@pytest.mark.parametrize(
    ("file", "only"),
    [
        ("test_idempotency.py", ""),
        ("test_api.py", ""),
        ("test_clean.py", ""),
        ("test_matrix.py", ""),
        ("test_progress.py", "hostile or breaks"),
        ("test_admin_matrix.py", "query or twin or same_person"),
    ],
    ids=lambda part: part.partition(".")[0],
)
def test_the_same_holds_on_postgres(postgres: Any, tmp_path: Path, file: str, only: str) -> None:
    with start_bouncer(postgres) as bouncer:
        database = bouncer.address(postgres.new_database())
        environment = {**os.environ, "DATABASE_URL": database, "DATA_DIR": str(tmp_path), "REQUIRE": ""}
        # The database stays: pgbouncer's sessions are still in it when the tests are over.
        options = ["-q", "--no-header", "-p", "no:cacheprovider", "--reuse-db", "-k", only]
        command = [sys.executable, "-m", "pytest", *options, str(Path(__file__).parent / file)]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
