"""The numbered checks: what `manage.py check` and `check --deploy` say about settings that are each fine and together are not."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.checks import run_checks

from core import checks, finders
from tests.support.servers import ROOT, Site

DOCS = ROOT / "docs" / "production.md"

FINE = {
    "BASE_URL": "https://live.example.org",
    "ALLOWED_HOSTS": ["live.example.org"],
    "HOST": "0.0.0.0",
    "DEBUG": False,
    "TRUSTED_PROXY_HOPS": 1,
    "WEB_PROCESSES": 2,
    "CHANNEL_REDIS_URLS": ["redis://r/0"],
    "CELERY_BROKER_URL": "redis://r/0",
    "EMAIL_URL": "smtp://mail",
    "VAPID_PRIVATE_KEY": "k",
    "DATABASES": {"default": {"ENGINE": "django.db.backends.postgresql"}},
}
WRONG: list[tuple[str, bool, dict[str, Any]]] = [
    ("E001", False, {"ALLOWED_HOSTS": ["other.example.org"]}),
    ("W002", False, {"DEBUG": True}),
    ("W003", False, {"CHANNEL_REDIS_URLS": []}),
    ("W004", False, {"BASE_URL": "http://live.example.org"}),
    ("E002", True, {"ALLOWED_HOSTS": ["live.example.org", "*"]}),
    ("W005", True, {"BASE_URL": "http://live.example.org"}),
    ("W006", True, {"TRUSTED_PROXY_HOPS": 0}),
    ("W007", True, {"DATABASES": {"default": {"ENGINE": "core.sqlite3"}}}),
    ("W008", True, {"CELERY_BROKER_URL": ""}),
    ("W009", True, {"EMAIL_URL": ""}),
    ("W010", True, {"VAPID_PRIVATE_KEY": ""}),
]


def said(*, deploy: bool) -> set[str]:
    found = run_checks(tags=[checks.TAG], include_deployment_checks=deploy)
    return {str(one.id).removeprefix("signalbox.") for one in found} - {"W001"}  # the front-end packages are not a setting


@pytest.fixture
def fine(monkeypatch: pytest.MonkeyPatch) -> Any:
    settings = SimpleNamespace(**FINE)
    monkeypatch.setattr(checks, "settings", settings)
    return settings


def test_a_deployment_as_the_docs_have_it_has_no_complaint(fine: Any):
    assert said(deploy=True) == set()


def test_a_new_project_that_names_no_hosts_yet_is_fine_on_this_machine(fine: Any):
    vars(fine).update(BASE_URL="http://127.0.0.1:8000", ALLOWED_HOSTS=[], DEBUG=True, HOST="127.0.0.1")
    assert said(deploy=False) == set()
    fine.DEBUG = False
    assert said(deploy=False) == {"E001"}


def test_a_checkout_without_front_end_packages_is_told_and_with_them_is_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    def told() -> bool:
        return "signalbox.W001" in {one.id for one in run_checks()}

    assert not told()
    monkeypatch.setattr(finders, "packages_folder", lambda: tmp_path / "node_modules")
    assert told()
    (tmp_path / "node_modules").mkdir()
    assert not told()


@pytest.mark.postgres
def test_a_deployment_by_its_real_variables_has_no_complaint_either_nor_has_django(tmp_path: Path):
    """The variables of compose.yaml behind https, with mail and push. Django's own checks for a deployment are among these."""
    given = {
        "SECRET_KEY": "".join(chr(33 + number) for number in range(60)),
        "BASE_URL": "https://live.example.org",
        "HOST": "0.0.0.0",
        "TRUSTED_PROXY_HOPS": "1",
        "DATABASE_URL": "postgres://signalbox@127.0.0.1:9/signalbox",
        "REDIS_URL": "redis://127.0.0.1:9/0",
        "EMAIL_URL": "smtp+tls://mail.example.org",
        "VAPID_PRIVATE_KEY": "VfoLVX4h7BOYDXZVdIGLjeVbl8V3SXwkDYHSgFNzM3k",
    }
    done = Site(tmp_path, given).manage("check", "--deploy", "--fail-level", "WARNING")
    assert "no issues" in done.stdout


def test_every_number_is_in_the_docs_and_is_provoked_by_a_test_and_there_is_no_other():
    code = [
        file.read_text() for name in ("core", "notifications", "dashboard", "workers", "signalbox") for file in (ROOT / name).rglob("*.py")
    ]
    there = {
        number for text in code for number in re.findall(r"\b[EW]0\d\d\b", text) if f'"{number}"' in text or f'signalbox.{number}"' in text
    }
    assert set(re.findall(r"`signalbox\.([EW]\d+)`", DOCS.read_text())) == there
    elsewhere = (ROOT / "tests/foreign/test_configure.py").read_text()
    provoked = {number for number, _, _ in WRONG} | {"W001"} | set(re.findall(r"signalbox\.(W\d+)", elsewhere))
    assert provoked == there


@pytest.mark.parametrize(("number", "deploy", "wrong"), WRONG, ids=lambda value: value if isinstance(value, str) else "")
def test_each_check_finds_its_mistake_and_is_in_the_docs(fine: Any, number: str, deploy: bool, wrong: dict[str, Any]):
    for name, value in wrong.items():
        setattr(fine, name, value)
    assert number in said(deploy=True)
    assert (number in said(deploy=False)) is not deploy
    assert f"`signalbox.{number}`" in DOCS.read_text()
