"""`{% notification_bell %}`: the bell with its badge and panel, live, for the top bar. `{% unread_count %}`: the number in the rail.

`{% mute_button "room:3" %}`: the button that mutes what the page shows.
"""

from typing import Any

from django import template
from django.http import HttpRequest
from django.utils.safestring import SafeString

from notifications import muting, views

register = template.Library()


@register.simple_tag(takes_context=True)
def notification_bell(context: template.Context) -> SafeString | str:
    """The bell of a signed-in person; nothing for anybody else. Needs the request in the context, and core.middleware.live_positions."""
    request = _of_person(context)
    return views.bell_region(request) if request else ""


@register.inclusion_tag("notifications/_rail_count.html", takes_context=True)
def unread_count(context: template.Context) -> dict[str, Any]:
    """How many items of a signed-in person's inbox are unread."""
    request = _of_person(context)
    return {"unread": views.shell_counts(request).unread if request else 0}


@register.simple_tag(takes_context=True)
def mute_button(context: template.Context, channel: str) -> SafeString | str:
    """The button that mutes a channel that the page shows (`room:3`), live; nothing for guests."""
    request = _of_person(context)
    return muting.region(request, channel) if request else ""


def _of_person(context: template.Context) -> HttpRequest | None:
    """The request of a signed-in person; None on error pages and for guests."""
    request = context.get("request")
    return request if request is not None and hasattr(request, "live") and request.user.is_authenticated else None
