"""Where a person is signed in. One small row per session, because sessions themselves cannot be listed by person."""

from collections.abc import Callable
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.db import OperationalError, transaction
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from core.models import SignIn

USER_AGENT_LENGTH = 300
NOTE_EVERY = timedelta(minutes=5)
REMEMBERED = 10_000


def session_store(session_key: str) -> Any:
    return import_module(settings.SESSION_ENGINE).SessionStore(session_key)


@receiver(user_logged_in, dispatch_uid="signalbox_sign_in")
def note_sign_in(sender: Any, request: HttpRequest | None, user: Any, **kwargs: Any) -> None:
    """Remember a sign-in, and forget those of this person that have run out."""
    if request is None or not hasattr(request, "session"):
        return
    if not request.session.session_key:
        request.session.save()
    now = timezone.now()
    SignIn.objects.filter(user=user, expires_at__lte=now).delete()
    SignIn.objects.update_or_create(
        session_key=request.session.session_key,
        defaults={"user": user, "user_agent": user_agent(request), "last_seen": now, "expires_at": request.session.get_expiry_date()},
    )


@receiver(user_logged_out, dispatch_uid="signalbox_sign_out")
def note_sign_out(sender: Any, request: HttpRequest | None, **kwargs: Any) -> None:
    # Sent before the session is flushed, so that its key is still there.
    key = getattr(getattr(request, "session", None), "session_key", None)
    if key:
        SignIn.objects.filter(session_key=key).delete()


def user_agent(request: HttpRequest) -> str:
    return request.headers.get("User-Agent", "")[:USER_AGENT_LENGTH].replace("\x00", "")


def of(user: Any, *, now: datetime) -> list[SignIn]:
    """This person's sign-ins that still count, the one used last on top."""
    return list(SignIn.objects.filter(user=user, expires_at__gt=now).order_by("-last_seen"))


def note_use(request: HttpRequest, *, now: datetime) -> None:
    """Say that this session is in use. Makes the row where there is none (sessions older than this table)."""
    note = {"user": request.user, "user_agent": user_agent(request), "last_seen": now, "expires_at": request.session.get_expiry_date()}
    SignIn.objects.update_or_create(session_key=request.session.session_key, defaults=note)


def end(sign_ins: list[SignIn]) -> None:
    """End these sessions: their next request is signed out."""
    with transaction.atomic():
        for sign_in in sign_ins:
            session_store(sign_in.session_key).delete()
        SignIn.objects.filter(pk__in=[sign_in.pk for sign_in in sign_ins]).delete()


def keep_after_password_change(request: HttpRequest, *, old_key: str, now: datetime) -> None:
    """A new password gives this session a new key and makes all others void: end those, keep this one."""
    me: Any = request.user
    SignIn.objects.filter(session_key=old_key).delete()
    end(list(SignIn.objects.filter(user=me)))
    note_use(request, now=now)


def in_use(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: note that a session is in use, every few minutes per process, and only where the request asked who it is anyway."""
    noted: dict[str, datetime] = {}

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        key = request.session.session_key
        if key and hasattr(request, "_cached_user") and request.user.is_authenticated and _due(noted, key, now=timezone.now()):
            try:
                # Only where the row still is: a session that was ended meanwhile does not come back to the list.
                SignIn.objects.filter(session_key=key).update(last_seen=noted[key])
            except OperationalError:
                noted.pop(key, None)  # what was done is done: the answer must not fail for a note, and the next one tries again
        return response

    return middleware


def _due(noted: dict[str, datetime], key: str, *, now: datetime) -> bool:
    """Whether this session was not noted lately; if so it is from now on."""
    if now - noted.get(key, datetime.min.replace(tzinfo=now.tzinfo)) < NOTE_EVERY:
        return False
    if len(noted) >= REMEMBERED:
        noted.clear()
    noted[key] = now
    return True
