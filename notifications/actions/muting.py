"""How much a person wants to hear of one room or board. Her open pages are told."""

from typing import Any

from django.db import transaction

from core.delivery.publishing import publish
from notifications import muting, preferences
from notifications.errors import BadNotification
from notifications.models import Mute


def mute(user: Any, name: str, level: str) -> str:
    """Hear no more of a channel (`room:lobby`) that she may read, or of mentions only; returns its address. Raises BadNotification."""
    channel = preferences.readable(user, name)
    if level not in dict(Mute.LEVELS):
        raise BadNotification("A level is mentions or nothing.", field="level", allowed=dict(Mute.LEVELS))
    with transaction.atomic():
        Mute.objects.update_or_create(user=user, channel=channel, defaults={"level": level})
        _tell(user, channel, level)
    return channel


def unmute(user: Any, channel: str) -> None:
    """Hear of all of it again; also of what she may not read any more."""
    with transaction.atomic():
        if Mute.objects.filter(user=user, channel=channel).delete()[0]:
            _tell(user, channel, muting.EVERYTHING)


def _tell(user: Any, channel: str, level: str) -> None:
    publish(f"user:{user.pk}", "notification.state", {"what": "muted", "channel": channel, "level": level})
