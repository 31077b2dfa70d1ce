"""Live regions of what a person is told: it comes on her own channel and on her audiences', so each of these has a region around it."""

from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString


def nested(request: HttpRequest, body: SafeString, *, name: str, address: str, outermost: str = "") -> SafeString:
    """Put a region for each of the shell's channels around `body`, from `outermost` inwards (without it: all of them).

    `address` answers the same again; with `channel=` it answers the region of that channel, as live.js asks for it.
    The caller has called `request.live.read()` before it read what `body` shows.
    """
    live = request.live  # type: ignore[attr-defined]
    channels = list(live.shell_channels())
    start = channels.index(outermost) if outermost in channels else 0
    for channel in reversed(channels[start:]):
        refetch = f"{address}{'&' if '?' in address else '?'}{urlencode({'channel': channel})}"
        body = format_html(
            '<div class="region" id="{}-{}" data-channel="{}" data-position="{}" data-refetch="{}">{}</div>',
            name,
            channel.partition(":")[2] if channel.startswith("audience:") else "mine",
            channel,
            live.position(channel),
            refetch,
            body,
        )
    return body
