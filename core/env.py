"""Typed reading of environment variables; a bad one stops the start with one clear sentence."""

import base64
import os
import re
import secrets
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

from core import redis_addresses
from core.addresses import read_allowed

TRUE, FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off", ""}


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, default).strip()


def flag(name: str, default: bool = False) -> bool:
    """Read a switch. Raises ImproperlyConfigured unless it is one of 1/0, true/false, yes/no, on/off."""
    value = text(name, "1" if default else "0").lower()
    if value in TRUE:
        return True
    if value in FALSE:
        return False
    raise ImproperlyConfigured(f"{name}={value!r} is not a switch: use 1 or 0.")


def number(name: str, default: int, *, least: int = 0, most: int = 2**31) -> int:
    value = text(name, str(default))
    if not value.isascii() or not value.isdigit() or not least <= int(value) <= most:
        raise ImproperlyConfigured(f"{name}={value!r} is not a whole number from {least} to {most}.")
    return int(value)


def words(name: str, default: str = "") -> list[str]:
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def targets(name: str) -> list[str]:
    """Read hosts and networks: `prometheus,10.1.0.0/16,127.0.0.1:9090`. Raises ImproperlyConfigured."""
    entries = words(name)
    for entry in entries:
        try:
            read_allowed(entry)
        except ValueError as error:
            raise ImproperlyConfigured(f"{name}: {error}") from None
    return entries


def choice(name: str, default: str, allowed: tuple[str, ...]) -> str:
    value = text(name, default)
    if value not in allowed:
        raise ImproperlyConfigured(f"{name}={value!r} is unknown: use {' or '.join(allowed)}.")
    return value


def url(name: str, default: str = "", *, schemes: tuple[str, ...]) -> str:
    """Read an address. The sentence that refuses one never repeats it: it may hold a password."""
    value = text(name, default)
    if value:
        _checked(name, value, schemes)
    return value


def urls(name: str, default: str = "", *, schemes: tuple[str, ...]) -> list[str]:
    """Read several addresses, divided by commas."""
    values = words(name, default)
    for value in values:
        _checked(name, value, schemes)
    return values


_HOST = r"(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]+\])"


def site(name: str, default: str) -> str:
    """Read where browsers find us: https://live.example.org, perhaps with a port, and nothing after it. The sentence never repeats it."""
    value = url(name, text(name) or default, schemes=("http", "https")).rstrip("/")
    if not re.fullmatch(rf"https?://{_HOST}(?::\d+)?", value, re.ASCII | re.IGNORECASE):
        raise ImproperlyConfigured(
            f"{name} is malformed: it is scheme, host and perhaps a port, nothing else, as in https://live.example.org."
        )
    return value


def hosts(name: str, default: str) -> list[str]:
    """Read names that requests may carry: live.example.org, .example.org with all below it, 192.0.2.1, [2001:db8::1], or * for any."""
    entries = [word.strip() for word in (text(name) or default).split(",") if word.strip()]
    for entry in entries:
        if not re.fullmatch(rf"\*|\.?{_HOST}", entry, re.ASCII | re.IGNORECASE):
            raise ImproperlyConfigured(f"{name} is malformed: it is names of hosts without scheme, port or path, as in live.example.org.")
    return entries


def host_of(address: str) -> str:
    """The host of an address as a request carries it: an IPv6 address in brackets."""
    host = urlsplit(address).hostname or ""
    return f"[{host}]" if ":" in host else host


def redis(name: str, default: str = "") -> str:
    """Read where a Redis is (core/redis_addresses.py)."""
    value = text(name, default)
    return _checked_redis(name, value) if value else ""


def redises(name: str, default: str = "") -> list[str]:
    """Read where several are, divided by commas."""
    return [_checked_redis(name, value) for value in redis_addresses.divide(text(name, default))]


def broker(name: str, redis_url: str) -> tuple[str, dict[str, Any], str]:
    """Read where jobs go: Celery's address and transport options, and the Redis that this is, if it is one."""
    value = text(name, redis_url)
    others = ("redis+socket", "amqp", "amqps", "memory")
    if not value or value.partition("://")[0] in others:
        return url(name, value, schemes=others), {}, ""
    address = redis_addresses.read(_checked_redis(name, value, *others))
    return address.broker(), address.broker_options(socket_timeout=1, socket_connect_timeout=1), value


def _checked_redis(name: str, value: str, *others: str) -> str:
    try:
        redis_addresses.read(value)
    except ValueError as error:
        also = f", {', '.join(f'{scheme}://' for scheme in others)}" if others and "must start" in str(error) else ""
        raise ImproperlyConfigured(f"{name} is malformed: {error}{also}.") from None
    return value


def origins(name: str) -> list[str]:
    """Read origins, such as https://intranet.example.org: scheme, host and perhaps a port, nothing after it."""
    values = urls(name, schemes=("http", "https"))
    for value in values:
        parts = urlsplit(value)
        if not parts.hostname or parts.username or value != f"{parts.scheme}://{parts.netloc}":
            raise ImproperlyConfigured(f"{name}: {value!r} is not an origin, such as https://intranet.example.org.")
    return values


def _checked(name: str, value: str, schemes: tuple[str, ...]) -> None:
    try:
        scheme, _ = urlsplit(value).scheme, urlsplit(value).port
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} is malformed: it has a bad host or port.") from error
    if scheme not in schemes or "://" not in value:
        raise ImproperlyConfigured(f"{name} is malformed: it must start with {' or '.join(s + '://' for s in schemes)}.")


def database(name: str, *, file: Path) -> dict[str, Any]:
    """Read a database's address as Django's settings for it; without one, SQLite in `file`."""
    value = url(name, schemes=("sqlite", "postgres", "postgresql"))
    if not value:
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(file)}
    try:
        parsed = dict(dj_database_url.parse(value))
    except (ValueError, KeyError) as error:
        raise ImproperlyConfigured(
            f"{name} is malformed: use postgres://user:password@host:5432/name or sqlite:////path/to/file."
        ) from error
    if str(parsed["ENGINE"]).endswith("postgresql") and find_spec("psycopg") is None:
        raise ImproperlyConfigured(f"{name} names a Postgres, which needs psycopg: run `pip install -r requirements-server.txt`.")
    if not parsed.get("NAME"):
        raise ImproperlyConfigured(f"{name} is malformed: it names no database, as in postgres://user:password@host:5432/name.")
    return parsed


def mail(name: str) -> dict[str, Any]:
    """Read a mail server's address as Django's settings: smtp:// (plain), smtp+tls:// (STARTTLS), smtps:// (TLS), console:// (prints).

    `?from=Signalbox <signalbox@example.org>` says who mails come from.
    """
    value = url(name, schemes=("smtp", "smtp+tls", "smtps", "console"))
    parts = urlsplit(value)
    if not value or parts.scheme == "console":
        return {"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"} | _mail_from(name, parts.query)
    if not parts.hostname:
        raise ImproperlyConfigured(f"{name} is malformed: it names no host, as in smtp+tls://user:password@mail.example.org:587.")
    ports = {"smtp": 25, "smtp+tls": 587, "smtps": 465}
    return {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": parts.port or ports[parts.scheme],
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_TLS": parts.scheme == "smtp+tls",
        "EMAIL_USE_SSL": parts.scheme == "smtps",
    } | _mail_from(name, parts.query)


def _mail_from(name: str, query: str) -> dict[str, str]:
    sender = dict(parse_qsl(query)).get("from", "")
    if not sender.isprintable():
        raise ImproperlyConfigured(f"{name} is malformed: its from= holds what a mail's sender cannot.")
    return {"DEFAULT_FROM_EMAIL": sender} if sender else {}


def push_key(name: str, *, file: Path) -> str:
    """Read the key for web push: 32 bytes in base64url, from the environment or from the file that `manage.py vapid` made; or none."""
    value = text(name) or (file.read_text().strip() if file.exists() else "")
    try:
        made = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
    except ValueError:
        made = b"?"
    if value and len(made) != 32:
        raise ImproperlyConfigured(f"{name} is malformed: it is 32 bytes in base64url, as `manage.py vapid` makes them.")
    return value


def contact(name: str, default: str) -> str:
    """Read how push services reach who runs this: mailto:ops@example.org, or https://example.org without a path."""
    value = text(name)
    if value and not re.fullmatch(r"mailto:[^\s@]+@[\w.-]+|https://[\w.-]+", value, re.ASCII):
        raise ImproperlyConfigured(f"{name} is malformed: it is mailto:ops@example.org, or https://example.org without a path.")
    return value or default


def push_hosts(name: str, default: str) -> list[str]:
    """Read push services: host names, `*.` before one for those below it, `http://host:port` for one without TLS."""
    entries = [entry.lower().rstrip("/") for entry in words(name, default)]
    for entry in entries:
        if not urlsplit(entry if "://" in entry else f"https://{entry.removeprefix('*.')}").hostname or entry in {"*", "*."}:
            raise ImproperlyConfigured(f"{name}: {entry!r} is not a host's name.")
    return entries


def folder(name: str, default: str) -> Path:
    """Read a folder that we may write to, and make it. Raises ImproperlyConfigured where that fails."""
    path = Path(text(name, default)).expanduser().resolve()
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ImproperlyConfigured(f"{name}={path} cannot be made: {error.strerror}.") from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise ImproperlyConfigured(f"{name}={path} is not writable by this user.")
    return path


def kept_secret(path: Path) -> str:
    """Read the secret that is kept in this file, and make it first where there is none. Processes that start together get the same one."""
    if not path.exists():
        beside = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(50))
        # A link appears whole or not at all, and never replaces the one of a process that was faster.
        with suppress(FileExistsError):
            os.link(beside, path)
        beside.unlink()
    return path.read_text()
