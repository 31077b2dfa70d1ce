"""What stands behind `make`: a Python that will not do is named in one sentence, and so is what could not be run."""

import shutil
import subprocess
from pathlib import Path

import pytest

from scripts import test as make_test
from tests.support import machine
from tests.support.servers import ROOT


def venv(folder: Path, python: str) -> subprocess.CompletedProcess[str]:
    """Run scripts/venv.sh in a folder of its own."""
    (folder / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "venv.sh", folder / "scripts")
    environment = {"PATH": "/usr/bin:/bin", "PYTHON": python}
    return subprocess.run(["bash", "scripts/venv.sh", "none.txt"], cwd=folder, env=environment, capture_output=True, text=True)


def python(folder: Path, *, refuses: str) -> str:
    """A Python that fails at the line of code which holds this word."""
    program = folder / "python"
    program.write_text(f'#!/bin/sh\ncase "$2" in *{refuses}*) exit 1;; esac\n')
    program.chmod(0o755)
    return str(program)


def test_a_python_without_ensurepip_gets_the_apt_line(tmp_path: Path):
    done = venv(tmp_path, python(tmp_path, refuses="ensurepip"))
    assert done.returncode == 1
    assert done.stderr == "signalbox: This Python lacks ensurepip: apt install python3-venv\n"


def test_a_python_that_is_too_old_is_named(tmp_path: Path):
    done = venv(tmp_path, python(tmp_path, refuses="version_info"))
    assert done.returncode == 1
    assert done.stderr.startswith("signalbox: Signalbox needs Python 3.11 or newer")


def test_no_python_at_all_gets_the_apt_line(tmp_path: Path):
    done = venv(tmp_path, "/no/such/python")
    assert done.returncode == 1
    assert done.stderr == "signalbox: There is no /no/such/python here: apt install python3 python3-venv\n"


@pytest.fixture
def no_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without Chromium, on which all tests pass."""
    monkeypatch.setattr(machine, "NEEDS", {"browser": (lambda: None, "apt install chromium"), "node": (lambda: "node", "")})
    monkeypatch.setattr(make_test, "_javascript", lambda: True)
    monkeypatch.setattr(make_test, "_python", lambda: True)


@pytest.mark.usefixtures("no_browser")
@pytest.mark.parametrize(("required", "code"), [("", 0), ("node", 0), ("browser", 1), ("node, browser", 1)])
def test_what_was_not_run_is_named_at_the_end_and_fails_where_it_is_required(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], required: str, code: int
):
    monkeypatch.setenv("REQUIRE", required)
    assert make_test.main() == code
    assert capsys.readouterr().out == "NOT RUN: browser (apt install chromium)\n"


def test_a_word_that_require_does_not_know_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("REQUIRE", "browser,mysql")
    with pytest.raises(SystemExit, match="REQUIRE names mysql; it knows browser, postgres, valkey, redis, pgbouncer, nginx, node"):
        make_test.main()


def test_files_are_spread_over_the_cores_each_process_with_a_folder_of_its_own(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DATA_DIR", "/data")
    monkeypatch.delenv("TESTERS", raising=False)
    order = ["--dist=loadfile", "--no-loadscope-reorder"]
    assert make_test.side_by_side(1) == []
    assert make_test.side_by_side(2) == [*order, "--tx=popen//env:DATA_DIR=/data/tester0", "--tx=popen//env:DATA_DIR=/data/tester1"]
    assert len(make_test.side_by_side(64)) == len(order) + 4
    monkeypatch.setenv("TESTERS", "1")
    assert make_test.side_by_side(64) == []


def test_system_packages_are_installed_only_where_they_are_missing():
    done = subprocess.run(["bash", "scripts/install.sh", "run"], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
