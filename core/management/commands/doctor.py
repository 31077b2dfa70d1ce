"""`manage.py doctor`: ask everything that Signalbox stands on, and say how to mend what is wrong."""

import json
import os
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core import beside, doctor


class Command(BaseCommand):
    help = "Ask everything that Signalbox stands on, and say how to mend what is wrong. Exit code 1 where anything is."
    requires_system_checks = ()

    def run_from_argv(self, argv: list[str]) -> None:
        """Where `make run` keeps everything on this folder, ask by its addresses: its Valkey has one that no shell was told."""
        unknown = {name: value for name, value in beside.told(settings.DATA_DIR).items() if name not in os.environ}
        if unknown:
            os.execve(sys.executable, [sys.executable, *argv], {**os.environ, **unknown})
        super().run_from_argv(argv)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("probe", nargs="*", help=f"only these: {', '.join(doctor.names())}")
        parser.add_argument("--json", action="store_true", help="one JSON object a line, for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        if unknown := set(options["probe"]) - set(doctor.names()):
            raise CommandError(f"There is no probe {', '.join(sorted(unknown))}. There are: {', '.join(doctor.names())}.")
        ill = 0
        for finding in doctor.examine(options["probe"]):
            ill += not finding.fine
            self.stdout.write(_as_json(finding) if options["json"] else self._as_text(finding))
        if ill:
            raise SystemExit(1)

    def _as_text(self, finding: doctor.Finding) -> str:
        if finding.fine:
            return f"{self.style.SUCCESS('fine')}  {finding.probe:<14} {finding.text}"
        return f"{self.style.ERROR('ILL ')}  {finding.probe:<14} {finding.text}\n{'':<21}Mend: {finding.mend}"


def _as_json(finding: doctor.Finding) -> str:
    return json.dumps({"probe": finding.probe, "fine": finding.fine, "text": finding.text, "mend": finding.mend})
