"""`make test`: everything this machine can run, and at the end what it could not (REQUIRE=browser,postgres,valkey makes that a failure)."""

import os
import subprocess
import sys
from pathlib import Path

from core import frontend
from tests.support import machine

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    try:
        lacking = machine.missing()
        unmet = machine.required() & set(lacking)
    except ValueError as error:
        sys.exit(f"signalbox: {error}")
    failed = [name for name, passed in (("javascript", _javascript()), ("python", _python())) if not passed]
    if failed:
        print(f"FAILED: {', '.join(failed)}")
    for name, how in lacking.items():
        print(f"NOT RUN: {name} ({how})")
    return 1 if failed or unmet else 0


def _javascript() -> bool:
    """live.js and its siblings, by node's own runner."""
    files = sorted(str(path) for path in (ROOT / "tests" / "js").glob("*.test.js"))
    node = frontend.node_program()
    if not files or node is None:
        return True
    return _run([node, "--test", *files])


def _python() -> bool:
    """Units, processes and browser. The tests' database and files are kept apart from `make run`'s."""
    if not frontend.installed():
        print("Fetching the front-end packages.")
        frontend.install()
    return _run([sys.executable, "-m", "pytest", *side_by_side(os.cpu_count() or 1), *sys.argv[1:]])


def side_by_side(cores: int) -> list[str]:
    """How pytest is told to work off the files in several processes (TESTERS= says in how many), each with a data folder of its own.

    The order of the files is kept: those with a browser come last (tests/conftest.py), in every process.
    """
    testers = int(os.environ.get("TESTERS") or min(cores, 4))
    each = [f"--tx=popen//env:DATA_DIR={folder() / f'tester{number}'}" for number in range(testers)]
    return ["--dist=loadfile", "--no-loadscope-reorder", *each] if testers > 1 else []


def folder() -> Path:
    return Path(os.environ.get("DATA_DIR") or ROOT / "data" / "test")


def _run(command: list[str]) -> bool:
    sys.stdout.flush()
    return subprocess.run(command, cwd=ROOT, env={**os.environ, "DATA_DIR": str(folder())}).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
