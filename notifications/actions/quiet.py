"""The hours in which a person is not to be disturbed. Her open pages are told: what they show on her desktop keeps to these hours too."""

from datetime import time
from typing import Any

from django.db import transaction

from core.delivery.publishing import publish
from core.models import Profile
from notifications import preferences
from notifications.errors import BadNotification
from notifications.models import QuietHours


def set_quiet_hours(user: Any, start: time, end: time, *, time_zone: str | None = None) -> None:
    """From when to when not to disturb her, by the clock of this zone of hers (none named: the one she has).

    Raises BadNotification where both are the same, or this machine knows no such zone; then nothing has changed.
    """
    if time_zone is not None and time_zone not in preferences.time_zones():
        raise BadNotification("A time zone is written like Europe/Berlin.", field="time_zone")
    if start == end:
        raise BadNotification("Quiet hours end at another time than they begin.", field="end")
    with transaction.atomic():
        if time_zone is not None:
            Profile.objects.update_or_create(user=user, defaults={"time_zone": time_zone})
        QuietHours.objects.update_or_create(user=user, defaults={"start": start, "end": end})
        _tell(user)


def end_quiet_hours(user: Any) -> None:
    with transaction.atomic():
        if QuietHours.objects.filter(user=user).delete()[0]:
            _tell(user)


def _tell(user: Any) -> None:
    publish(f"user:{user.pk}", "notification.state", {"what": "quiet"})
