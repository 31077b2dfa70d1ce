"""What the reference pages list is all there is: kinds and events, calls, close codes."""

import re

import pytest

from core.api import api
from core.delivery.channel import registry
from tests.support.servers import ROOT

REFERENCE = ROOT / "docs" / "reference"


def test_every_kind_and_every_event_type_of_ours_is_on_the_page():
    page = (REFERENCE / "events.md").read_text()
    rows = {found[1]: found[0] for found in re.finditer(r"^\| `(\w+):.*$", page, re.M)}
    ours = {name: kind for name, kind in registry.kinds.items() if type(kind).__module__.startswith(("core", "notifications", "dashboard"))}
    assert set(rows) == {*ours, "system"}
    lacking = [f"{name} {one.name}" for name, kind in ours.items() for one in kind.types if f"`{one.name}`" not in rows[name]]
    assert lacking == []


@pytest.mark.django_db
def test_every_call_is_in_the_table():
    page = (REFERENCE / "api.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    calls = [(method.upper(), path) for path, operations in api.get_openapi_schema()["paths"].items() for method in operations]
    assert [call for call in calls if not any(_tells(row, *call) for row in rows)] == []


def _tells(row: str, method: str, path: str) -> bool:
    """A row names a call in full, or by its end after others of its kind."""
    return method in row and (f"{path}`" in row or f"`/{path.rpartition('/')[2]}`" in row)


def test_every_close_code_that_we_send_is_on_the_page():
    page = (REFERENCE / "close-codes.md").read_text()
    files = [*(ROOT / "core").rglob("*.py"), *(ROOT / "notifications" / "rooms").glob("*.py")]
    sent = {code for file in files for code in re.findall(r"\b(44\d\d|101[123])\b", file.read_text())}
    assert sent >= {"4400", "4401", "4403", "4409", "4429", "1012", "1013"}
    assert [code for code in sorted(sent) if not re.search(rf"^\| (?:\d+, )*{code}\b", page, re.M)] == []
