"""Questions to addresses that somebody gave us, through the one door out (core/outbound.py): JSON comes back, or a Problem in words."""

from typing import Any
from urllib.parse import urlsplit

import msgspec
from django.conf import settings

from core import outbound
from core.errors import Code, Problem
from dashboard.sources.base import wrong

LIMIT = 1_000_000  # bytes
TIMEOUT = 8.0  # seconds, less than the patience of a kind


def check_address(url: str) -> None:
    """Raise Problem unless this is an address that may be asked; whether it leads inward is seen when it is."""
    try:
        outbound.check_url(url)
    except outbound.OutboundRefused as refused:
        raise wrong(str(refused), "url") from None


def get(url: str) -> tuple[int, Any]:
    """The status and the JSON of what stands there. Raises Problem: refused, no answer, too large, no JSON."""
    parts = urlsplit(url)
    own = settings.DASHBOARD_HEADERS.get(f"{parts.scheme}://{parts.netloc}", {})
    try:
        answer = outbound.fetch(url, headers={"Accept": "application/json", **own}, limit=LIMIT, timeout=TIMEOUT, redirects=3)
    except (outbound.OutboundRefused, outbound.OutboundFailed) as error:
        raise Problem(Code.UNAVAILABLE, str(error)) from None
    try:
        return answer.status, msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        said = f"with {answer.status}, and what it says" if not answer.ok else "with something that"
        raise Problem(Code.UNAVAILABLE, f"{parts.hostname} answered {said} is no JSON.") from None
