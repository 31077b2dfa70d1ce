"""Our OpenAPI against ourselves: schemathesis calls a real site by the document that it serves, with what fits it and with what does not.

Deterministic: the same calls each time. What one of them did to the site, the next one meets.
"""

import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from core.api import api
from core.api_docs import operations_of
from tests.support.fuzzed import BROADCASTS, EXAMPLE
from tests.support.servers import ROOT, make_site

pytestmark = pytest.mark.slow

EXAMPLES = "40"  # calls of each operation that are made up, besides those at the limits of every field
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance"
# Nobody may publish by hand what a table stands behind, and here every type has one: this door is knocked at in vain.
NEVER_OPENED = {"POST /api/v1/publish"}
OPS = {"title": "Ops", "widgets": [{"slug": slug, "kind": "stat", "title": slug.title()} for slug in ("queue", "users")]}


def test_whatever_the_document_allows_or_forbids_no_call_breaks_anything(tmp_path: Path) -> None:
    site = make_site(tmp_path, DJANGO_SETTINGS_MODULE="tests.support.unhurried_settings")
    site.manage("demo")
    token = json.loads((tmp_path / "demo.json").read_text())["token"]
    with site.web(server="uvicorn") as web:
        make_what_the_examples_speak_of(web.url, token)
        done = schemathesis(tmp_path, f"{web.url}/api/v1/openapi.json", token)
        log = web.output()
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert "Traceback" not in log and " ERROR " not in log, log[-8000:]
    statuses = answers(tmp_path / "calls.har")
    assert max(status for counted in statuses.values() for status in counted) < 500
    names = [f"{method.upper()} {path}" for path, method, _ in operations_of(api.get_openapi_schema())]
    calls = {name: statuses[name] for name in names}
    unopened = {name for name, counted in calls.items() if not any(200 <= status < 300 for status in counted)}
    assert unopened == NEVER_OPENED, "every other call was to come through at least once"
    assert min(sum(counted.values()) for counted in calls.values()) > 3 and sum(sum(counted.values()) for counted in calls.values()) > 800


def make_what_the_examples_speak_of(url: str, token: str) -> None:
    """A dashboard with two widgets, and broadcasts up to the number that the document asks for, of which one is paused."""
    with httpx.Client(base_url=f"{url}/api/v1/", headers={"Authorization": f"Bearer {token}"}, timeout=30) as http:
        assert http.put("dashboards/ops", json=OPS).status_code == 201
        while http.post("broadcasts", json={"audience": "staff", "title": "Later", "send_at": "2h"}).json()["id"] < EXAMPLE:
            pass
        assert http.post(f"broadcasts/{BROADCASTS['resume']}/pause").status_code == 200


def schemathesis(folder: Path, document: str, token: str) -> subprocess.CompletedProcess[str]:
    program = str(Path(sys.executable).parent / "schemathesis")
    how = ["--phases=examples,coverage,fuzzing", f"--max-examples={EXAMPLES}", f"--checks={CHECKS}", "--generation-deterministic"]
    report = ["--report=har", f"--report-har-path={folder / 'calls.har'}", "--request-timeout=40", "--continue-on-failure"]
    command = [program, "run", document, f"--header=Authorization: Bearer {token}", *how, *report]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "tests.support.fuzz_hooks", "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240)


def answers(report: Path) -> dict[str, Counter[int]]:
    """`GET /api/v1/broadcasts/{id}` -> how often which status was answered."""
    templates = [(method.upper(), path, path.split("/")) for path, method, _ in operations_of(api.get_openapi_schema())]
    found: dict[str, Counter[int]] = defaultdict(Counter)
    entries: list[dict[str, Any]] = json.loads(report.read_text())["log"]["entries"]
    for entry in entries:
        method, parts = entry["request"]["method"], urlsplit(entry["request"]["url"]).path.split("/")
        name = next((path for m, path, pattern in templates if m == method and _fits(pattern, parts)), "other")
        found[f"{method} {name}"][entry["response"]["status"]] += 1
    return found


def _fits(pattern: list[str], parts: list[str]) -> bool:
    return len(pattern) == len(parts) and all(one.startswith("{") or one == other for one, other in zip(pattern, parts, strict=True))
