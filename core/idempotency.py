"""`Idempotency-Key`: the second request with a key gets the first one's answer: docs/reference/api.md.

The key's row (`Intent`) is written in the transaction of the write that it names, and so are its answer and its events: after a crash
there is all of it or nothing. A request with the same key meanwhile waits on that row (on SQLite: on the database's one writer).
Only what succeeded is kept: a refused request stored nothing, and may be sent again with the same key.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import IntegrityError, OperationalError, connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

from core.errors import Code, Problem
from core.models import Intent

KEPT = timedelta(hours=24)
WAIT_MS = 2000
_KEY = re.compile(r"[\x20-\x7e]{1,128}", re.ASCII)
# What a plain-text notification says in headers is part of what it says.
_SAID_IN_HEADERS = ("Content-Type", "Title", "Priority", "Click", "Key", "At", "Expires", "Category")
_KEPT_HEADERS = ("Content-Type", "Location")

Call = Callable[[], HttpResponseBase]


def key_of(request: HttpRequest) -> str | None:
    """The request's idempotency key, or None without one. Raises Problem (422) unless it is 1 to 128 printable ASCII characters."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _KEY.fullmatch(key):
        raise Problem(Code.INVALID, "An Idempotency-Key is 1 to 128 printable ASCII characters.", field="Idempotency-Key")
    return key


def once(request: HttpRequest, who: str, call: Call) -> HttpResponseBase:
    """Perform a write in one transaction, rolled back unless it succeeds; with a key at most once in 24 h, else answer as the first time.

    Raises Problem (409): the key named another request, or that request has not ended within two seconds.
    """
    key = key_of(request)
    if key is None:
        with transaction.atomic(using=_alias()):
            return _kept_if_successful(call())
    return _once(_Intended.read(request, who=who, key=key), call, now=timezone.now())


def forget_expired(*, now: datetime) -> int:
    """Delete the keys whose time is over; returns how many."""
    return Intent.objects.filter(expires_at__lte=now).delete()[0]


class _Intended:
    """What a request with a key wants, so that another can be told from the same."""

    def __init__(self, *, scope: str, key: str, body_hash: str) -> None:
        self.scope, self.key, self.body_hash = scope, key, body_hash

    @classmethod
    def read(cls, request: HttpRequest, *, who: str, key: str) -> "_Intended":
        said = [request.method or "", request.META.get("QUERY_STRING", ""), *(request.headers.get(name, "") for name in _SAID_IN_HEADERS)]
        body_hash = hashlib.sha256("\n".join(said).encode("utf-8", "surrogatepass") + b"\n\n" + request.body).hexdigest()
        scope = f"{who} {request.path}"
        if len(scope) > 200:
            scope = f"{who} {hashlib.sha256(scope.encode('utf-8', 'surrogatepass')).hexdigest()}"
        return cls(scope=scope, key=key, body_hash=body_hash)


def _once(intended: _Intended, call: Call, *, now: datetime) -> HttpResponseBase:
    known = Intent.objects.using(_alias()).filter(scope=intended.scope, key=intended.key, expires_at__gt=now).first()
    if known is not None and known.result is not None:
        return _replay(known, intended)
    with _short_patience(), transaction.atomic(using=_alias()):
        intent, mine = _claim_locked(intended, now)
        if not mine:
            return _replay(intent, intended)
        response = _kept_if_successful(call())
        if response.status_code < 400:
            intent.result = _result_of(response)
            intent.save(update_fields=["result"])
        return response


def _claim_locked(intended: _Intended, now: datetime) -> tuple[Intent, bool]:
    """Take the key for the caller's transaction, or find who has it; waits for whoever is taking it. Raises Problem (409)."""
    rows = Intent.objects.using(_alias())
    try:
        _lock_timeout(f"{WAIT_MS}ms")
        rows.filter(scope=intended.scope, key=intended.key, expires_at__lte=now).delete()
        with transaction.atomic(using=_alias()):
            made = rows.create(scope=intended.scope, key=intended.key, body_hash=intended.body_hash, expires_at=now + KEPT)
        _lock_timeout(None)
    except IntegrityError:
        return rows.get(scope=intended.scope, key=intended.key), False
    except OperationalError as error:
        raise _in_flight() from error
    return made, True


def _replay(intent: Intent, intended: _Intended) -> HttpResponse:
    if intent.body_hash != intended.body_hash:
        raise Problem(Code.KEY_REUSED, "This key named another request within the last 24 hours; take a new one.", field="Idempotency-Key")
    if intent.result is None:
        raise _in_flight()
    response = HttpResponse(intent.result["body"], status=intent.result["status"], headers=intent.result["headers"])
    response.headers["Idempotent-Replayed"] = "true"
    return response


def _in_flight() -> Problem:
    return Problem(Code.IN_FLIGHT, "The first request with this key has not ended; send it again in a moment.", field="Idempotency-Key")


def _result_of(response: HttpResponseBase) -> dict[str, object]:
    assert isinstance(response, HttpResponse), "A write answers with a whole body, never a stream."
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    return {"status": response.status_code, "headers": headers, "body": response.content.decode()}


def _kept_if_successful(response: HttpResponseBase) -> HttpResponseBase:
    """Roll the transaction back where the answer is an error: an operation's exception arrives here as an answer."""
    if response.status_code >= 400:
        transaction.set_rollback(True, using=_alias())
    return response


# --- how long to wait for somebody else's transaction ---


def _alias() -> str:
    return router.db_for_write(Intent)


@contextmanager
def _short_patience() -> Iterator[None]:
    """On SQLite, begin the block's transaction only if the writer before it ends in time. Raises Problem (409) where it does not."""
    connection = connections[_alias()]
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        yield
        return
    _busy_timeout(connection, WAIT_MS)
    try:
        yield
    except OperationalError as error:
        if "locked" not in str(error):
            raise
        raise _in_flight() from error
    finally:
        _busy_timeout(connection, int(float(connection.settings_dict["OPTIONS"].get("timeout", 5)) * 1000))


def _busy_timeout(connection: BaseDatabaseWrapper, milliseconds: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA busy_timeout = {milliseconds}")


def _lock_timeout(wait: str | None) -> None:
    """On Postgres, wait so long for locks from here on in this transaction; None: as long as before."""
    connection = connections[_alias()]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout TO DEFAULT" if wait is None else f"SET LOCAL lock_timeout = '{wait}'")
