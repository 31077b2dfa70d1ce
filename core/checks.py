"""Settings that are each fine and together are not: numbered, said by `manage.py check` and at the start of `serve`."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.http.request import validate_host

TAG = "signalbox"
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@register(TAG)
def check_addresses(**kwargs: Any) -> list[CheckMessage]:
    host = urlsplit(settings.BASE_URL).hostname or ""
    found: list[CheckMessage] = []
    # Django's own rule for a new project: with DEBUG and no hosts named, this machine's.
    allowed = settings.ALLOWED_HOSTS or ([".localhost", "127.0.0.1", "[::1]"] if settings.DEBUG else [])
    if not validate_host(f"[{host}]" if ":" in host else host, allowed):
        found.append(Error(f"ALLOWED_HOSTS lacks {host}, the host of BASE_URL: every page would be refused.", id="signalbox.E001"))
    if settings.BASE_URL.startswith("http:") and host not in LOOPBACK:
        text = f"BASE_URL=http://{host}: passwords and sessions travel in the clear. Put TLS in front and say https."
        found.append(Warning(text, id="signalbox.W004"))
    if settings.DEBUG and settings.HOST not in LOOPBACK:
        found.append(Warning(f"DEBUG=1 on HOST={settings.HOST}: strangers would read tracebacks and settings.", id="signalbox.W002"))
    return found


@register(TAG)
def check_processes(**kwargs: Any) -> list[CheckMessage]:
    if settings.WEB_PROCESSES > 1 and not settings.CHANNEL_REDIS_URLS:
        text = f"WEB_PROCESSES={settings.WEB_PROCESSES} without REDIS_URL: events reach the other processes by the database, within 2.5 s."
        return [Warning(text, id="signalbox.W003")]
    return []


@register(TAG, deploy=True)
def check_deployment(**kwargs: Any) -> list[CheckMessage]:
    """What is fine on a laptop and not where strangers come: `manage.py check --deploy`, and doctor behind https."""
    found: list[CheckMessage] = []
    if "*" in settings.ALLOWED_HOSTS:
        found.append(
            Error("ALLOWED_HOSTS=*: whoever sends a Host header decides what links in mails say. Name the hosts.", id="signalbox.E002")
        )
    https = settings.BASE_URL.startswith("https:")
    if not https:
        text = "BASE_URL is http: passwords travel in the clear, and web push does not work. Put TLS in front and say https."
        found.append(Warning(text, id="signalbox.W005"))
    elif not settings.TRUSTED_PROXY_HOPS:
        text = "TRUSTED_PROXY_HOPS=0, yet something in front ends TLS: everybody would have its address. Say how many proxies there are."
        found.append(Warning(text, id="signalbox.W006"))
    return found + _missing_servers()


def _missing_servers() -> list[CheckMessage]:
    lacks = {
        "W007": (settings.DATABASES["default"]["ENGINE"] == "core.sqlite3", "DATABASE_URL is not set: SQLite serves one machine only."),
        "W008": (not settings.CELERY_BROKER_URL, "Neither REDIS_URL nor CELERY_BROKER_URL is set: jobs run inside the web process."),
        "W009": (not settings.EMAIL_URL, "EMAIL_URL is not set: nobody is sent mail."),
        "W010": (not settings.VAPID_PRIVATE_KEY, "There is no VAPID_PRIVATE_KEY: nobody is pushed anything. `manage.py vapid` makes one."),
    }
    return [Warning(text, id=f"signalbox.{number}") for number, (lacking, text) in lacks.items() if lacking]
