"""What a request gets while the database is busy or away: 503, when to come back, and one line in the log: docs/operations.md.

For pages, by `answers` where a view raises, and by `broke` (handler500) where a middleware does; for the API, by core.errors. Sockets are
closed with 1013 (core.delivery.arrivals).
"""

import logging
import re
import sys
import threading
import time
from collections.abc import Callable

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views.defaults import server_error

from core.metrics import Counter
from core.ours import is_ours

logger = logging.getLogger(__name__)
REFUSED = Counter("signalbox_unavailable_total", "Pages and API calls answered 503 because the database was busy or away.")

RETRY_AFTER = 5  # seconds
SAY_EVERY = 5.0  # seconds between two lines: with it thousands of requests fail, for one reason
# SQLite names mistakes of ours by the same class as a lock that is not to be had.
_OURS = re.compile(r"no such |near |unrecognized |incomplete input|too many SQL|ambiguous column|table \S+ (has no|already)")


def is_away(error: BaseException | None) -> bool:
    """Whether this says that the database is busy or away, and not that we asked for nonsense."""
    return isinstance(error, OperationalError | InterfaceError) and not _OURS.match(str(error))


def note(error: BaseException) -> None:
    """Count it, and say it in the log: one line without a traceback, and how often it happened since the last one."""
    global _said_at, _unsaid
    REFUSED.inc()
    with _lock:
        now = time.monotonic()
        if now - _said_at < SAY_EVERY:
            _unsaid += 1
            return
        unsaid, _said_at, _unsaid = _unsaid, now, 0
    text = "A request was answered 503 (and %s before it), the database is busy or away: %s"
    logger.warning(text, unsaid, " ".join(str(error).split())[:300])


_lock = threading.Lock()
_said_at, _unsaid = float("-inf"), 0


def page(request: HttpRequest) -> HttpResponse:
    """Come back in a moment."""
    if hasattr(request, "session"):
        request.session.modified = False  # nothing that this request began is kept; trying to would wait again
    # Without the request: whoever asks who it is from asks the database.
    return HttpResponse(
        render_to_string("core/unavailable.html"), status=503, headers={"Retry-After": str(RETRY_AFTER), "Cache-Control": "no-store"}
    )


def answers(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: what a view of ours raises because the database is away is `page`."""

    def middleware(request: HttpRequest) -> HttpResponse:
        return get_response(request)

    def process_exception(request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not is_away(error) or not is_ours(request):
            return None
        note(error)
        return page(request)

    middleware.process_exception = process_exception  # type: ignore[attr-defined]
    return middleware


def broke(request: HttpRequest) -> HttpResponse:
    """handler500: called while the exception is handled that nobody else took."""
    error = sys.exc_info()[1]
    if error is not None and is_away(error):
        note(error)
        return page(request)
    return server_error(request)


class SaidAlready(logging.Filter):
    """Drop what a library says with a traceback of what has its line: a 503 of ours (or a watcher's, who asks again every few seconds), and
    a database that beat waits for."""

    def filter(self, record: logging.LogRecord) -> bool:
        return getattr(record, "status_code", None) != 503 and not is_away(record.exc_info[1] if record.exc_info else None)
