"""The core's part of what is stored about a person: sessions, tokens, profile, and her name in what runs and what the admin noted."""

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.contrib.auth import SESSION_KEY
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.db.models import Q
from django.utils import timezone

from core import persons
from core.delivery.forgetting import forget_presence
from core.models import ApiToken, Intent, Profile, Run, SignIn
from core.persons import Kept, Part, Removed, rows, words_without


def _export(user: Any) -> dict[str, Kept]:
    return {
        "profile": rows(Profile.objects.filter(user=user), "time_zone", "language", "theme"),
        "sign_ins": rows(SignIn.objects.filter(user=user), "user_agent", "created_at", "last_seen", "expires_at"),
        "tokens": rows(
            ApiToken.objects.filter(user=user), "name", "hint", "scopes", "created_at", "expires_at", "revoked_at", "last_used_at"
        ),
        "tasks": [_run(run) for run in _runs_of(user)],
        "requests_kept": rows(Intent.objects.filter(_hers(user)), "scope", "key", "expires_at"),
        "admin_log": _noted_by(user),
    }


def _run(run: Run) -> dict[str, Any]:
    return {"title": run.title, "state": run.state, "label": run.label, "started_at": run.started_at}


def _runs_of(user: Any) -> Iterator[Run]:
    """The runs of tasks that are told to her by name."""
    return (run for run in Run.objects.order_by("pk") if len(words_without(run.audience, user)) < len(run.audience))


def _hers(user: Any) -> Q:
    """The idempotency keys of her own and of her tokens."""
    hers = Q(scope__startswith=f"user:{user.pk} ")
    for token in ApiToken.objects.filter(user=user).values_list("pk", flat=True):
        hers |= Q(scope__startswith=f"token:{token} ")
    return hers


def _erase(user: Any, removed: Removed) -> None:
    Intent.objects.filter(_hers(user)).delete()
    for run in list(_runs_of(user)):
        run.audience = words_without(run.audience, user)
        run.save(update_fields=["audience"]) if run.audience else run.delete()
    if log := _admin_log():
        about = log.objects.filter(content_type=ContentType.objects.get_for_model(type(user)), object_id=str(user.pk))
        about.update(object_repr=removed.name, change_message="")
    end_sessions(user)
    forget_presence(user.get_username())


def _admin_log() -> Any:
    """The model of what was done in the admin; None where the admin is not installed."""
    return apps.get_model("admin", "LogEntry") if apps.is_installed("django.contrib.admin") else None


def _noted_by(user: Any) -> Kept:
    log = _admin_log()
    return rows(log.objects.filter(user=user), "action_time", "content_type__model", "object_repr", "action_flag") if log else []


def end_sessions(user: Any) -> None:
    """All of them, also those that are no row of SignIn: a session says only inside whose it is."""
    for session in _sessions_of(user):
        session.delete()  # one by one: each tells the hubs
    SignIn.objects.filter(user=user).delete()


def _sessions_of(user: Any) -> list[Session]:
    last, found = "", []
    alive = Session.objects.filter(expire_date__gt=timezone.now()).order_by("session_key")
    while portion := list(alive.filter(session_key__gt=last)[: persons.PORTION]):
        found += [session for session in portion if session.get_decoded().get(SESSION_KEY) == str(user.pk)]
        last = portion[-1].session_key
    return found


PART = Part(
    "access",
    _export,
    _erase,
    covers=(
        *(f"signalbox.{field}" for field in (
            "ApiToken.user", "ApiToken.name", "Profile.user", "SignIn.user", "SignIn.user_agent", "Presence.who", "Intent.scope",
            "Intent.result", "Run.audience", "Event.data", "Process.figures",
        )),
        "admin.LogEntry.user", "admin.LogEntry.object_repr", "sessions.Session.session_data",
    ),
)  # fmt: skip
