"""Integer keys are what all other tests have; here users have UUIDs."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_users_may_have_uuids_for_keys(tmp_path: Path) -> None:
    environment = {**os.environ, "DATA_DIR": str(tmp_path), "DATABASE_URL": "", "REDIS_URL": ""}
    environment = {name: value for name, value in environment.items() if value}
    command = [sys.executable, "-m", "tests.notifications.uuid_people.story"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.endswith("told\n"), done.stdout[-500:] + done.stderr[-3000:]
