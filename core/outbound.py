"""The one door out: every HTTP request that goes where somebody told us to (webhooks, sources, push services): docs/outbound.md.

response = fetch("https://example.org/metrics", limit=1_000_000, timeout=5)
"""

import functools
import queue
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

import certifi
import httpcore
from django.conf import settings

from core.addresses import Address, Allowed, ip_address, may_reach, read_allowed
from core.tallies import SharedCounter

LIMIT = 1_000_000  # bytes of an answer
TIMEOUT = 10.0  # seconds for all of it: resolving, connecting, sending, reading, redirects
CONNECT = 5.0  # seconds for resolving, and for connecting
MAX_URL = 2000
MAX_RETRY_AFTER = 24 * 3600.0
_PIECE = 16_384  # bytes written between two looks at the clock

REQUESTS = SharedCounter("signalbox_outbound_requests_total", "Requests to addresses that somebody gave us.", labels=("outcome",))

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}", re.ASCII)
_KEPT_ELSEWHERE = {"accept", "user-agent"}  # of the caller's headers, what a redirect may carry to another host


class OutboundRefused(ValueError):
    """We do not do this, now or later: the address, or where it leads, is not one that may be asked. Says why, without the path."""


class OutboundFailed(RuntimeError):
    """It did not work this time: no answer, too slow, too large, broken off. Says what happened, without the path."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer, whatever its status. Header names are in lower case; `url` is where it came from after redirects."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        """The body as text by its charset, UTF-8 where it names none that is known; never fails."""
        found = re.search(r"charset=[\"']?([\w.-]+)", self.headers.get("content-type", ""), re.ASCII)
        try:
            return self.body.decode(found[1] if found else "utf-8", "replace")
        except LookupError:
            return self.body.decode("utf-8", "replace")

    def retry_after(self, now: datetime) -> float | None:
        """How many seconds it asks us to wait, at most a day; None where it does not say."""
        text = self.headers.get("retry-after", "").strip()
        if text.isascii() and text.isdigit():
            return min(float(text[:12]), MAX_RETRY_AFTER)
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return None
        return min(max(((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds(), 0.0), MAX_RETRY_AFTER)


def fetch(
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    limit: int = LIMIT,
    timeout: float = TIMEOUT,
    redirects: int = 0,
    whole: bool = True,
) -> Response:
    """Make one request and return the answer, whatever its status. Blocks; for workers, never for an event loop.

    All of it takes at most `timeout` seconds. An answer above `limit` bytes fails; with `whole=False` it is cut there instead.
    `redirects` is how many may be followed, each checked like the first address (GET and HEAD only); the next one is refused.
    Raises OutboundRefused, OutboundFailed.
    """
    until = time.monotonic() + timeout
    with _counted():
        asked, given = check_url(url), _headers(headers or {})
        for left in range(redirects, -1, -1):
            response = _ask(asked, method=method, headers=given, body=body, limit=limit, until=until, whole=whole)
            target = _redirect(asked, response)
            if target is None:
                return response
            if left == 0 or method not in {"GET", "HEAD"}:
                break
            if (target.scheme, target.netloc) != (asked.scheme, asked.netloc):
                given = {name: value for name, value in given.items() if name in _KEPT_ELSEWHERE}
            asked = target
        raise OutboundRefused(f"{asked.hostname} redirects to another address, which is not followed{' again' if redirects else ''}.")


def check_url(url: str) -> SplitResult:
    """Whether an address is one that `fetch` would look up: for forms, before it is stored. Asks no server. Raises OutboundRefused."""
    # Parsers disagree about what is not plain: none of it gets as far as being parsed.
    if not isinstance(url, str) or len(url) > MAX_URL or not url.isascii() or not url.isprintable() or set(url) & set(' \\"<>^`{|}'):
        raise OutboundRefused(f"An address is at most {MAX_URL} plain ASCII characters, without blanks or backslashes.")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise OutboundRefused("The address has a malformed host or port.") from None
    if parts.scheme not in {"http", "https"}:
        raise OutboundRefused("An address starts with https:// or http://.")
    if not host or "%" in host or port == 0:
        raise OutboundRefused("The address names no host.")
    if "@" in parts.netloc:
        raise OutboundRefused("An address holds no user name or password: send them as a header.")
    return parts


@contextmanager
def _counted() -> Any:
    try:
        yield
    except OutboundRefused:
        REQUESTS.inc(outcome="refused")
        raise
    except OutboundFailed:
        REQUESTS.inc(outcome="failed")
        raise
    REQUESTS.inc(outcome="answered")


def _headers(given: Mapping[str, str]) -> dict[str, str]:
    for name, value in given.items():
        if not _TOKEN.fullmatch(name) or not value.isascii() or not (value.isprintable() or not value) or len(value) > 8000:
            raise OutboundRefused("A header's name or value holds what a header cannot.")
    ours = {"accept": "*/*", "user-agent": "Signalbox"}
    # Compressed answers are neither asked for nor unpacked: a small one may unpack to gigabytes.
    return ours | {name.lower(): value for name, value in given.items()} | {"accept-encoding": "identity", "connection": "close"}


def _redirect(asked: SplitResult, response: Response) -> SplitResult | None:
    """Where an answer sends us, checked; None where it is an answer."""
    if response.status not in {301, 302, 303, 307, 308} or "location" not in response.headers:
        return None
    target = check_url(urljoin(asked.geturl(), response.headers["location"]))
    if asked.scheme == "https" and target.scheme == "http":
        raise OutboundRefused(f"{asked.hostname} redirects from https to http.")
    return target


def _ask(asked: SplitResult, *, method: str, headers: Mapping[str, str], body: bytes, limit: int, until: float, whole: bool) -> Response:
    host = asked.hostname or ""
    target = (asked.path or "/") + (f"?{asked.query}" if asked.query else "")
    url = httpcore.URL(scheme=asked.scheme, host=host, port=asked.port, target=target)
    sent = [("host", asked.netloc), *headers.items()] + ([("content-length", str(len(body)))] if body or method == "POST" else [])
    door = _Door(until=until, allowed=_allowed(tuple(settings.OUTBOUND_ALLOW)))
    with (
        _in_words(host),
        httpcore.ConnectionPool(ssl_context=_tls(), network_backend=door) as pool,
        pool.stream(method, url, headers=sent, content=body) as answer,
    ):
        found = _read_headers(answer)
        if found.get("content-encoding", "identity").lower() != "identity":
            raise OutboundFailed(f"{host} answered with a compressed body, which was not asked for.")
        return Response(asked.geturl(), answer.status, found, _body(answer, host=host, limit=limit, whole=whole))


def _read_headers(answer: httpcore.Response) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in answer.headers:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def _body(answer: httpcore.Response, *, host: str, limit: int, whole: bool) -> bytes:
    pieces, size = [], 0
    for piece in answer.iter_stream():
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            if whole:
                raise OutboundFailed(f"{host} answered with more than {limit} bytes.")
            break
    return b"".join(pieces)[:limit]


@contextmanager
def _in_words(host: str) -> Any:
    """What the libraries raise, in a sentence without paths."""
    try:
        yield
    except httpcore.TimeoutException as error:
        doing = "be reached" if isinstance(error, httpcore.ConnectTimeout) else "answer"
        raise OutboundFailed(f"{host} did not {doing} in time.") from None
    except httpcore.ConnectError:
        raise OutboundFailed(f"{host} cannot be reached: nothing listens there, or no way leads there.") from None
    except httpcore.NetworkError:
        raise OutboundFailed(f"{host} broke the connection off.") from None
    except httpcore.LocalProtocolError:
        raise OutboundRefused("The request holds what HTTP cannot carry.") from None
    except (httpcore.RemoteProtocolError, httpcore.UnsupportedProtocol):
        raise OutboundFailed(f"{host} did not answer in HTTP.") from None


@functools.cache
def _tls() -> ssl.SSLContext:
    """The machine's authorities and Mozilla's: a bare container has none of its own."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


@functools.cache
def _allowed(entries: tuple[str, ...]) -> tuple[Allowed, ...]:
    return tuple(read_allowed(entry) for entry in entries)


class _Door(httpcore.NetworkBackend):
    """Resolves a name once, checks every address it has, and connects to one of these: what it resolves to a moment later is no matter."""

    def __init__(self, *, until: float, allowed: Iterable[Allowed]) -> None:
        self._until, self._allowed = until, tuple(allowed)

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, local_address: Any = None, socket_options: Any = None) -> Any:
        addresses = _resolve(host, port, within=min(CONNECT, _left(self._until, httpcore.ConnectTimeout)))
        # All of them: a name with one address outside and one inside is a trick, or a mistake.
        if not all(may_reach(host, address, port, self._allowed) for address in addresses):
            raise OutboundRefused(f"{host} (port {port}) is not an address that Signalbox may reach; OUTBOUND_ALLOW can allow it.")
        for number, address in enumerate(addresses, 1):
            try:
                seconds = min(CONNECT, _left(self._until, httpcore.ConnectTimeout))
                return _Stream(httpcore.SyncBackend().connect_tcp(str(address), port, timeout=seconds, socket_options=[]), self._until)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if number == len(addresses):
                    raise
        raise httpcore.ConnectError

    def connect_unix_socket(self, path: str, timeout: float | None = None, socket_options: Any = None) -> Any:
        raise OutboundRefused("A socket file is not an address that Signalbox may reach.")


class _Stream(httpcore.NetworkStream):
    """A connection that ends with the whole request's time: a server that sends one byte a second does not prolong it."""

    def __init__(self, inner: httpcore.NetworkStream, until: float) -> None:
        self._inner, self._until = inner, until

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, timeout=_left(self._until, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _PIECE):
            self._inner.write(buffer[start : start + _PIECE], timeout=_left(self._until, httpcore.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None) -> "_Stream":
        seconds = _left(self._until, httpcore.ConnectTimeout)
        try:
            return _Stream(self._inner.start_tls(ssl_context, server_hostname, timeout=seconds), self._until)
        except httpcore.ConnectError as error:
            if not isinstance(error.__cause__, ssl.SSLError):
                raise
            # Said here: the pool that it passes on its way takes the cause away.
            raise OutboundFailed(f"{server_hostname} has no certificate for that name that we trust, or speaks no TLS there.") from None

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _left(until: float, too_late: type[httpcore.TimeoutException]) -> float:
    seconds = until - time.monotonic()
    if seconds <= 0:
        raise too_late
    return seconds


def _resolve(host: str, port: int, *, within: float) -> list[Address]:
    """A name's addresses. The system's resolver knows no deadline, so it works in a thread that may be left behind."""
    answers: queue.SimpleQueue[list[Address]] = queue.SimpleQueue()
    threading.Thread(target=lambda: answers.put(_looked_up(host, port)), name="signalbox-resolver", daemon=True).start()
    try:
        found = answers.get(timeout=within)
    except queue.Empty:
        raise OutboundFailed(f"{host} could not be looked up in time.") from None
    if not found:
        raise OutboundFailed(f"There is no host {host}.")
    return found


def _looked_up(host: str, port: int) -> list[Address]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return list(dict.fromkeys(ip_address(address[0]) for *_, address in found))
