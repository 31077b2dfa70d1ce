"""Template tags of the look: icons drawn into the page, and what the shell knows about a person."""

import re
from functools import cache
from typing import Any

from django import template
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.shortcuts import resolve_url
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from core.places import packages_folder

register = template.Library()

ICON_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)
DRAWING = re.compile(r"<svg[^>]*>(.*)</svg>", re.DOTALL)


@cache
def drawing(name: str) -> str:
    """The shapes of one lucide icon. Raises ImproperlyConfigured when there is no such icon, or no package."""
    if not ICON_NAME.fullmatch(name):
        raise ImproperlyConfigured(f"{name!r} is not the name of an icon.")
    path = packages_folder() / "lucide-static" / "icons" / f"{name}.svg"
    try:
        found = DRAWING.search(path.read_text())
    except FileNotFoundError:
        missing = f"no icon {name!r}" if path.parent.is_dir() else "no lucide-static in node_modules; run `python manage.py prepare`"
        raise ImproperlyConfigured(f"There is {missing}.") from None
    assert found, f"{path.name} is not an SVG file"
    return re.sub(r"\s*\n\s*", "", found[1])


@register.simple_tag
def icon(name: str, extra: str = "") -> SafeString:
    """`{% icon "bell" %}`: the icon's shapes in the page itself, in the colour of the text, silent for screen readers."""
    return format_html(
        '<svg class="i{}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-linecap="round" stroke-linejoin="round" '
        'aria-hidden="true" focusable="false">{}</svg>',
        f" {extra}" if extra else "",
        mark_safe(drawing(name)),  # a file of a pinned package, by a checked name
    )


@register.simple_tag
def face(name: str, extra: str = "") -> SafeString:
    """A round initial in one of the six series colours, always the same for one name."""
    return format_html(
        '<i class="face s-{}{}" aria-hidden="true">{}</i>', sum(name.encode()) % 6 + 1, f" {extra}" if extra else "", name[:1] or "?"
    )


@register.simple_tag(takes_context=True)
def theme(context: template.Context) -> str:
    """The theme that this person chose: "light", "dark", or "" for the system's."""
    user: Any = context.get("user")
    if user is None or not user.is_authenticated:
        return ""
    chosen = getattr(getattr(user, "profile", None), "theme", "auto")
    return "" if chosen == "auto" else chosen


@register.simple_tag(takes_context=True)
def here(context: template.Context, address: str) -> SafeString:
    """`aria-current` for a link: "page" where it leads to this very page, "true" where this page lies below it."""
    path = getattr(context.get("request"), "path", "")
    if path == address:
        return mark_safe(' aria-current="page"')
    return mark_safe(' aria-current="true"' if address != "/" and path.startswith(address) else "")


@register.simple_tag
def sign_in() -> str:
    """Where people sign in: LOGIN_URL, which may be another project's own page."""
    return resolve_url(settings.LOGIN_URL)


@register.filter
def words(name: str) -> str:
    """A name of ours as people write it: `quiet_hours` is quiet hours."""
    return name.replace("_", " ")


@register.filter
def milliseconds(seconds: float | str | None) -> str:
    """Seconds as `under 5 ms`, as histograms know them: an upper bound; a dash where nothing was measured.

    A process that has not reported yet has no figures at all, and templates make "" of those.
    """
    return "–" if seconds is None or isinstance(seconds, str) else f"under {seconds * 1000:g} ms"
