"""Live pages: `{% live_region "dashboard:7" refetch=url %}`, and `{% live_head %}` for pages that do not stand in our base.html."""

from django import template
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag(takes_context=True)
def live_region(context: template.Context, channel: str, *, refetch: str) -> SafeString:
    """Write `data-channel`, `data-position` and `data-refetch`. The view has called `request.live.read(channel)` before its queries."""
    position = context["request"].live.position(channel)
    return format_html('data-channel="{}" data-position="{}" data-refetch="{}"', channel, position, refetch)


@register.simple_tag(takes_context=True)
def live_head(context: template.Context, *, charts: bool = False) -> SafeString:
    """What the `<head>` of a page of another project needs for the bell and for widgets; with `charts=True` for charts too."""
    return render_to_string("core/_live_head.html", {"charts": charts}, context["request"])
