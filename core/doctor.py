"""What `manage.py doctor` looks at: live probes of everything that Signalbox stands on, each with how to mend it: docs/production.md.

A probe asks the real thing and never changes what people see. The checks of /readyz are among them; added is what only a person at a shell
can wait for: a message through the layer, events that nobody numbers, a handshake through the proxy, a hello to the mail server.
"""

import json
import secrets
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from asgiref.sync import async_to_sync
from django.conf import settings
from django.core import checks, mail
from django.db import DatabaseError, connection
from django.utils import timezone

from core import checks as checks_of_ours
from core import health
from core.delivery import broker, service

PATIENCE = 5.0  # seconds for any answer
ROLL_CALL = 7.0  # seconds for all web processes to answer: one may be giving the layer a rest (broker.REST)
NUMBERED_WITHIN = 5.0  # seconds that a committed event may wait for its offset: the relay looks twice a second
CLOCK = 2.0  # seconds that this machine's clock and the database's may differ


@dataclass(frozen=True, slots=True)
class Finding:
    """What one probe found. `mend` says what to do about it; a finding that is fine has none."""

    probe: str
    text: str
    mend: str = ""
    vital: bool = False

    @property
    def fine(self) -> bool:
        return not self.mend


class Ill(Exception):
    """A probe's bad news: what is wrong, and how to mend it."""

    def __init__(self, text: str, mend: str, *, vital: bool = False) -> None:
        super().__init__(text)
        self.mend = mend
        self.vital = vital


Probe = Callable[[], str]  # what is fine; raises Ill
_probes: dict[str, Probe] = {}


def probe(function: Probe) -> Probe:
    """Add a probe, named after its function. An app adds its own from `AppConfig.ready`."""
    _probes[function.__name__] = function
    return function


def names() -> list[str]:
    return list(_probes)


def examine(wanted: list[str] | None = None) -> Iterator[Finding]:
    """Run the probes of these names, all by default, in their order. Without a database those after it are not run."""
    for name in wanted or names():
        finding = _examine(name)
        yield finding
        if finding.vital:
            return


def _examine(name: str) -> Finding:
    try:
        return Finding(name, _probes[name]())
    except Ill as ill:
        return Finding(name, str(ill), ill.mend, ill.vital)
    except DatabaseError as error:
        return Finding(name, f"The database refused: {' '.join(str(error).split())[:200]}", "Look at its log, then run doctor again.", True)


def _unless(missing: health.Missing | None, fine: str, mend: str) -> str:
    if missing:
        raise Ill(missing.why, mend, vital=missing.vital)
    return fine


# --- the probes ---


@probe
def configuration() -> str:
    """The system checks; where browsers come by https, also those for a deployment."""
    deployed = settings.BASE_URL.startswith("https:")
    found = [one for one in checks.run_checks(include_deployment_checks=deployed) if one.level >= checks.WARNING and not one.is_silenced()]
    if found:
        raise Ill("; ".join(f"{one.id}: {one.msg}" for one in found), "Each check says what to set; docs/settings.md lists the variables.")
    return "No check has a complaint."


@probe
def database() -> str:
    mend = "Start it, or correct DATABASE_URL; then run `manage.py prepare`."
    _unless(health.database() or health.migrations(), "", mend)
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA journal_mode")
            if str(cursor.fetchone()[0]).lower() != "wal":
                raise Ill(
                    "SQLite is not in WAL mode: readers and writers block each other.",
                    "Keep the file on a local disk, not a network share.",
                )
    return f"{connection.display_name} answers, and its tables are up to date."


@probe
def clock() -> str:
    """This machine's clock against the database's, by which leases are reckoned."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT CURRENT_TIMESTAMP")
        said = cursor.fetchone()[0]
    theirs = said if isinstance(said, datetime) else datetime.fromisoformat(said).replace(tzinfo=UTC)
    apart = abs((timezone.now() - theirs).total_seconds())
    if apart > CLOCK:
        raise Ill(
            f"This machine's clock and the database's are {apart:.0f} s apart.", "Run NTP (chrony, systemd-timesyncd) on both machines."
        )
    return f"This machine and the database are {apart:.1f} s apart."


@probe
def redis() -> str:
    mend = "Start Redis or Valkey, or correct REDIS_URL and CHANNEL_REDIS_URLS."
    return _unless(health.redis_reachable(), "Every Redis answers.", mend)


@probe
def layer() -> str:
    """A message to ourselves through the channel layer."""
    _unless(health.channel_layer(), "", "Set REDIS_URL: without it each web process hears only itself at once, the others within 2.5 s.")
    took = async_to_sync(broker.round_trip)(PATIENCE)
    if took is None:
        raise Ill(
            "No message came back through the channel layer.", "Look whether REDIS_URL answers and lets this user publish and subscribe."
        )
    there = health.web_processes()
    heard = async_to_sync(broker.roll_call)(there, ROLL_CALL) if there else set()
    if deaf := sorted(there[process] for process in there.keys() - heard):
        raise Ill(
            f"{len(deaf)} of {len(there)} web processes do not answer through the channel layer of this shell: {', '.join(deaf)}.",
            "Give the same REDIS_URL, CHANNEL_REDIS_URLS and SECRET_KEY to all. A process that ended just now still counts for 15 s.",
        )
    return f"A message came back after {took * 1000:.1f} ms; {len(heard)} web process{'' if len(heard) == 1 else 'es'} answered."


@probe
def sequencer() -> str:
    """Whether committed events get their offsets: none may wait for longer than the relay takes."""
    waited = service.outbox_age() or 0.0
    if waited > NUMBERED_WITHIN:
        raise Ill(
            f"A committed event has waited {waited:.0f} s for its offset: nobody numbers.",
            "Start a web process (`manage.py serve`): each of them numbers what publishers left. Look in its log for `relay`.",
        )
    return "No committed event waits for its offset."


@probe
def broker_of_jobs() -> str:
    return _unless(health.broker(), "The broker answers.", "Set CELERY_BROKER_URL, or start what it names.")


@probe
def beat() -> str:
    mend = "Start `celery -A workers.celery beat`: schedules and sweeps stand still without it."
    return _unless(health.beat(), "Beat was heard of within 20 s.", mend)


@probe
def worker() -> str:
    return _unless(health.worker(), "A worker was heard of within 20 s.", "Start `celery -A workers.celery worker -Q live,delivery,bulk`.")


@probe
def web() -> str:
    """BASE_URL, as browsers reach it: is it us, does it know its proxies."""
    answer = _ask("/readyz")
    try:
        degraded = dict(json.loads(answer.body)["why"])
    except (ValueError, KeyError, TypeError) as error:
        raise Ill(
            f"{settings.BASE_URL} answered {answer.status}, but it is not Signalbox.", "Correct BASE_URL, or the proxy in front."
        ) from error
    if "proxy" in degraded:
        raise Ill(
            str(degraded["proxy"]),
            "Set TRUSTED_PROXY_HOPS to the number of proxies, and let them send X-Forwarded-For and X-Forwarded-Proto.",
        )
    _check_proxies(answer.reached)
    return f"{settings.BASE_URL} is a Signalbox" + (f"; it misses: {', '.join(degraded)}." if degraded else " that misses nothing.")


def _check_proxies(reached: str) -> None:
    """We sent no X-Forwarded-For, so whoever stands in it is a proxy in front. An older web process tells nothing."""
    scheme, _, told = reached.partition(" ")
    hops, trusted, base = int(told or 0), settings.TRUSTED_PROXY_HOPS, urlsplit(settings.BASE_URL)
    if not reached or (not hops and base.hostname in checks_of_ours.LOOPBACK and base.port == settings.PORT):
        return  # in a container localhost is the web process itself, and no proxy
    if hops < trusted:
        raise Ill(
            f"TRUSTED_PROXY_HOPS is {trusted}, but {hops or 'no'} proxies in front of {settings.BASE_URL} wrote X-Forwarded-For: "
            "all visitors have one address.",
            "Let each proxy append to X-Forwarded-For (scripts/nginx.conf.template), or set TRUSTED_PROXY_HOPS to how many there are.",
        )
    if hops > trusted:
        raise Ill(
            f"{hops} proxies forward requests to {settings.BASE_URL}, but TRUSTED_PROXY_HOPS is {trusted}: a proxy counts as visitor.",
            f"Set TRUSTED_PROXY_HOPS={hops} for the web processes, if all of these are yours.",
        )
    if scheme != base.scheme:
        raise Ill(
            f"BASE_URL is {settings.BASE_URL}, but the web process takes requests for {scheme}: forms and sockets would be refused.",
            "Let the proxy that ends TLS set X-Forwarded-Proto, and each one after it append to it or pass it on.",
        )


@probe
def sockets() -> str:
    """A WebSocket handshake by way of BASE_URL: an ASGI server behind it, and a proxy that passes upgrades on."""
    key = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "c2lnbmFsYm94IGRvY3Rvcg=="}
    answer = _ask("/live/ws", headers={**key, "Origin": settings.BASE_URL})
    if answer.status != 101:
        raise Ill(
            f"The handshake at {settings.BASE_URL}/live/ws was answered with {answer.status} instead of 101.",
            "Serve ASGI_APPLICATION by `manage.py serve`; behind nginx, pass Upgrade and Connection on (scripts/nginx.conf.template).",
        )
    return "The handshake came through."


@probe
def front_end() -> str:
    from core import frontend, places

    if not places.is_packed() and not frontend.installed():
        raise Ill("The front-end packages are missing.", "Run `manage.py prepare`.")
    return "The front-end packages are there."


@probe
def secret_key() -> str:
    if len(settings.SECRET_KEY) < 40:
        raise Ill("SECRET_KEY is short enough to be guessed.", f"For example: SECRET_KEY={secrets.token_urlsafe(50)}")
    return "SECRET_KEY is long."


@probe
def mail_server() -> str:
    """Connect to the mail server and say hello; nothing is sent."""
    if not settings.EMAIL_BACKEND.endswith("smtp.EmailBackend"):
        return "EMAIL_URL names no mail server: nobody is sent mail."
    server = mail.get_connection(fail_silently=False)
    try:
        server.timeout = PATIENCE  # type: ignore[attr-defined]
        server.open()
        server.close()
    except (OSError, ssl.SSLError) as error:  # smtplib's own errors are OSErrors
        raise Ill(f"The mail server refused: {' '.join(str(error).split())[:200]}", "Correct EMAIL_URL.") from error
    return "The mail server says hello."


# --- asking BASE_URL ---


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    reached: str  # how we came there, as the web process reckons


def _ask(path: str, *, headers: dict[str, str] | None = None) -> Answer:
    with _connection() as server:
        try:
            server.request("GET", path, headers=headers or {})
            answer = server.getresponse()
            body = answer.read(65536) if answer.status != 101 else b""
            return Answer(answer.status, body, answer.headers.get(health.REACHED, ""))
        except ssl.SSLCertVerificationError as error:
            raise Ill(
                f"{settings.BASE_URL} shows a certificate that is not believed here: {error.verify_message}.",
                "Let the proxy send the whole chain, for this host's name; a CA of your own goes into SSL_CERT_FILE.",
            ) from error
        except (OSError, HTTPException) as error:
            raise Ill(
                f"{settings.BASE_URL} does not answer: {' '.join(str(error).split())[:200]}",
                "Start `manage.py serve`, or correct BASE_URL to the address that browsers use.",
            ) from error


@contextmanager
def _connection() -> Iterator[HTTPConnection]:
    url = urlsplit(settings.BASE_URL)
    make = HTTPSConnection if url.scheme == "https" else HTTPConnection
    server = make(url.hostname or "", url.port, timeout=PATIENCE)
    try:
        yield server
    finally:
        server.close()
