"""Boards in other pages: `{% live_widget "this-machine/cpu" %}` and `{% favourite_dashboards as boards %}`."""

from typing import Any

from django import template
from django.http import Http404

from dashboard import policy
from dashboard.models import Dashboard
from dashboard.views import live_tile

register = template.Library()


@register.inclusion_tag("dashboard/_live_widget.html", takes_context=True)
def live_widget(context: template.Context, name: str) -> dict[str, Any]:
    """One widget, live, on any page that loads core/board.css (and, for a chart, core/charts.js). Else nothing."""
    request = context["request"]
    board, _, slug = name.partition("/")
    try:
        return live_tile(request, policy.widget_for_reader(request.user, board, slug))
    except Http404:
        return {"request": request, "tile": None}


@register.simple_tag(takes_context=True)
def favourite_dashboards(context: template.Context) -> list[Dashboard]:
    """The boards that this person starred and may see, at most ten."""
    user = getattr(context.get("request"), "user", None)
    if user is None or not user.is_authenticated:
        return []
    return list(policy.visible_dashboards(user).filter(favourites__user=user)[:10])
