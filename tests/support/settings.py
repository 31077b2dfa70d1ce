"""The settings of Signalbox with the tests' own kinds of channel."""

from core.settings import *  # noqa: F403
from core.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.support.kinds.KindsConfig"]
