"""`configure(globals())`, the last line of your settings.py: adds what Signalbox needs, and changes nothing that you set yourself."""

import os
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.conf import global_settings
from django.core.exceptions import ImproperlyConfigured

# daphne comes first: it makes `runserver` serve ASGI.
APPS = (
    "daphne",
    "channels",
    "django_htmx",
    "django_celery_beat",
    "ninja",
    "core",
    "notifications",
    "notifications.rooms",
    "dashboard",
    "workers",
)
NEEDED = ("admin", "auth", "contenttypes", "sessions", "messages", "staticfiles")
FIRST = ("core.middleware.security_headers", "core.errors.problem_answers", "core.middleware.watchers", "core.clean.only_text_cookies")
LAST = (
    "core.clean.only_text",
    "django_htmx.middleware.HtmxMiddleware",
    "core.signins.in_use",
    "core.middleware.live_positions",
    "core.unavailable.answers",
)
STATIC = "core.static_files.StaticFiles"
FINDERS = ("django.contrib.staticfiles.finders.FileSystemFinder", "django.contrib.staticfiles.finders.AppDirectoriesFinder")
SQLITE = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 10,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;",
}
Settings = MutableMapping[str, Any]


def configure(settings: Settings) -> None:
    """Complete a project's settings. Raises ImproperlyConfigured with one sentence where the project lacks what we stand on."""
    import_module("signalbox.checks")
    _look(settings)
    settings.setdefault("OWN_PAGES_ONLY", True)
    for name, value in _defaults(settings).items():
        settings.setdefault(name, value)
        settings.setdefault("ASGI_APPLICATION", f"{_package(settings)}.asgi.application")
    settings["MIDDLEWARE"] = _middleware(list(settings["MIDDLEWARE"]))
    settings["TEMPLATES"] = [_engine(), *settings["TEMPLATES"]]
    settings["STATICFILES_FINDERS"] = _with(settings.get("STATICFILES_FINDERS", FINDERS), "core.finders.NpmFinder")
    settings["DATABASES"] = {alias: _database(given) for alias, given in settings["DATABASES"].items()}


def _look(settings: Settings) -> None:
    missing = [*(f"django.contrib.{name}" for name in NEEDED), *APPS]
    missing = [name for name in missing if not any(_is(str(app), name) for app in settings["INSTALLED_APPS"])]
    if missing:
        raise ImproperlyConfigured(f"Signalbox: INSTALLED_APPS lacks {', '.join(missing)}. Begin it with *signalbox.APPS.")
    if not settings.get("USE_TZ", True):
        raise ImproperlyConfigured("Signalbox: USE_TZ must be on; every time is kept with its offset.")
    ours = Path(__file__).resolve().parent.parent
    for name in ("core", "notifications", "dashboard", "workers"):
        found = find_spec(name)
        if found is None or not found.origin or Path(found.origin).resolve().parent.parent != ours:
            place = found.origin if found else "nowhere"
            raise ImproperlyConfigured(f"Signalbox: the package {name!r} is another one here ({place}); the two cannot share a project.")


def _is(app: str, name: str) -> bool:
    """Whether an entry of INSTALLED_APPS is this app, by its name or by its AppConfig."""
    return app == name or app.startswith(f"{name}.apps.")


def _defaults(settings: Settings) -> dict[str, Any]:
    """Our own settings, and those of Channels, Celery and Whitenoise, from the environment (docs/settings.md): all of
    core/settings.py that Django itself has no name for. With EMAIL_URL, mail too."""
    folder = settings.get("DATA_DIR") or Path(settings.get("BASE_DIR", Path.cwd())) / "data"
    with _environment(DATA_DIR=str(folder), SECRET_KEY=str(settings["SECRET_KEY"]), DEBUG="", DATABASE_URL="", ALLOWED_HOSTS=""):
        module = vars(import_module("core.settings"))
    found = {name: value for name, value in module.items() if name.isupper() and not hasattr(global_settings, name)}
    if found["EMAIL_URL"]:
        found |= {name: module[name] for name in module if name.startswith("EMAIL_") or name == "DEFAULT_FROM_EMAIL"}
    for own in ("BASE_DIR", "ASGI_APPLICATION"):
        found.pop(own, None)
    return found


@contextmanager
def _environment(*, DATA_DIR: str, **instead: str) -> Iterator[None]:
    """Let core/settings.py read its own variables and none that is this project's business. DATA_DIR stays, for child processes."""
    os.environ.setdefault("DATA_DIR", DATA_DIR)
    before = {name: os.environ.get(name) for name in instead}
    for name, value in instead.items():
        os.environ.pop(name, None) if not value else os.environ.__setitem__(name, value)
    try:
        yield
    finally:
        for name, old in before.items():
            os.environ.pop(name, None) if old is None else os.environ.__setitem__(name, old)


def _package(settings: Settings) -> str:
    return str(settings["ROOT_URLCONF"]).rpartition(".")[0]


def _middleware(given: list[str]) -> list[str]:
    """Ours around yours. Files are served by the process itself unless Whitenoise does so already."""
    serves = any("whitenoise" in one.lower() for one in given)
    first = [one for one in (*FIRST, *(() if serves else (STATIC,))) if one not in given]
    return [*first, *given, *(one for one in LAST if one not in given)]


def _engine() -> dict[str, Any]:
    from core.places import templates_folder

    processors = (
        "template.context_processors.request",
        "contrib.auth.context_processors.auth",
        "contrib.messages.context_processors.messages",
    )
    return {
        "BACKEND": "signalbox.templates.SignalboxTemplates",
        "NAME": "signalbox",
        "DIRS": [templates_folder()],
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": [f"django.{name}" for name in processors]},
    }


def _with(given: Any, one: str) -> list[str]:
    return [*given, *([] if one in given else [one])]


def _database(given: dict[str, Any]) -> dict[str, Any]:
    """SQLite with a write-ahead log and writers that queue: Django's own settings have the second of two writers fail at once."""
    if given.get("ENGINE") != "django.db.backends.sqlite3":
        return given
    return given | {"ENGINE": "core.sqlite3", "OPTIONS": SQLITE | given.get("OPTIONS", {})}
