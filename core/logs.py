"""How a log line looks, and what never gets into one: query strings and tokens."""

import logging
import re
import time

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
