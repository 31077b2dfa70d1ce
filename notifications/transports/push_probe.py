"""What `manage.py doctor` asks about web push: is the key one, does our contact hold, do the push services answer from here."""

from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from django.conf import settings
from py_vapid import VapidException, jwt

from core.doctor import Ill, probe
from core.outbound import OutboundFailed, OutboundRefused, fetch
from notifications.transports import push

PATIENCE = 5.0
ANY = "https://push.example.org"


@probe
def vapid() -> str:
    """Sign as for a push and verify it with the public half; then ask each push service that PUSH_HOSTS names in full."""
    if not push.Push().is_set_up():
        return "VAPID_PRIVATE_KEY is not set: nobody is pushed anything. `manage.py vapid` makes one."
    _check_signature()
    asked = [entry for entry in settings.PUSH_HOSTS if not entry.startswith("*.")]
    silent = [why for why in map(_silence, asked) if why]
    if silent:
        raise Ill(
            f"Push services cannot be reached: {'; '.join(silent)}",
            "Let workers open outgoing HTTPS to the hosts in PUSH_HOSTS, or take those that you do not want out of it.",
        )
    return f"The key signs as {settings.VAPID_SUBJECT}, and {', '.join(asked) or 'no host by its full name'} can be asked."


def _check_signature() -> None:
    mend = "Set VAPID_PRIVATE_KEY to what `manage.py vapid` made, the same everywhere, and VAPID_SUBJECT to mailto:you@example.org."
    try:
        token = push.signature(ANY)["authorization"].partition("t=")[2].partition(",")[0]
        subject = str(jwt.decode(token, push.public_key())["sub"])
    except (ValueError, InvalidSignature, VapidException) as error:
        raise Ill(f"Nothing that push services would believe can be signed: {error or 'the signature is wrong'}.", mend) from error
    if subject.rpartition("@")[2] in {"localhost", "127.0.0.1"}:
        raise Ill(f"Some push services refuse the contact {subject}.", mend)


def _silence(entry: str) -> str:
    """Why a push service gives no answer at all; whatever it answers is one."""
    url = entry if "://" in entry else f"https://{entry}"
    try:
        fetch(f"{url}/", timeout=PATIENCE, limit=2000, whole=False)
    except (OutboundFailed, OutboundRefused) as error:
        return f"{urlsplit(url).netloc} ({str(error).rstrip('.')})"
    return ""
