"""Finding the person that a command is about."""

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError


def person(name: str) -> Any:
    """The person of this user name. Raises CommandError."""
    model = get_user_model()
    found = model._default_manager.filter(**{model.USERNAME_FIELD: name}).first()
    if found is None:
        raise CommandError(f"There is nobody of the user name {name}.")
    return found
