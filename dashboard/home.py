"""The boards on the home page, each with its first stats, live."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from core import home
from dashboard import boards, policy
from dashboard.models import Dashboard, Widget

BOARDS, STATS = 3, 4


@dataclass(frozen=True, slots=True)
class Mini:
    """A board in small."""

    dashboard: Dashboard
    tiles: tuple[boards.Tile, ...]

    @property
    def refetch(self) -> str:
        return f"/dashboards/{self.dashboard.pk}/mini/"


def tile(request: HttpRequest) -> home.Tile | None:
    """The boards that this person starred, else some that she may see."""
    if not request.user.is_authenticated:
        return None
    mine = policy.visible_dashboards(request.user)
    starred = mine.filter(favourites__user=request.user)
    chosen = list((starred if starred.exists() else mine)[:BOARDS])
    return home.Tile("dashboard/_home_tile.html", minis(request, chosen), place=10)


def minis(request: HttpRequest, chosen: list[Dashboard]) -> dict[str, Any]:
    """These boards in small; their positions are read first."""
    request.live.read(*(dashboard.channel for dashboard in chosen))  # type: ignore[attr-defined]
    stats = Widget.objects.filter(dashboard__in=chosen, kind="stat").select_related("dashboard").order_by("dashboard", "order", "pk")
    first: dict[int, list[Widget]] = {dashboard.pk: [] for dashboard in chosen}
    for widget in stats:
        first[widget.dashboard_id] += [widget] if len(first[widget.dashboard_id]) < STATS else []
    shown = boards.tiles([widget for rows in first.values() for widget in rows], now=timezone.now())
    return {"minis": [Mini(one, tuple(tile for tile in shown if tile.widget.dashboard_id == one.pk)) for one in chosen]}
