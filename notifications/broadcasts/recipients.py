"""Whom a broadcast is for. Reads only."""

from typing import Any

from django.contrib.auth import get_user_model

from notifications.audiences import Audience
from notifications.models import Broadcast


def people_of(made: Broadcast) -> Any:
    """The active people whom a broadcast that has been sent is for."""
    last = get_user_model()._meta.pk.to_python(made.last_user)
    return Audience.from_stored(made.audience).people().filter(pk__lte=last)
