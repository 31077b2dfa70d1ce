"""What stands on the home page. Apps name their tiles: `home_tiles = ["notifications.home.tile"]` in their AppConfig."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.http import HttpRequest
from django.utils.module_loading import import_string


@dataclass(frozen=True, slots=True)
class Tile:
    """A template that brings its own `<section class="w">`, what it shows, and its place: 0 on top, boards 10, inbox 20, rooms 30."""

    template: str
    context: dict[str, Any] = field(default_factory=dict)
    place: int = 50


TileMaker = Callable[[HttpRequest], Tile | None]


def tiles(request: HttpRequest) -> list[Tile]:
    """Ask every app. A maker whose tile is live calls `request.live.read(...)` before it reads; None: nothing for this person."""
    paths = [path for config in apps.get_app_configs() for path in getattr(config, "home_tiles", [])]
    made = [import_string(path)(request) for path in paths]
    return sorted((tile for tile in made if tile is not None), key=lambda tile: tile.place)
