"""The demo: three people with passwords of their own, a token, and what each app adds. DATA_DIR/demo.json keeps it, for its owner only."""

import json
import os
import secrets
import string
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser, Group, Permission
from django.db import transaction
from django.utils.module_loading import import_string

from core.models import ApiToken
from core.tokens import digest, make_token

ROLES = {"alice": "staff, sends broadcasts", "bob": "in ops", "charlie": "no rights"}
SCOPES = ("notify:*", "push:*", "read:*", "publish:*", "broadcast", "dashboards")
LETTERS = string.ascii_letters + string.digits
# What somebody on the demo's staff may change in the admin: everything of ours, and the schedules.
STAFF_APPS = ("signalbox", "signalbox_notifications", "signalbox_rooms", "signalbox_dashboard", "django_celery_beat")


class OtherPeople(Exception):
    """The database belongs to somebody: passwords are not printed for it, and nobody is added."""


@dataclass(frozen=True, slots=True)
class People:
    """Handed to each app's `demo` hook. The hook may run any number of times and makes what is not there yet."""

    alice: Any  # staff, sends broadcasts
    bob: Any  # in the group ops
    charlie: Any  # no rights


@dataclass(slots=True)
class Kept:
    """What demo.json holds. `joined` says which alice it is about: another database has another one."""

    joined: str = ""
    passwords: dict[str, str] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)
    token: str = ""


def make() -> Iterator[str]:
    """Make what is missing and return the lines to print. Raises OtherPeople for a database with users that are not the demo's."""
    path = settings.DATA_DIR / "demo.json"
    kept = _read(path)
    with transaction.atomic():
        people = _people(kept)
        _keep_token(kept, people.alice)
        _write(path, kept)
    for config in apps.get_app_configs():
        if hook := getattr(config, "demo", None):
            import_string(hook)(people)
    return _lines(kept)


def make_staff(user: AbstractUser) -> None:
    """Let this person into the admin, with every right on Signalbox's own models."""
    user.is_staff = True
    user.save(update_fields=["is_staff"])
    user.user_permissions.set(Permission.objects.filter(content_type__app_label__in=STAFF_APPS))


def _people(kept: Kept) -> People:
    users = {user.get_username(): user for user in get_user_model()._default_manager.filter(username__in=ROLES)}
    ours = "alice" in users and users["alice"].date_joined.isoformat() == kept.joined
    if not ours and get_user_model()._default_manager.exists():
        raise OtherPeople("This database holds other people, so no demo is made in it: use another DATABASE_URL or DATA_DIR for the demo.")
    people = People(**{name: users.get(name) or get_user_model()(username=name, email=f"{name}@example.com") for name in ROLES})
    for name in ROLES:
        _keep_password(kept, name, getattr(people, name))
    make_staff(people.alice)
    people.bob.groups.add(Group.objects.get_or_create(name="ops")[0])
    kept.joined = people.alice.date_joined.isoformat()
    return people


def _keep_password(kept: Kept, name: str, user: Any) -> None:
    """Make the password that we print the one that works."""
    if user.pk and name in kept.passwords and kept.hashes.get(name) == user.password:
        return
    kept.passwords.setdefault(name, _random(12))
    if not user.pk or not user.check_password(kept.passwords[name]):
        user.set_password(kept.passwords[name])
        user.save()
    kept.hashes[name] = user.password


def _keep_token(kept: Kept, alice: Any) -> None:
    valid = ApiToken.objects.filter(digest=digest(kept.token), user=alice, revoked_at=None)
    if not kept.token or not valid.exists():
        _, kept.token = make_token(alice, "demo", SCOPES)


def _random(length: int) -> str:
    return "".join(secrets.choice(LETTERS) for _ in range(length))


def _read(path: Path) -> Kept:
    try:
        return Kept(**json.loads(path.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return Kept()


def _write(path: Path, kept: Kept) -> None:
    """Replace the file in one step, readable by its owner only from its first byte on."""
    beside = path.with_suffix(".new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(asdict(kept), file, indent=2)
    beside.replace(path)


def _lines(kept: Kept) -> Iterator[str]:
    yield f"Signalbox: {settings.BASE_URL}/"
    for name, role in ROLES.items():
        yield f"{name}  {kept.passwords[name]}  {role}"
    yield f'curl -H "Authorization: Bearer {kept.token}" -d "Backup done" {settings.BASE_URL}/api/v1/notify/ops'
