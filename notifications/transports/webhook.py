"""A webhook of a person's own: JSON by POST, signed as Standard Webhooks (standardwebhooks.com) does."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from django.db.models import QuerySet

from core.outbound import OutboundFailed, OutboundRefused, Response, fetch
from notifications import texts
from notifications.models import Priority
from notifications.models import Webhook as WebhookRow
from notifications.transports.base import Accepted, NotSent, Parcel, Transport

TIMEOUT = 10.0
# Answers that say "later"; every other 4xx says "never".
_LATER = {408, 409, 423, 425, 429}
_PREFIX = "whsec_"


class Webhook(Transport[WebhookRow]):
    name: ClassVar[str] = "webhook"
    label: ClassVar[str] = "Webhook"
    icon: ClassVar[str] = "webhook"
    grace: ClassVar[float] = 10.0
    lacking: ClassVar[str] = "no webhook"

    def reachable(self) -> QuerySet[Any]:
        return WebhookRow.objects.values("user")

    def addresses(self, users: Collection[Any]) -> Mapping[Any, WebhookRow]:
        return {row.user_id: row for row in WebhookRow.objects.filter(user__in=users)}

    def send(self, parcel: Parcel[WebhookRow]) -> Accepted:
        made = (slack if parcel.address.shape == "slack" else plain)(parcel)
        body = json.dumps(made, ensure_ascii=False, separators=(",", ":")).encode()
        headers = {"content-type": "application/json"} | signed(body, id=parcel.id, secret=parcel.address.secret, at=int(time.time()))
        response = post(parcel.address.url, body, headers)
        if response.ok:
            return Accepted()
        raise refused(response)


def post(url: str, body: bytes, headers: Mapping[str, str]) -> Response:
    """POST and take the answer's status; its body is of no interest and mostly left unread. Raises NotSent."""
    try:
        return fetch(url, method="POST", headers=headers, body=body, timeout=TIMEOUT, limit=2000, whole=False)
    except OutboundRefused as error:
        raise NotSent(str(error), permanent=True) from None
    except OutboundFailed as error:
        raise NotSent(str(error)) from None


def refused(response: Response) -> NotSent:
    """What an answer that is no success means."""
    permanent = 400 <= response.status < 500 and response.status not in _LATER
    return NotSent(f"It answered {response.status}.", permanent=permanent, after=response.retry_after(datetime.now(UTC)))


def plain(parcel: Parcel[Any]) -> dict[str, Any]:
    """The notification as plain JSON."""
    said = parcel.notification
    return {
        "id": said.pk,
        "key": said.key,
        "title": said.title,
        "body": said.words,
        "url": said.url,
        "category": said.category,
        "priority": Priority(said.priority).label,
        "data": said.data,
        "at": parcel.arrived_at.isoformat(),
        "inbox_url": parcel.link,
    }


def slack(parcel: Parcel[Any]) -> dict[str, Any]:
    """The same as Slack's incoming webhooks take it, and Mattermost's and Discord's (/slack).

    All of it is plain text: in Slack's own markup a title could call everybody in a channel.
    """
    said = parcel.notification
    blocks: list[dict[str, Any]] = [{"type": "header", "text": _text(said.title, most=150)}]
    if said.words:
        blocks.append({"type": "section", "text": _text(said.words, most=3000)})
    elements = [
        {"type": "button", "text": _text(label, most=75), "url": address} for label, address in [("Open", parcel.link), *parcel.buttons]
    ]
    blocks.append({"type": "actions", "elements": elements})
    return {"text": _escaped(said.title), "blocks": blocks}


def _text(text: str, *, most: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": texts.excerpt(text, limit=most), "emoji": False}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def new_secret() -> str:
    return _PREFIX + base64.b64encode(secrets.token_bytes(24)).decode()


def signed(body: bytes, *, id: str, secret: str, at: int) -> dict[str, str]:
    """The three headers by which the other side knows that it came from us, when, and whether it has it already."""
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    digest = hmac.new(key, f"{id}.{at}.".encode() + body, hashlib.sha256).digest()
    return {"webhook-id": id, "webhook-timestamp": str(at), "webhook-signature": f"v1,{base64.b64encode(digest).decode()}"}
