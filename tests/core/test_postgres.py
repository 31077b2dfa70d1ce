"""The core's contracts that were written on SQLite, kept on Postgres: the same files, run again on a database of its own."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.servers import ROOT

pytestmark = [pytest.mark.postgres, pytest.mark.slow]


@pytest.mark.parametrize("file", ["test_idempotency.py", "test_api.py"])
def test_the_same_holds_on_postgres(postgres: Any, tmp_path: Path, file: str) -> None:
    environment = {**os.environ, "DATABASE_URL": postgres.new_database(), "DATA_DIR": str(tmp_path), "REQUIRE": ""}
    command = [sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", str(Path(__file__).parent / file)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
