"""The settings of a Signalbox under test by the checker. What is broken or hurried on purpose comes by the environment; see `app.py`."""

import os

from core.settings import *  # noqa: F403
from core.settings import CHANNEL_LAYERS, INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.chaos.app.ChaosConfig"]
ROOT_URLCONF = "tests.chaos.pages"
# Every client comes from this machine, most of them without a name.
MAX_CONNECTIONS_PER_ADDRESS = 0

if os.environ.get("CHAOS_LAYER"):
    # CHAOS_LAYER=<seed>: drops, doubles and reorders what it is given.
    _config = {"seed": os.environ["CHAOS_LAYER"], "of": CHANNEL_LAYERS["default"]}
    CHANNEL_LAYERS = {"default": {"BACKEND": "tests.chaos.lossy.LossyLayer", "CONFIG": _config}}
