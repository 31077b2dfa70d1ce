"""The settings of a Signalbox under measure: as in production, with the bench's kind of channel."""

from core.settings import *  # noqa: F403
from core.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.bench.app.BenchConfig"]
