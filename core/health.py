"""What a watcher asks over HTTP: /healthz (alive), /readyz (able to serve, and what is missing), /metrics: docs/operations.md."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

import redis
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.db.migrations.loader import MigrationLoader
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from core import jobs, proxies, redis_addresses, tallies
from core.metrics import registry
from core.models import Process

logger = logging.getLogger(__name__)

HEARD = timedelta(seconds=20)  # how long a worker or beat counts as there after it was last heard of
REDIS_PATIENCE = 0.2
REACHED = "X-Signalbox-Reached"
EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"
WORKER, BEAT = (
    f"{Process.CELERY}worker",
    f"{Process.CELERY}beat",
)  # their rows beside those of the web processes: whether there is one at all
WORKER_PREFIX = f"{WORKER} "  # and one row for each worker: workers/telling.py


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that is not there. `vital`: without it nothing can be served."""

    what: str
    why: str
    vital: bool = False


Check = Callable[[], Missing | None]
_checks: list[Check] = []


def check(function: Check) -> Check:
    """Add a check of what this process needs: None, or what is missing. Runs at every /readyz; must answer within a second."""
    _checks.append(function)
    return function


def missing() -> list[Missing]:
    """What is missing now, in the order of the checks; without a database the other checks are not made."""
    found: list[Missing] = []
    for function in _checks:
        lack = function()
        if lack is not None:
            found.append(lack)
            if lack.vital:
                break
    return found


# --- the checks ---


@check
def database() -> Missing | None:
    try:
        with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return Missing("database", "The database does not answer.", vital=True)
    return None


_migrated = False


@check
def migrations() -> Missing | None:
    global _migrated
    if not _migrated:
        loader = MigrationLoader(connections[DEFAULT_DB_ALIAS])
        left = set(loader.disk_migrations) - set(loader.applied_migrations)
        if left:
            return Missing("migrations", f"{len(left)} migrations are not applied; run manage.py prepare.", vital=True)
        _migrated = True
    return None


@check
def redis_reachable() -> Missing | None:
    urls = list(dict.fromkeys([*settings.CHANNEL_REDIS_URLS, *([settings.REDIS_URL] if settings.REDIS_URL else [])]))
    if not urls:
        return Missing("redis", "REDIS_URL is not set: events reach other processes by the database, within 2.5 s.")
    if not all(_answers(url) for url in urls):
        return Missing("redis", "Redis does not answer: events arrive by the database, within 2.5 s.")
    return None


@check
def channel_layer() -> Missing | None:
    if str(settings.CHANNEL_LAYERS["default"]["BACKEND"]).endswith("InMemoryChannelLayer"):
        return Missing("channel_layer", "The channel layer is this process's memory.")
    return None


@check
def broker() -> Missing | None:
    url = settings.CELERY_BROKER_URL
    if not url:
        return Missing("broker", "CELERY_BROKER_URL is not set: jobs run inside the web process.")
    address = settings.BROKER_REDIS_URL if url.startswith("sentinel") else url
    if address.startswith(("redis", "rediss")) and not _answers(address):
        return Missing("broker", "The broker does not answer: jobs wait.")
    return None


@check
def proxy() -> Missing | None:
    wrong = proxies.complaint()
    return Missing("proxy", wrong) if wrong else None


@check
def beat() -> Missing | None:
    return None if _heard_of(BEAT) else Missing("beat", "No beat was heard of: schedules stand still.")


@check
def worker() -> Missing | None:
    if _heard_of(WORKER):
        return None
    return Missing("worker", "No worker was heard of: jobs wait." if jobs.has_broker() else "There is none: jobs run in the web process.")


def _answers(url: str) -> bool:
    try:
        address = redis_addresses.read(url.replace("redis+socket://", "unix://", 1))
        with address.client(socket_timeout=REDIS_PATIENCE, socket_connect_timeout=REDIS_PATIENCE) as client:
            return bool(client.ping())
    except (redis.RedisError, OSError, ValueError):
        return False


def _heard_of(who: str) -> bool:
    return Process.objects.filter(id=who, expires_at__gt=Now()).exists()


def web_processes() -> dict[str, str]:
    """The web processes that live: where each says that it is (else its key), by its key."""
    alive = Process.objects.filter(expires_at__gt=Now()).exclude(id__startswith=Process.CELERY)
    return {process.id: str((process.figures or {}).get("where", process.id)) for process in alive}


def note_alive(who: str) -> None:
    """Say that the worker or the beat is there, in database time."""
    expires_at = Now() + HEARD
    if not Process.objects.filter(id=who).update(expires_at=expires_at):
        Process.objects.bulk_create([Process(id=who, expires_at=expires_at)], ignore_conflicts=True)


def note_worker_alive() -> None:
    """The job that beat sends every few seconds: it runs where a worker takes it, and without a broker there is none."""
    if jobs.has_broker():
        note_alive(WORKER)


# --- the answers ---

_last: tuple[float, list[Missing]] = (float("-inf"), [])


def _missing_lately() -> list[Missing]:
    """At most one look a second, however often it is asked."""
    global _last
    now = time.monotonic()
    if now - _last[0] > 1:
        before, _last = _last[1], (now, missing())
        _note_change(before, _last[1])
    return _last[1]


def _note_change(before: list[Missing], after: list[Missing]) -> None:
    """A line in the log whenever a watcher is told another thing than before."""
    if [lack.what for lack in before] == [lack.what for lack in after]:
        return
    if after:
        logger.warning("Missing now: %s", " ".join(lack.why for lack in after))
    else:
        logger.warning("Nothing is missing any more.")


@require_safe
def alive(request: HttpRequest) -> HttpResponse:
    """200 as long as this process answers at all."""
    return _plain({"status": "alive"})


@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """200 when pages can be served, 503 when not. `degraded` names what is missing, `why` says what that means."""
    lacks = _missing_lately()
    vital = any(lack.vital for lack in lacks)
    content = {
        "status": "unavailable" if vital else "degraded" if lacks else "ready",
        "degraded": [lack.what for lack in lacks],
        "why": {lack.what: lack.why for lack in lacks},
    }
    answer = _plain(content, status=503 if vital else 200)
    # For doctor, who comes as browsers do and forwards nothing himself: how he came here, by our reckoning.
    answer.headers[REACHED] = f"{request.scheme} {proxies.forwarded_by(request.headers.get('X-Forwarded-For', ''))}"
    return answer


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """This process's figures, and those of the whole installation, in Prometheus' text format."""
    tallies.write()
    return HttpResponse(registry.exposition(), content_type=EXPOSITION, headers={"Cache-Control": "no-store"})


def _plain(content: Mapping[str, object], *, status: int = 200) -> JsonResponse:
    return JsonResponse(dict(content), status=status, headers={"Cache-Control": "no-store"})
