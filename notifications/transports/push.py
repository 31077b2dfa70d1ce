"""Web push: encrypted to each browser that a person has let us push to, by the push service of its maker (RFC 8030, 8188, 8291, 8292)."""

import base64
import binascii
import functools
import json
import time
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import SplitResult, urlsplit

from cryptography.hazmat.primitives import serialization
from django.conf import settings
from django.db.models import QuerySet
from py_vapid import Vapid02

from core.outbound import OutboundFailed, OutboundRefused, Response, check_url, fetch
from notifications import texts
from notifications.models import Priority, PushSubscription
from notifications.rows import Row
from notifications.transports.base import Accepted, NotSent, Parcel, Transport

TIMEOUT = 5.0
MOST_DEVICES = 10  # of one person: each may take its TIMEOUT, and all of them fit into a lease
LIFE = 24 * 3600  # seconds that a push service keeps it for a browser that is closed
BODY = 280
_GONE, _LATER = {404, 410}, {408, 425, 429}


class Push(Transport[list[PushSubscription]]):
    name: ClassVar[str] = "push"
    label: ClassVar[str] = "Push"
    icon: ClassVar[str] = "bell-ring"
    grace: ClassVar[float] = 5.0
    lacking: ClassVar[str] = "no device"

    def is_set_up(self) -> bool:
        return bool(settings.VAPID_PRIVATE_KEY)

    def reachable(self) -> QuerySet[Any]:
        return PushSubscription.objects.values("user")

    def addresses(self, users: Collection[Any]) -> Mapping[Any, list[PushSubscription]]:
        found: dict[Any, list[PushSubscription]] = {}
        for row in PushSubscription.objects.filter(user__in=users).order_by("-created_at"):
            found.setdefault(row.user_id, []).append(row)
        return {user: devices[:MOST_DEVICES] for user, devices in found.items()}

    def send(self, parcel: Parcel[list[PushSubscription]]) -> Accepted:
        """To every device; done as soon as one has it. A device that missed it while others have it is not tried again."""
        body, headers = payload(parcel), _headers(parcel)
        failures: list[NotSent] = []
        gone: list[int] = []
        for device in parcel.address:
            try:
                _push(device, body, headers)
            except _Gone:
                gone.append(device.pk)
            except NotSent as error:
                failures.append(error)
        reached, known = len(parcel.address) - len(failures) - len(gone), len(parcel.address) - len(gone)
        if reached:
            return Accepted(gone=tuple(gone), note=f"to {reached} of {known} devices" if reached < known else "")
        if not failures:
            raise NotSent("Her browser takes it no more.", permanent=True, gone=tuple(gone))
        # For good only when it is so for all of them; the longest that one of them asks for.
        after = max((failure.after for failure in failures if failure.after), default=None)
        raise NotSent(str(failures[0]), permanent=all(one.permanent for one in failures), after=after, gone=tuple(gone))

    def forget(self, gone: Collection[Any]) -> None:
        PushSubscription.objects.filter(pk__in=gone).delete()


class _Gone(Exception):
    """The push service says that this browser is none any more."""


def payload(parcel: Parcel[Any]) -> bytes:
    """What the service worker takes (sw.js); at most some 2 kB, half of what a push may carry."""
    said, row = parcel.notification, Row.of(parcel.notification, arrived_at=parcel.arrived_at)
    made = {
        "tag": f"n-{said.pk}",
        "title": said.title,
        "body": texts.excerpt(said.words, limit=BODY),
        "url": f"/inbox/{said.pk}/open/",
        "at": round(datetime.fromisoformat(row.exact).timestamp() * 1000),
        "stays": said.priority == Priority.CRITICAL,
        "actions": [{"action": str(number), "title": each["label"]} for number, each in enumerate(said.actions, 1)],
    }
    return json.dumps(made, ensure_ascii=False, separators=(",", ":")).encode()


def _headers(parcel: Parcel[Any]) -> dict[str, str]:
    said = parcel.notification
    left = (said.expires_at - datetime.now(UTC)).total_seconds() if said.expires_at else LIFE
    return {
        "ttl": str(int(min(max(left, 0), LIFE))),
        "urgency": "high" if said.priority >= Priority.HIGH else "normal",
        # A push service that has not delivered it yet keeps the newest under one topic.
        "topic": f"n-{said.pk}",
        "content-encoding": "aes128gcm",
        "content-type": "application/octet-stream",
    }


def _push(device: PushSubscription, body: bytes, headers: Mapping[str, str]) -> None:
    """Raises _Gone, NotSent."""
    # Here, because it brings a whole HTTP client of its own: every process would start a tenth slower for it.
    from pywebpush import WebPusher

    if not is_push_service(device.endpoint):
        raise NotSent("Its push service is none that this site knows.", permanent=True)
    keys = {"p256dh": device.p256dh, "auth": device.auth}
    sealed = WebPusher({"endpoint": device.endpoint, "keys": keys}).encode(body)["body"]
    try:
        response = fetch(
            device.endpoint, method="POST", headers={**headers, **signature(device.endpoint)}, body=sealed, timeout=TIMEOUT, limit=2000,
            whole=False,
        )  # fmt: skip
    except OutboundRefused as error:
        raise NotSent(str(error), permanent=True) from None
    except OutboundFailed as error:
        raise NotSent(str(error)) from None
    if not response.ok:
        raise _refusal(response)


def _refusal(response: Response) -> Exception:
    if response.status in _GONE:
        return _Gone()
    permanent = 400 <= response.status < 500 and response.status not in _LATER
    said = f"The push service answered {response.status}."
    return NotSent(said, permanent=permanent, after=response.retry_after(datetime.now(UTC)))


def is_push_service(endpoint: str) -> bool:
    """Whether this is an address of a push service that PUSH_HOSTS names, by https unless the entry says http://."""
    try:
        parts = check_url(endpoint)
    except OutboundRefused:
        return False
    return any(_names(entry, parts) for entry in settings.PUSH_HOSTS)


def _names(entry: str, parts: SplitResult) -> bool:
    """Whether an entry of PUSH_HOSTS names this address."""
    if "://" in entry:
        named = urlsplit(entry)
        return (parts.scheme, parts.netloc) == (named.scheme, named.netloc)
    host = (parts.hostname or "").rstrip(".")
    below = entry.startswith("*.") and host.endswith(entry[1:])
    return parts.scheme == "https" and parts.port in (None, 443) and (host == entry or below)


# --- the key by which push services know us ---


def public_key() -> str:
    """What a page hands to `pushManager.subscribe` as `applicationServerKey`; empty while there is no key."""
    return _encoded_public(settings.VAPID_PRIVATE_KEY) if settings.VAPID_PRIVATE_KEY else ""


@functools.cache
def _encoded_public(private: str) -> str:
    point = Vapid02.from_string(private).public_key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return base64.urlsafe_b64encode(point).decode().rstrip("=")


def signature(endpoint: str) -> dict[str, str]:
    """The headers by which the push service of this endpoint knows who sends."""
    parts = urlsplit(endpoint)
    claims = {"aud": f"{parts.scheme}://{parts.netloc}", "sub": settings.VAPID_SUBJECT, "exp": int(time.time()) + 12 * 3600}
    return {name.lower(): value for name, value in Vapid02.from_string(settings.VAPID_PRIVATE_KEY).sign(claims).items()}


def decoded(text: object, *, size: int) -> bytes | None:
    """The bytes of a subscription's key in base64url; None where they are not `size` bytes of it."""
    if not isinstance(text, str) or not text.isascii() or len(text) > 2 * size:
        return None
    try:
        made = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return made if len(made) == size else None
