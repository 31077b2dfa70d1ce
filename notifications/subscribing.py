"""Which browsers a person lets us push to."""

import hashlib
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from django.db import transaction

from notifications.errors import BadNotification
from notifications.models import PushSubscription
from notifications.transports.push import MOST_DEVICES, decoded, is_push_service


def subscribe(user: Any, said: Any, *, device: str) -> PushSubscription:
    """Keep what `PushSubscription.toJSON()` gave in a browser of hers. Raises BadNotification.

    A browser belongs to who subscribed in it last; beyond MOST_DEVICES the oldest of hers is dropped.
    """
    endpoint, keys = _checked(said)
    fields = {"user": user, "endpoint": endpoint, "device": device[:80]} | keys
    with transaction.atomic():
        row, _ = PushSubscription.objects.update_or_create(endpoint_hash=_hash(endpoint), defaults=fields)
        newest = PushSubscription.objects.filter(user=user).order_by("-pk").values_list("pk", flat=True)[:MOST_DEVICES]
        PushSubscription.objects.filter(user=user).exclude(pk__in=[row.pk, *newest]).delete()
    return row


def unsubscribe(user: Any, endpoint: object) -> bool:
    """Push to this browser no more, if it is hers."""
    found = PushSubscription.objects.filter(user=user, endpoint_hash=_hash(endpoint)) if isinstance(endpoint, str) else None
    return found is not None and found.delete()[0] > 0


def _checked(said: Any) -> tuple[str, dict[str, str]]:
    keys = said.get("keys") if isinstance(said, Mapping) else None
    if not isinstance(keys, Mapping) or not isinstance(said.get("endpoint"), str):
        raise BadNotification('A subscription is {"endpoint": ..., "keys": {"p256dh": ..., "auth": ...}}.', field="endpoint")
    if not is_push_service(said["endpoint"]):
        raise BadNotification("The endpoint is not an address of a push service that this site knows.", field="endpoint")
    point, auth = decoded(keys.get("p256dh"), size=65), decoded(keys.get("auth"), size=16)
    if point is None or auth is None or not _is_on_curve(point):
        raise BadNotification("The keys are not those of a browser: p256dh has 65 bytes, auth 16.", field="keys")
    return said["endpoint"], {"p256dh": keys["p256dh"], "auth": keys["auth"]}


def _is_on_curve(point: bytes) -> bool:
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError:
        return False
    return True


def _hash(endpoint: str) -> str:
    return hashlib.sha256(endpoint.encode("utf-8", "replace")).hexdigest()
