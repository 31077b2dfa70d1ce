"""`manage.py serve`: a web process, on Daphne or uvicorn, that stops without losing anybody."""

import socket
import sys
from argparse import ArgumentParser
from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.core.checks import run_checks
from django.core.management.base import BaseCommand, CommandError

from core import checks, databases, server
from core.supervisor import Program, Supervisor


class Command(BaseCommand):
    help = "Serve pages and live connections on HOST:PORT, by SERVER (daphne or uvicorn), in WEB_PROCESSES processes."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--descriptor", type=int, help="Accept from this inherited socket (used between our own processes).")

    def handle(self, *args: Any, descriptor: int | None = None, **options: Any) -> None:
        _check_server()
        _check_database()
        if descriptor is not None:
            server.run(socket.socket(fileno=descriptor), server=settings.SERVER)
            return
        try:
            listener = server.listen(host=settings.HOST, port=settings.PORT)
        except server.PortTaken as error:
            raise CommandError(str(error)) from error
        self._check_settings()
        if settings.WEB_PROCESSES == 1:
            server.run(listener, server=settings.SERVER)
        else:
            sys.exit(Supervisor(web_processes(listener)).run())

    def _check_settings(self) -> None:
        """Say what is odd about the settings; refuse to start on what cannot work."""
        for found in run_checks(tags=[checks.TAG]):
            if found.is_serious():
                raise CommandError(found.msg)
            self.stderr.write(f"{found.id}: {found.msg}")


def _check_server() -> None:
    if settings.SERVER == "uvicorn" and find_spec("uvicorn") is None:
        raise CommandError("SERVER=uvicorn needs uvicorn: run `pip install -r requirements-server.txt`.")


def _check_database() -> None:
    """Refuse to start on a database that cannot be used, or that is not made yet."""
    waiting = databases.unapplied_migrations()
    databases.close()
    if waiting:
        raise CommandError(f"The database waits for {waiting} migrations: run `python manage.py prepare`.")


def web_processes(listener: socket.socket) -> list[Program]:
    """WEB_PROCESSES of us that accept from one socket."""
    number = listener.fileno()
    command = [sys.executable, "manage.py", "serve", "--descriptor", str(number)]
    return [Program(f"web{i + 1}", command, descriptors=(number,)) for i in range(settings.WEB_PROCESSES)]
