"""How a log line looks, and what never gets into one: query strings and tokens."""

import logging
import re
import time

from redis.exceptions import RedisError as _RedisError

# Tokens of the API, of share links and of unsubscribe links, and whatever follows a question mark in an address.
_SECRETS = (
    (re.compile(r"sbx_\w+"), "sbx_***"),
    (re.compile(r"/(d|unsubscribe)/[^/\s\"']+"), r"/\1/***"),
    (re.compile(r"(/[^\s?\"']*)\?[^\s\"']+"), r"\1"),
)
_OF_THE_LIBRARIES = {"message", "asctime", "taskName", "request", "status_code", "server_time", "color_message", "data"}
_STANDARD = _OF_THE_LIBRARIES | set(vars(logging.makeLogRecord({})))


def redact(text: str) -> str:
    """The text without query strings and tokens."""
    for secret, instead in _SECRETS:
        text = secret.sub(instead, text)
    return text


class LineFormatter(logging.Formatter):
    """One line per record: time, level, logger, message, then what was given as `extra` as key=value."""

    converter = staticmethod(time.gmtime)

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%SZ")

    def format(self, record: logging.LogRecord) -> str:
        extra = "".join(f" {key}={value!r}" for key, value in vars(record).items() if key not in _STANDARD and not key.startswith("_"))
        line, _, traceback = super().format(record).partition("\n")
        return redact(line + extra + (f"\n{traceback}" if traceback else ""))


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
