"""The settings of Signalbox with rates that no caller reaches (tests.support.unhurried)."""

from core.settings import *  # noqa: F403
from core.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.support.unhurried.UnhurriedConfig"]
