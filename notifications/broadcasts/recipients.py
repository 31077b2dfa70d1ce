"""Whom a broadcast is for. Reads only."""

from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import DateTimeField, IntegerField

from notifications.audiences import Audience
from notifications.models import Broadcast


def people_of(made: Broadcast) -> Any:
    """The active people whom a broadcast that has been sent is for."""
    last = get_user_model()._meta.pk.to_python(made.last_user)
    return known_at(Audience.from_stored(made.audience).people().filter(pk__lte=last), made.sent_at)


def known_at(people: Any, moment: datetime | None) -> Any:
    """These people without those who were made since, where a higher key does not say it: keys may be random, as UUIDs are."""
    fields = {field.name: field for field in people.model._meta.fields}
    if isinstance(people.model._meta.pk, IntegerField) or not isinstance(fields.get("date_joined"), DateTimeField):
        return people
    return people.exclude(date_joined__gt=moment)
