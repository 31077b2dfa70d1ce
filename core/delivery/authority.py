"""Authority is events too: a revocation is published on `system:authority`, which every hub holds, in the transaction that makes it.

Hubs close or check again whom it touches (core.delivery.recheck). Raw SQL is seen by the check of everybody, once a minute.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_save
from django.utils import timezone

from core.delivery.channel import EventType, Kind, Window, registry
from core.delivery.identity import session_hash
from core.delivery.publishing import publish
from core.models import ApiToken

CHANNEL = "system:authority"


class SystemKind(Kind):
    """Held by hubs only; refused at every edge."""

    name = "system"
    types = (EventType("revoked"),)
    window = Window(seconds=3600, newest=1000)


def revoke_session(session_key: str) -> None:
    """Close what runs on this session: it ended. Publishes in the caller's transaction."""
    publish(CHANNEL, "revoked", {"session": session_hash(session_key)})


def recheck_users(users: Iterable[Any]) -> None:
    """Check everything again that these people (primary keys) hold open: something of theirs was taken away."""
    for user in users:
        publish(CHANNEL, "revoked", {"user": str(user)})


def recheck_channel(channel: str) -> None:
    """Check again whoever holds this channel: who may read it changed. Apps call it in their actions, after their rows."""
    publish(CHANNEL, "revoked", {"channel": channel})


def recheck_everybody() -> None:
    """Check again everybody: a group lost a permission, or all its members at once."""
    publish(CHANNEL, "revoked", {"group": "*"})


def disconnect(user: Any) -> None:
    """Close what this person (primary key) has open, everywhere. Pages come back by themselves; who may not, is deactivated instead."""
    publish(CHANNEL, "revoked", {"disconnect": str(user)})


# --- what Django itself tells us ---

_WATCHED = ("password", "is_active", "is_staff", "is_superuser", "username")


def _note_before(sender: Any, instance: Any, raw: bool = False, update_fields: Any = None, **_: Any) -> None:
    """Remember what the row says before a save, where the save can touch what rights rest on."""
    if raw or instance._state.adding or (update_fields is not None and not set(_WATCHED) & set(update_fields)):
        instance._signalbox_before = None
        return
    instance._signalbox_before = sender._default_manager.filter(pk=instance.pk).values(*_fields(sender)).first()


def _user_saved(sender: Any, instance: Any, raw: bool = False, **_: Any) -> None:
    before = getattr(instance, "_signalbox_before", None)
    if not raw and before is not None and any(getattr(instance, name) != value for name, value in before.items()):
        recheck_users([instance.pk])


def _fields(model: Any) -> list[str]:
    known = {field.name for field in model._meta.concrete_fields}
    return [name for name in _WATCHED if name in known]


def _user_deleted(sender: Any, instance: Any, **_: Any) -> None:
    recheck_users([instance.pk])


def _session_deleted(sender: Any, instance: Session, **_: Any) -> None:
    # Sessions that ran out long ago are swept in masses; nothing runs on them any more.
    if instance.expire_date > timezone.now() - timedelta(minutes=5):
        revoke_session(instance.session_key)


def _token_saved(sender: Any, instance: ApiToken, created: bool = False, raw: bool = False, **_: Any) -> None:
    if not created and not raw:
        recheck_users([instance.user_id])


def _members_changed(sender: Any, instance: Any, action: str, reverse: bool, pk_set: Any, **_: Any) -> None:
    """Groups or permissions of people changed: theirs, or (reverse) those of a group or permission with all its people."""
    if action not in {"post_add", "post_remove", "post_clear"}:
        return
    if not reverse:
        recheck_users([instance.pk])
    elif pk_set is None:
        recheck_everybody()  # clear() does not say whose they were
    else:
        recheck_users(sorted(pk_set, key=str))


def _group_changed(sender: Any, action: str = "post_delete", **_: Any) -> None:
    if action in {"post_add", "post_remove", "post_clear", "post_delete"}:
        recheck_everybody()


def connect() -> None:
    """Register the kind and listen to Django's own changes of people, sessions, groups and permissions."""
    registry.register(SystemKind())
    user: Any = get_user_model()
    pre_save.connect(_note_before, sender=user, dispatch_uid="signalbox-user-before")
    post_save.connect(_user_saved, sender=user, dispatch_uid="signalbox-user-saved")
    post_delete.connect(_user_deleted, sender=user, dispatch_uid="signalbox-user-deleted")
    post_delete.connect(_session_deleted, sender=Session, dispatch_uid="signalbox-session-deleted")
    post_save.connect(_token_saved, sender=ApiToken, dispatch_uid="signalbox-token-saved")
    post_delete.connect(_token_saved, sender=ApiToken, dispatch_uid="signalbox-token-deleted")
    post_delete.connect(_group_changed, sender=Group, dispatch_uid="signalbox-group-deleted")
    m2m_changed.connect(_group_changed, sender=Group.permissions.through, dispatch_uid="signalbox-group-permissions")
    for relation in ("groups", "user_permissions"):
        if hasattr(user, relation):
            m2m_changed.connect(_members_changed, sender=getattr(user, relation).through, dispatch_uid=f"signalbox-{relation}")
