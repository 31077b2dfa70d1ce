"""Bearer tokens: how they are made, what their scopes cover, and who a request is from: docs/reference/api.md.

A token is shown once and stored as its SHA-256. It may do what its owner may, narrowed by its scopes.
Browser sessions may read through the API (GET), so that pages can; they never write through it, so no request forged by another site can.
"""

import hashlib
import re
import secrets
import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db import DEFAULT_DB_ALIAS, OperationalError, connections, transaction
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from ninja.security.base import AuthBase

from core.delivery.channel import Reader
from core.errors import Code, Problem, quoted
from core.models import ApiToken

ALPHABET = string.ascii_letters + string.digits
_TOKEN = re.compile(r"sbx_[A-Za-z0-9]{32}", re.ASCII)
_USED_AT_MOST_EVERY = timedelta(minutes=1)
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


# --- scopes ---

_WORDS = frozenset({"broadcast", "dashboards", "critical"})
_CHANNEL = r"[a-z][a-z0-9_]{0,15}:[^\s*]{1,150}"
_SLUG = r"[A-Za-z0-9._-]{1,64}"
# Group and user names may hold spaces and any letters; no control characters, and no star.
_PERSONS = r"[^\x00-\x20\x7f*](?:[^\x00-\x1f\x7f*]{0,158}[^\x00-\x20\x7f*])?"
_GRAMMAR = {
    "notify": re.compile(_PERSONS),
    "push": re.compile(rf"{_SLUG}/{_SLUG}", re.ASCII),
    "publish": re.compile(_CHANNEL),
    "read": re.compile(_CHANNEL),
}
# What may stand before a star: any beginning of what may stand there.
_BEGINNING = {
    "notify": re.compile(r"[^\x00-\x1f\x7f*]{0,160}"),
    "push": re.compile(r"[A-Za-z0-9._/-]{0,130}", re.ASCII),
    "publish": re.compile(r"[^\s*]{0,167}"),
    "read": re.compile(r"[^\s*]{0,167}"),
}
GRAMMAR = ("notify:<audience>", "push:<dashboard>/<widget>", "publish:<channel>", "read:<channel>", "broadcast", "dashboards", "critical")


class BadScope(ValueError):
    """The text is not a scope; `GRAMMAR` lists what is."""


def checked_scopes(scopes: Iterable[str]) -> list[str]:
    """The scopes, each once, in their order. Raises BadScope: none at all, or one outside of the grammar."""
    wanted = list(dict.fromkeys(scope.strip() for scope in scopes if scope.strip()))
    if not wanted:
        raise BadScope("A token needs at least one scope.")
    for scope in wanted:
        if not _is_scope(scope):
            raise BadScope(f"{quoted(scope)} is not a scope. Scopes are {', '.join(GRAMMAR)}; * only as the last character.")
    return wanted


def _is_scope(scope: str) -> bool:
    if scope in _WORDS:
        return True
    verb, colon, object = scope.partition(":")
    if not colon or verb not in _GRAMMAR:
        return False
    return bool(_BEGINNING[verb].fullmatch(object[:-1]) if object.endswith("*") else _GRAMMAR[verb].fullmatch(object))


def allows(scopes: Iterable[str] | None, needed: str) -> bool:
    """Say whether these scopes cover what is needed, as in `notify:ops`. None stands for no narrowing at all."""
    return scopes is None or any(_covers(scope, needed) for scope in scopes)


def _covers(scope: str, needed: str) -> bool:
    return needed.startswith(scope[:-1]) if scope.endswith("*") else needed == scope


# --- tokens ---


def make_token(user: Any, name: str, scopes: Sequence[str], expires_at: datetime | None = None) -> tuple[ApiToken, str]:
    """Make a token and return its row and its text, which nobody can read again. Raises BadScope, or ValueError for a bad name."""
    name = name.strip()
    if not 1 <= len(name) <= 80 or not name.isprintable():
        raise ValueError("A token's name is 1 to 80 printable characters.")
    text = "sbx_" + "".join(secrets.choice(ALPHABET) for _ in range(32))
    row = ApiToken(user=user, name=name, digest=digest(text), hint=text[:8], scopes=checked_scopes(scopes), expires_at=expires_at)
    row.save(force_insert=True)
    return row, text


def revoke(token: ApiToken, *, now: datetime) -> bool:
    """Revoke a token for good. False when it was revoked before."""
    from core.delivery import authority  # which looks tokens up itself

    with transaction.atomic():
        revoked = ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now) == 1
        if revoked:
            authority.recheck_users([token.user_id])
    return revoked


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


# --- who asks ---


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request: a person, through one of her tokens or (reading only) her session. `scopes` None: not narrowed."""

    user: Any
    token: int | None = None
    scopes: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        """What rates and idempotency keys are kept by."""
        return f"token:{self.token}" if self.token is not None else f"user:{self.user.pk}"

    @property
    def reader(self) -> Reader:
        """The caller as channel policies see her."""
        return Reader(user=str(self.user.pk), scopes=self.scopes)

    def may(self, *needed: str) -> bool:
        """Whether the scopes cover any of these spellings of one thing."""
        return any(allows(self.scopes, scope) for scope in needed)

    def require(self, *needed: str) -> None:
        """Raise Problem (403 scope_missing) unless the scopes cover one of these spellings of one thing."""
        if not self.may(*needed):
            raise Problem(Code.SCOPE_MISSING, f"This token has not the scope {needed[0]}.", allowed=needed)


def caller_of(request: HttpRequest, *, now: datetime | None = None) -> Caller | None:
    """Who the request is from; None when it does not say. Raises Problem (401) for a token that is not valid. Looked up once."""
    if not hasattr(request, "_signalbox_caller"):
        request._signalbox_caller = _caller(request, now or timezone.now())  # type: ignore[attr-defined]
    return request._signalbox_caller  # type: ignore[attr-defined,no-any-return]


def _caller(request: HttpRequest, now: datetime) -> Caller | None:
    header = request.headers.get("Authorization", "")
    if header:
        return of_token(_bearer(header), now=now)
    if "sbx_" in request.META.get("QUERY_STRING", ""):
        raise Problem(Code.UNAUTHENTICATED, "A token does not go into an address, where it is logged: Authorization: Bearer sbx_...")
    user = getattr(request, "user", None)
    if request.method in _SAFE and user is not None and user.is_authenticated and user.is_active:
        return Caller(user)
    return None


def _bearer(header: str) -> str:
    scheme, _, text = header.partition(" ")
    if scheme.lower() != "bearer" or not _TOKEN.fullmatch(text.strip()):
        raise Problem(Code.UNAUTHENTICATED, "The Authorization header is not of the form: Bearer sbx_ and 32 letters or digits.")
    return text.strip()


def of_token(text: str, *, now: datetime) -> Caller:
    """The caller whom a token's text stands for. Raises Problem (401): unknown, revoked, expired, or its owner was deactivated."""
    token = _found(digest(text))
    if token is None or not token.user.is_active:
        raise Problem(Code.UNAUTHENTICATED, "There is no such token.")
    if token.revoked_at is not None:
        raise Problem(Code.UNAUTHENTICATED, f"This token was revoked at {token.revoked_at:%Y-%m-%dT%H:%MZ}.")
    if token.expires_at is not None and token.expires_at <= now:
        raise Problem(Code.UNAUTHENTICATED, f"This token expired at {token.expires_at:%Y-%m-%dT%H:%MZ}.")
    _note_use(token, now)
    return Caller(token.user, token.pk, tuple(token.scopes))


def _found(digest: str) -> ApiToken | None:
    """The token of this digest, with its owner."""
    # In SQL: every call comes by here, and Django takes longer to put this join together than SQLite to answer it.
    found = list(ApiToken.objects.raw(f"SELECT * FROM {ApiToken._meta.db_table} WHERE digest = %s", [digest]))
    if not found:
        return None
    token, people, using = found[0], get_user_model()._meta, found[0]._state.db or DEFAULT_DB_ALIAS
    key: Any = people.pk.get_db_prep_value(token.user_id, connections[using])
    by_key = f"SELECT * FROM {people.db_table} WHERE {people.pk.column} = %s"
    token.user = get_user_model()._base_manager.using(using).raw(by_key, [key])[0]
    return token


def _note_use(token: ApiToken, now: datetime) -> None:
    """Write when the token was last used, at most once a minute."""
    before = now - _USED_AT_MOST_EVERY
    if token.last_used_at is not None and token.last_used_at > before:
        return
    unwritten = Q(last_used_at=None) | Q(last_used_at__lte=before)
    try:
        ApiToken.objects.filter(unwritten, pk=token.pk).update(last_used_at=now)
    except OperationalError:
        # SQLite's one writer is busy: the request must not fail for a note, and the next one tries again.
        return


class Token(AuthBase):
    """ninja's view of a bearer token. The guard in core.api has looked the caller up already."""

    openapi_type = "http"
    openapi_scheme = "bearer"
    openapi_description = "A token made in the admin or by `manage.py token make`: `Authorization: Bearer sbx_...`"

    def __call__(self, request: HttpRequest) -> Caller | None:
        return caller_of(request)
