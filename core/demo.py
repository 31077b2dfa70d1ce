"""The demo's people, and what `manage.py demo` and the tests give them."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AbstractUser, Permission

# What somebody on the demo's staff may change in the admin: everything of ours, and the schedules.
STAFF_APPS = ("signalbox", "signalbox_notifications", "signalbox_rooms", "signalbox_dashboard", "django_celery_beat")


@dataclass(frozen=True, slots=True)
class People:
    """Handed to each app's `demo` hook. The hook may run any number of times and makes what is not there yet."""

    alice: Any  # staff, sends broadcasts
    bob: Any  # in the group ops
    charlie: Any  # no rights


def make_staff(user: AbstractUser) -> None:
    """Let this person into the admin, with every right on Signalbox's own models."""
    user.is_staff = True
    user.save(update_fields=["is_staff"])
    user.user_permissions.set(Permission.objects.filter(content_type__app_label__in=STAFF_APPS))
