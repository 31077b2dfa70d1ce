"""Signalbox in a Django project of your own: docs/how-to/your-own-project.md.

    INSTALLED_APPS = [*signalbox.APPS, "django.contrib.admin", ..., "shop"]     settings.py
    signalbox.configure(globals())                                              settings.py, last line
    urlpatterns = [..., path("", include("signalbox.urls"))]                    urls.py, last line
    application = live(get_asgi_application())                                  asgi.py, from signalbox.asgi import live

Nothing of Signalbox imports this package; it imports Signalbox.
"""

from signalbox.settings import APPS, configure

__all__ = ["APPS", "configure"]
