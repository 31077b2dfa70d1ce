"""The tiles on the home page: "Try it", and the newest rows of the inbox."""

from django.conf import settings
from django.http import HttpRequest

from core.home import Tile
from notifications import views


def try_it(request: HttpRequest) -> Tile | None:
    """A button that notifies the one who clicks, and the same as curl."""
    if not request.user.is_authenticated:
        return None
    return Tile("notifications/_try_tile.html", {"address": settings.BASE_URL, "me": request.user.get_username()}, place=0)


def newest(request: HttpRequest) -> Tile | None:
    """The newest rows of a person's inbox."""
    if not request.user.is_authenticated:
        return None
    return Tile("notifications/_home_tile.html", {"region": views.newest_region(request)}, place=20)
