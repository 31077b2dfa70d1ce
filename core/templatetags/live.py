"""`{% live_region "dashboard:7" refetch=url %}`: the attributes that make an element a live region."""

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag(takes_context=True)
def live_region(context: template.Context, channel: str, *, refetch: str) -> SafeString:
    """Write `data-channel`, `data-position` and `data-refetch`. The view has called `request.live.read(channel)` before its queries."""
    position = context["request"].live.position(channel)
    return format_html('data-channel="{}" data-position="{}" data-refetch="{}"', channel, position, refetch)
