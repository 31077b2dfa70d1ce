"""The ASGI application of `core.settings`. What it does: core/routing.py."""

import os

from core import http

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")
django_application = http.application()

from core.routing import live  # noqa: E402

application = live(django_application)
