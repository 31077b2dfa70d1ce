"""How a log line looks (LOG_FORMAT: a line for people, or JSON), and what never gets into one: query strings and secrets.

Which connection, request and job a line belongs to comes from core.tracing.
"""

import functools
import json
import logging
import re
import time
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from redis.exceptions import RedisError as _RedisError

from core import tracing

LEAST = 8  # characters of a secret that is looked for in every line
# Tokens of the API, of share links and of unsubscribe links, and whatever follows a question mark in an address.
_SECRETS = (
    (re.compile(r"sbx_\w+"), "sbx_***"),
    (re.compile(r"/(d|unsubscribe)/[^/\s\"']+"), r"/\1/***"),
    (re.compile(r"(/[^\s?\"']*)\?[^\s\"']+"), r"\1"),
    (re.compile(r"://[^/\s@\"']+@"), "://***@"),
    (
        re.compile(
            r"(?i)\b(authorization|cookie|password|passwd|secret|sessionid\w*|csrftoken\w*)(['\"]?\s*[=:]\s*['\"]?)(?:Bearer\s+)?[^\s'\",;]+"
        ),
        r"\1\2***",
    ),
)
_OF_THE_LIBRARIES = {"message", "asctime", "taskName", "request", "status_code", "server_time", "color_message", "data"}
_STANDARD = _OF_THE_LIBRARIES | set(vars(logging.makeLogRecord({})))


def redact(text: str) -> str:
    """The text without query strings, tokens, passwords, and the secrets of this installation."""
    for secret, instead in _SECRETS:
        text = secret.sub(instead, text)
    for known in _known_secrets():
        text = text.replace(known, "***")
    return text


@functools.cache
def _known_secrets() -> tuple[str, ...]:
    """The secrets among the settings. A short one is not looked for: it would be found in the middle of words."""
    database = settings.DATABASES["default"].get("PASSWORD", "")
    named = (settings.SECRET_KEY, settings.VAPID_PRIVATE_KEY, getattr(settings, "EMAIL_HOST_PASSWORD", ""), database)
    return tuple(value for value in named if value and len(value) >= LEAST)


def _extras(record: logging.LogRecord) -> dict[str, Any]:
    """What was given as `extra`, and which connection, request and job this is about."""
    given = {key: value for key, value in vars(record).items() if key not in _STANDARD and not key.startswith("_")}
    return {**tracing.ids(), **given}


class LineFormatter(logging.Formatter):
    """One line per record: time, level, logger, message, then what was given as `extra` as key=value."""

    converter = staticmethod(time.gmtime)

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%SZ")

    def format(self, record: logging.LogRecord) -> str:
        extra = "".join(f" {key}={value!r}" for key, value in _extras(record).items())
        line, _, traceback = super().format(record).partition("\n")
        return redact(line + extra + (f"\n{traceback}" if traceback else ""))


class JsonFormatter(logging.Formatter):
    """One JSON object per record, on one line: time, level, logger, message, ids and extras by their names, `error` with the traceback."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_extras(record),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(_redacted(line), ensure_ascii=False, default=lambda value: redact(repr(value)))


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: _redacted(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted(one) for one in value]
    return value


class OncePerOutage(logging.Filter):
    """A library that logs a traceback at every attempt while a server is away says it in one line, once per outage."""

    QUIET = 60.0  # seconds without a failure after which the next one is news

    def __init__(self) -> None:
        super().__init__()
        self._last = -self.QUIET

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info is None or not isinstance(record.exc_info[1], OSError | _RedisError):
            return True
        now, before, self._last = time.monotonic(), self._last, time.monotonic()
        record.msg, record.args = "The channel layer's server is unreachable, trying on: %s", (record.exc_info[1],)
        record.levelno, record.levelname, record.exc_info, record.exc_text = logging.WARNING, "WARNING", None, None
        return now - before >= self.QUIET


class Refusals(logging.Filter):
    """What Django refused as suspicious (400) is a warning without a traceback: anybody may send such, and nothing of ours broke."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith("django.security.") and record.levelno >= logging.ERROR:
            record.levelno, record.levelname, record.exc_info, record.exc_text = logging.WARNING, "WARNING", None, None
        return True
