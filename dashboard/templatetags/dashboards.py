"""Boards in other pages: `{% live_widget "this-machine/cpu" %}` and `{% favourite_dashboards as boards %}`."""

from django import template
from django.http import Http404
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from dashboard import policy
from dashboard.models import Dashboard
from dashboard.views import live_tile

register = template.Library()


@register.simple_tag(takes_context=True)
def live_widget(context: template.Context, name: str) -> SafeString | str:
    """One widget, live, on any page of ours or with `{% live_head %}`; nothing for whom it is not open."""
    request = context["request"]
    board, _, slug = name.partition("/")
    try:
        tile = live_tile(request, policy.widget_for_reader(request.user, board, slug))
    except Http404:
        return ""
    return render_to_string("dashboard/_live_widget.html", tile, request)


@register.simple_tag(takes_context=True)
def favourite_dashboards(context: template.Context) -> list[Dashboard]:
    """The boards that this person starred and may see, at most ten."""
    user = getattr(context.get("request"), "user", None)
    if user is None or not user.is_authenticated:
        return []
    return list(policy.visible_dashboards(user).filter(favourites__user=user)[:10])
