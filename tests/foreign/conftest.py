"""The shop: another Django project with the wheel of this checkout in it, as somebody would have who installed it."""

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.servers import ROOT, Process, clean_environment, free_port, wait_until

PARTS = ("core", "dashboard", "notifications", "workers", "signalbox", "templates", "scripts")
FILES = ("pyproject.toml", "README.md", "LICENSE", "package.json", "package-lock.json")


def pip(*arguments: str, cwd: Path) -> None:
    """No network and no questions: what the wheel needs is in this environment already."""
    command = [sys.executable, "-m", "pip", *arguments, "--quiet", "--no-deps", "--no-index", "--disable-pip-version-check"]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the built wheel's packages. Built from a copy: setuptools leaves folders where it builds."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "source"
    for name in PARTS:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, copy)
    (copy / "node_modules").symlink_to(ROOT / "node_modules")
    pip("wheel", "--no-build-isolation", "--wheel-dir", str(folder), ".", cwd=copy)
    (wheel,) = folder.glob("*.whl")
    pip("install", "--no-compile", "--target", str(folder / "lib"), str(wheel), cwd=folder)
    return folder / "lib"


@dataclass
class Shop:
    """The project's folder, and the address of its server."""

    folder: Path
    installed: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        """Nothing of ours: neither this checkout's settings, nor its folder to import from."""
        known = {name: value for name, value in clean_environment().items() if name != "DJANGO_SETTINGS_MODULE"}
        return known | {"PYTHONPATH": str(self.installed), "BASE_URL": self.url}

    def manage(self, *arguments: str, given: str | None = None) -> str:
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, cwd=self.folder, env=self.environment(), capture_output=True, text=True, input=given)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr


# One process for all of it: each costs a start of Django.
BEGIN = """
from django.core.management import call_command

call_command("migrate", verbosity=0)
call_command("collectstatic", interactive=False, verbosity=0)

from django.contrib.auth import get_user_model
from dashboard.actions import record, save_dashboard, save_widget
from dashboard.models import Dashboard, Widget

anna = get_user_model().objects.create_superuser("anna", "anna@example.com", "anna-password")
board = Dashboard(slug="shop", title="Shop", owner=anna)
save_dashboard(board)
save_widget(Widget(dashboard=board, slug="apples", kind="stat", title="Apples"))
record("shop/apples", 7)
"""


@pytest.fixture(scope="session")
def shop(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Migrated, its static files collected, with anna and her board; not running."""
    folder = tmp_path_factory.mktemp("shop") / "site"
    shutil.copytree(ROOT / "tests" / "foreign" / "site", folder, ignore=shutil.ignore_patterns("__pycache__"))
    made = Shop(folder, installed, free_port())
    made.manage("shell", "--verbosity", "0", given=BEGIN)
    return made


@dataclass
class Server(Process):
    folder: Path = ROOT

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.child = subprocess.Popen(
                self.arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=self.environment, cwd=self.folder
            )


@pytest.fixture(scope="session")
def running(shop: Shop) -> Iterator[Shop]:
    """The shop behind plain uvicorn, by its own asgi.py."""
    command = [sys.executable, "-m", "uvicorn", "mysite.asgi:application", "--port", str(shop.port)]
    server = Server(command, shop.folder / "log", shop.environment(), folder=shop.folder)
    server.start()
    try:
        wait_until(lambda: answers(shop.port), described="the shop", log=server.log)
        yield shop
    finally:
        assert server.child is not None
        server.child.terminate()
        server.child.wait(20)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
