"""The button that mutes a room or board, on its own page: the same bytes for the page and for the push that changes it on her others."""

from typing import Any

from django.http import HttpRequest
from django.template.loader import get_template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString, mark_safe

from notifications import undo
from notifications.models import Mute

EVERYTHING = "everything"  # the level of whoever has muted nothing: she has no row
_SAID = {
    EVERYTHING: "You hear of it again",
    "mentions": "Muted: only what mentions you reaches you",
    "nothing": "Muted: nothing of it reaches you",
}


def level_of(user: Any, channel: str) -> str:
    """How much of a channel she hears of."""
    return Mute.objects.filter(user=user, channel=channel).values_list("level", flat=True).first() or EVERYTHING


def button(channel: str, level: str) -> str:
    """The button as it stands at this level."""
    return get_template("notifications/_mute.html").render({"id": _id(channel), "channel": channel, "level": level})


def fragment(channel: str, level: str) -> str:
    """What changes the button on every page that shows it."""
    return f'<hx-partial hx-target="#{_id(channel)}" hx-swap="outerHTML">{button(channel, level)}</hx-partial>'


def region(request: HttpRequest, channel: str) -> SafeString:
    """The button, live. The caller has called `request.live.read()` before."""
    mine = f"user:{request.user.pk}"
    return format_html(
        '<span class="region" id="{}-mine" data-channel="{}" data-position="{}" data-refetch="{}?{}">{}</span>',
        _id(channel),
        mine,
        request.live.position(mine),  # type: ignore[attr-defined]
        reverse("preferences-muted"),
        urlencode({"channel": channel}),
        mark_safe(button(channel, level_of(request.user, channel))),  # made by our own template
    )


def undoable(channel: str, level: str, *, was: str) -> str:
    """The toast that says how it stands now, and offers what stood before."""
    fields = {"channel": channel, "level": was, "do": "undo"}
    context = {"words": _SAID[level], "address": reverse("preferences-mute"), "fields": fields, "seconds": str(undo.OFFERED)}
    return get_template("notifications/_undo.html").render(context)


def _id(channel: str) -> str:
    """Its id in the page, which a selector finds: a key may hold dots."""
    return "mute-" + channel.replace(":", "-").replace(".", "_")
