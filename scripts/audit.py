"""`make audit`: does any package that we pin have a known hole? pip-audit asks OSV about Python's, npm its registry about the front end's.

Where a database cannot be reached, that is said (`NOT RUN: audit of ...`) and is no failure, unless REQUIRE=audit. A database that knows
nothing against Django 4.2.0 is none. `OSV_URL=` names a mirror.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core import frontend

ROOT = Path(__file__).resolve().parent.parent
CANARY = "django==4.2.0"


class NotReached(Exception):
    """There is no database of holes to ask from here."""


def main() -> int:
    holes, missing = [], []
    for name, ask in {"Python's packages": python_holes, "the front end's packages": front_end_holes}.items():
        try:
            holes += list(ask())
        except NotReached as error:
            missing.append(f"NOT RUN: audit of {name} ({error})")
    for line in holes:
        print(f"HOLE: {line}")
    if not holes and not missing:
        print("audit: no package that we pin has a known hole")
    for line in missing:
        print(line)
    return 1 if holes or (missing and "audit" in os.environ.get("REQUIRE", "").split(",")) else 0


def python_holes() -> Iterator[str]:
    """`package version: ID, mended in ...`. Raises NotReached."""
    with tempfile.TemporaryDirectory() as folder:
        canary = Path(folder) / "canary.txt"
        canary.write_text(f"{CANARY}\n")
        if not list(_pip_audit(canary)):
            raise NotReached(f"the database knows nothing against {CANARY}")
    for file in sorted(ROOT.glob("requirements*.txt")):  # what one names with -r, pip-audit does not follow
        yield from _pip_audit(file)


def _pip_audit(file: Path) -> Iterator[str]:
    where = os.environ.get("OSV_URL", "")
    options = ["--disable-pip", "--no-deps", "--format=json", "--progress-spinner=off", "--vulnerability-service=osv"]
    command = [sys.executable, "-m", "pip_audit", *options, *([f"--osv-url={where}"] if where else []), "--requirement", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    try:
        found = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        raise NotReached(_last_line(done.stderr) or "pip-audit gave no answer") from None
    for package in found:
        if "skip_reason" in package:
            raise NotReached(f"{package['name']}: {package['skip_reason']}")
        for hole in package["vulns"]:
            yield f"{package['name']} {package['version']}: {hole['id']}, mended in {', '.join(hole['fix_versions']) or 'no version'}"


def front_end_holes() -> Iterator[str]:
    """`package: severity, range`. Raises NotReached."""
    commands = frontend.npm_commands()
    if not commands:
        raise NotReached("npm is not here")
    done = subprocess.run([*commands[0], "audit", "--package-lock-only", "--json"], cwd=ROOT, capture_output=True, text=True)
    answer: dict[str, Any] = json.loads(done.stdout or "{}")
    if "metadata" not in answer:
        raise NotReached(str(answer.get("message") or _last_line(done.stderr) or "npm gave no answer"))
    for name, hole in answer["vulnerabilities"].items():
        yield f"{name}: {hole['severity']}, {hole['range']}"


def _last_line(text: str) -> str:
    return next((line.strip()[:140] for line in reversed(text.splitlines()) if line.strip()), "")


if __name__ == "__main__":
    sys.exit(main())
