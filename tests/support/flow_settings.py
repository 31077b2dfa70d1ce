"""The tests' settings with what the tests of credit need (tests.support.flow)."""

from tests.support.settings import *  # noqa: F403
from tests.support.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.support.flow.FlowConfig"]
