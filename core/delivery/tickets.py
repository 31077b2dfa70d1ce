"""Tickets: short-lived proof that a page was opened by a share link. An app makes one for a page, the page hands it in with its resume.

A ticket names a share, `kind:what`; the kind's `readable` decides what it opens, and is asked again whenever rights may have changed.
"""

from django.core import signing

SECONDS = 60
_SALT = "signalbox.share"


def make(share: str) -> str:
    """A ticket for this share, good for a minute."""
    return signing.dumps(share, salt=_SALT, compress=False)


def read(ticket: str) -> str:
    """The share that a ticket names; empty for what is no ticket, or no longer."""
    try:
        share = signing.loads(ticket, salt=_SALT, max_age=SECONDS) if ticket else ""
    except signing.BadSignature:
        return ""
    return share if isinstance(share, str) else ""
