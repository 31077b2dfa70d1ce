"""Who stands behind a handshake: sessions and users looked up for a whole batch of connects at once. Blocking."""

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.http import parse_cookie
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from core import tokens
from core.delivery.channel import Reader, registry
from core.delivery.origins import header
from core.models import ApiToken


@dataclass(frozen=True, slots=True)
class Credential:
    """What a handshake carries: a session key, a bearer token (its SHA-256), or nothing (a guest); with its resume, a share."""

    session_key: str = ""
    token_digest: str = ""
    share: str = ""  # what a ticket named (core.delivery.tickets)
    guest: str = ""  # who she is where she turns out to be nobody signed in (name_guests_by)
    address: str = ""


_guest_of: Callable[[Mapping[str, str]], str] = lambda cookies: ""  # noqa: E731


def name_guests_by(guest_of: Callable[[Mapping[str, str]], str]) -> None:
    """Let an app say who a guest is, by cookies that it signed ("": nobody it knows). It runs on the event loop: no I/O."""
    global _guest_of
    _guest_of = guest_of


def credential(scope: Mapping[str, Any]) -> Credential:
    """Read the bearer token or the session cookie of a handshake. Two cookies of that name: the last one, as Django reads them."""
    scheme, _, token = (header(scope, b"authorization") or "").partition(" ")
    if scheme.lower() == "bearer":
        return Credential(token_digest=tokens.digest(token.strip()))
    # By Django's own reader, as a page's are: Python's gives up at the first cookie that some other site on this host made oddly.
    cookies = parse_cookie(_cookies(scope))
    key = cookies.get(settings.SESSION_COOKIE_NAME, "")
    # What is no key never reaches the query, which others share: a cookie may hold NUL ("\000"), at which Postgres' driver raises.
    session_key = key if len(key) <= 64 and key.isascii() and key.isalnum() else ""
    return Credential(session_key, guest=_guest_of(cookies), address=(scope.get("client") or ("", 0))[0])


def _cookies(scope: Mapping[str, Any]) -> str:
    """All that the handshake says of cookies. Of several lines Django makes one value by commas, in which no session is; so do we."""
    return ",".join(str(value, "latin-1") for name, value in scope["headers"] if name == b"cookie")


def session_hash(session_key: str) -> str:
    """How a session is named outside its cookie."""
    return hashlib.sha256(session_key.encode()).hexdigest()


def readers(credentials: Collection[Credential]) -> dict[Credential, Reader]:
    """Who each of these is; whoever has no valid session or token is a guest. Three queries for any number, more for tokens' scopes."""
    keys = {one.session_key for one in credentials if one.session_key}
    sessions = Session.objects.filter(session_key__in=keys, expire_date__gt=timezone.now()) if keys else ()
    store = SessionStore()
    contents = {session.session_key: store.decode(session.session_data) for session in sessions}
    users = _users({content.get(SESSION_KEY) for content in contents.values()} - {None})
    by_token = _token_readers({one.token_digest for one in credentials if one.token_digest})
    found = {one: by_token.get(one.token_digest) or _reader(one, contents.get(one.session_key), users) for one in credentials}
    return {one: replace(reader, share=one.share) if one.share else reader for one, reader in found.items()}


def _token_readers(digests: Collection[str]) -> dict[str, Reader]:
    """The readers behind tokens that are valid now."""
    if not digests:
        return {}
    now = timezone.now()
    valid = ApiToken.objects.select_related("user").filter(digest__in=digests, revoked_at=None, user__is_active=True)
    return {
        row.digest: Reader(user=str(row.user.pk), name=row.user.get_username(), scopes=_reading_scopes(row.scopes))
        for row in valid
        if row.expires_at is None or row.expires_at > now
    }


def _reading_scopes(scopes: Collection[str]) -> tuple[str, ...]:
    """What a token may read, by the channels' keys: `read:*`, `read:room:*`, or exact ones, which people write with slugs."""
    found = []
    for scope in scopes:
        verb, _, spoken = scope.partition(":")
        kind, _, name = spoken.partition(":")
        if verb != "read":
            continue
        if spoken == "*" or name == "*":
            found.append(scope)
        elif kind in registry.kinds and "*" not in name and (key := registry.kinds[kind].resolve(name)) is not None:
            found.append(f"read:{kind}:{key}")
    return tuple(found)


def _users(ids: Collection[Any]) -> dict[str, Any]:
    model = get_user_model()
    clean = []
    for id in ids:
        try:
            clean.append(model._meta.pk.to_python(id))
        except ValidationError:
            continue
    return {str(user.pk): user for user in model._default_manager.filter(pk__in=clean, is_active=True)} if clean else {}


def _reader(one: Credential, content: Mapping[str, Any] | None, users: Mapping[str, Any]) -> Reader:
    if not content:
        return Reader(guest=one.guest, address=one.address)
    user = users.get(str(content.get(SESSION_KEY)))
    if user is None or content.get(BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS or not _session_is_of(user, content):
        return Reader(guest=one.guest, address=one.address)
    return Reader(user=str(user.pk), name=user.get_username(), session=session_hash(one.session_key))


def _session_is_of(user: Any, content: Mapping[str, Any]) -> bool:
    """Whether the session was made with the user's present password (or a secret key that still counts)."""
    stored = content.get(HASH_SESSION_KEY, "")
    return any(constant_time_compare(stored, known) for known in (user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()))
