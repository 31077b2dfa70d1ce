"""What the home page shows of rooms."""

from django.http import HttpRequest

from core.home import Tile
from notifications.rooms.listing import listed
from notifications.rooms.people import visitor

SHOWN = 5


def tile(request: HttpRequest) -> Tile:
    """The rooms with the newest messages, of those that this person may enter."""
    return Tile("rooms/_tile.html", {"rooms": listed(visitor(request), count=SHOWN)}, place=30)
