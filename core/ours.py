"""Which answers are ours where these apps live in another project: only those get our headers and our kind of errors."""

from django.conf import settings
from django.http import HttpRequest

PACKAGES = {"core", "notifications", "dashboard", "ninja"}


def is_ours(request: HttpRequest) -> bool:
    """Whether one of our views answers this request. Where the whole project is ours, everything is, unknown addresses too."""
    if not settings.OWN_PAGES_ONLY:
        return True
    match = getattr(request, "resolver_match", None)
    return match is not None and match.func.__module__.partition(".")[0] in PACKAGES
