"""`application = live(get_asgi_application())`: the one line in your asgi.py, after DJANGO_SETTINGS_MODULE is set."""

from core.routing import live

__all__ = ["live"]
