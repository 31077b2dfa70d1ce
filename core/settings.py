"""Django settings. Everything that differs between machines is read from the environment through core.env."""

import hashlib
from pathlib import Path
from urllib.parse import urlsplit

from core import env, places, redis_addresses

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = env.folder("DATA_DIR", str(BASE_DIR / "data"))

HOST = env.text("HOST", "127.0.0.1")
PORT = env.number("PORT", 8000, least=0, most=65535)
_any_address = {"0.0.0.0": "localhost", "::": "localhost", "::1": "[::1]"}
BASE_URL = env.site("BASE_URL", f"http://{_any_address.get(HOST, HOST)}:{PORT}")
DEBUG = env.flag("DEBUG")
SERVER = env.choice("SERVER", "daphne", ("daphne", "uvicorn"))
WEB_PROCESSES = env.number("WEB_PROCESSES", 1, least=1, most=64)


def _secret_key() -> str:
    """SECRET_KEY, else one made once and kept in DATA_DIR (readable by its owner only)."""
    given = env.text("SECRET_KEY")
    return given or env.kept_secret(DATA_DIR / "secret_key")


SECRET_KEY = _secret_key()
ALLOWED_HOSTS = env.hosts("ALLOWED_HOSTS", f"localhost,127.0.0.1,[::1],{env.host_of(BASE_URL)}")
ALLOWED_ORIGINS = CSRF_TRUSTED_ORIGINS = env.origins("ALLOWED_ORIGINS")
TRUSTED_PROXY_HOPS = env.number("TRUSTED_PROXY_HOPS", 0, most=10)

INSTALLED_APPS = [
    "daphne",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "django_htmx",
    "django_celery_beat",
    "ninja",
    "core",
    "notifications",
    "notifications.rooms",
    "dashboard",
    "workers",
]

MIDDLEWARE = [
    "core.middleware.security_headers",
    "core.errors.problem_answers",
    "core.middleware.watchers",
    "core.clean.only_text_cookies",
    "django.middleware.security.SecurityMiddleware",
    "core.static_files.StaticFiles",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "core.clean.only_text",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "core.signins.in_use",
    "core.middleware.live_positions",
    "core.unavailable.answers",
]

ROOT_URLCONF = "core.urls"
ASGI_APPLICATION = "core.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [places.templates_folder()],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

# Databases. SQLite: WAL, and every transaction takes the write lock at its start, so that two writers queue instead of failing.
DATABASES = {"default": env.database("DATABASE_URL", file=DATA_DIR / "signalbox.sqlite3")}
DATABASE_POOL = env.number("DATABASE_POOL", 16, least=1, most=1000)
DATABASE_PATIENCE = env.number("DATABASE_PATIENCE", 10, least=1, most=3600)
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"] |= {
        "ENGINE": "core.sqlite3",
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "timeout": DATABASE_PATIENCE,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;",
        },
        # Tests run on a file too: in memory, the threads and processes of a test would each see a database of their own.
        "TEST": {"NAME": str(DATA_DIR / "test.sqlite3")},
    }
else:
    # A pooler between us and Postgres gives each transaction another session: nothing may outlive one, as a cursor on the server would.
    DATABASES["default"] |= {"DISABLE_SERVER_SIDE_CURSORS": True}
    # A server that vanished without a word (a failover, a cut line) is given up after 20 s; by default that takes a quarter of an hour.
    _patience = {"connect_timeout": 5, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 2, "tcp_user_timeout": 20_000}
    _pool = {"min_size": 1, "max_size": DATABASE_POOL, "timeout": DATABASE_PATIENCE}
    DATABASES["default"] |= {"CONN_MAX_AGE": 0, "OPTIONS": {**_patience, **DATABASES["default"].get("OPTIONS", {}), "pool": _pool}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# The channel layer: Redis or Valkey by pub/sub where there is one, else this process's memory.
REDIS_URL = env.redis("REDIS_URL")
CHANNEL_REDIS_URLS = env.redises("CHANNEL_REDIS_URLS", REDIS_URL)
if CHANNEL_REDIS_URLS:
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {
                "hosts": [redis_addresses.read(url).layer_host(socket_timeout=5, socket_connect_timeout=1) for url in CHANNEL_REDIS_URLS],
                # Its own for each installation: Redis passes messages on to whoever listens, in whichever of its numbered databases.
                "prefix": f"signalbox.{hashlib.sha256(SECRET_KEY.encode()).hexdigest()[:12]}",
            },
        }
    }
else:
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer", "CONFIG": {"capacity": 10_000}}}

# Celery. A task may run twice and must not mind: it is acknowledged when done, and what it works on is a due row.
CELERY_BROKER_URL, CELERY_BROKER_TRANSPORT_OPTIONS, BROKER_REDIS_URL = env.broker("CELERY_BROKER_URL", REDIS_URL)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_SERIALIZER = "json"
CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_RESULT_BACKEND = None
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_MAX_LOOP_INTERVAL = 5
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_REDIRECT_STDOUTS = False

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.AppDirectoriesFinder", "core.finders.NpmFinder"]
# Files are looked up when they are asked for: nothing to scan at start, and an update shows without a restart.
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = True
WHITENOISE_ALLOW_ALL_ORIGINS = False
LOGIN_URL = "/accounts/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/accounts/login/"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BASE_URL.startswith("https://")
# A year, once it is https at all. Names below this host are not ours to speak for; http is turned into https by the proxy in front.
SECURE_HSTS_SECONDS = 31_536_000 if BASE_URL.startswith("https://") else 0
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W008", "security.W021"]
# Two copies on one host (other ports) share cookies by host name: the port in the name keeps their sessions apart. It is
# the port of BASE_URL, on which several web processes behind one proxy agree.
_port = urlsplit(BASE_URL).port
_own = f"_{_port}" if _port and urlsplit(BASE_URL).hostname in {"127.0.0.1", "localhost", "::1"} else ""
SESSION_COOKIE_NAME = f"sessionid{_own}"
CSRF_COOKIE_NAME = f"csrftoken{_own}"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

# Limits (interface: Environment). 0 switches one off.
MAX_CONNECTIONS_PER_USER = env.number("MAX_CONNECTIONS_PER_USER", 20)
MAX_CONNECTIONS_PER_ADDRESS = env.number("MAX_CONNECTIONS_PER_ADDRESS", 200)
MAX_CHANNELS_PER_CONNECTION = env.number("MAX_CHANNELS_PER_CONNECTION", 128)
MAX_FRAME_IN = env.number("MAX_FRAME_IN", 65536)
MAX_FRAGMENT = env.number("MAX_FRAGMENT", 65536)
MAX_PAYLOAD = env.number("MAX_PAYLOAD", 16384)
COMMANDS_PER_SECOND = env.number("COMMANDS_PER_SECOND", 20)
CATCH_UP = env.number("CATCH_UP", 300)
CHAT_LENGTH = env.number("CHAT_LENGTH", 4000)
CREDIT = env.number("CREDIT", 262144)
KEEP_DAYS = env.number("KEEP_DAYS", 365, most=36_500)
ROOMS_OPEN = env.flag("ROOMS_OPEN")
TELL_STAFF_OF_NEW_USERS = env.flag("TELL_STAFF_OF_NEW_USERS")
BROADCAST_CHUNK = env.number("BROADCAST_CHUNK", 50_000, least=1, most=100_000)
BROADCAST_USER_FIELDS = env.words("BROADCAST_USER_FIELDS", "is_staff,date_joined,last_login")
# Hosts and networks inside that sources, webhooks and push may reach besides the public internet: docs/outbound.md.
OUTBOUND_ALLOW = env.targets("OUTBOUND_ALLOW")

# Mail. Without EMAIL_URL nobody is sent any.
EMAIL_URL = env.text("EMAIL_URL")
DEFAULT_FROM_EMAIL = f"Signalbox <signalbox@{urlsplit(BASE_URL).hostname}>"
EMAIL_TIMEOUT = 10
globals().update(env.mail("EMAIL_URL"))

# Web push. Without a key (`manage.py vapid` makes one) nobody is pushed anything. The services: Chrome, Firefox, Safari, Edge.
VAPID_FILE = "vapid_private_key"
VAPID_PRIVATE_KEY = env.push_key("VAPID_PRIVATE_KEY", file=DATA_DIR / VAPID_FILE)
VAPID_SUBJECT = env.contact("VAPID_SUBJECT", f"mailto:signalbox@{urlsplit(BASE_URL).hostname}")
PUSH_HOSTS = env.push_hosts(
    "PUSH_HOSTS", "fcm.googleapis.com,updates.push.services.mozilla.com,*.push.services.mozilla.com,*.push.apple.com,*.notify.windows.com"
)

# True in another Django project (signalbox.configure): our headers and API errors are for our own pages, and none of its own.
OWN_PAGES_ONLY = False

# What boards may show of this application's rows: fields by model. Names like passwords, sessions, tokens and keys are refused even here.
DASHBOARD_MODELS: dict[str, list[str]] = {
    "auth.User": ["username", "is_active", "is_staff", "date_joined", "last_login"],
    "signalbox_notifications.Notification": ["category", "priority", "created_at"],
    "signalbox_notifications.Delivery": ["transport", "state", "attempts", "due_at"],
    "signalbox_rooms.Message": ["room", "name"],
}
# Headers that sources send to an address and nowhere else: {"https://prometheus.example.org": {"Authorization": "Bearer ..."}}.
DASHBOARD_HEADERS: dict[str, dict[str, str]] = {}

# Logging: states, not traffic. What may stand in a line is decided in core.logs.
LOG_FORMAT = env.choice("LOG_FORMAT", "line", ("line", "json"))
LOG_LEVEL = env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR"))
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "core.logs.LineFormatter"}, "json": {"()": "core.logs.JsonFormatter"}},
    "filters": {
        "once_per_outage": {"()": "core.logs.OncePerOutage"},
        "refusals": {"()": "core.logs.Refusals"},
        "said_already": {"()": "core.unavailable.SaidAlready"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT, "filters": ["refusals"]}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        "django.request": {"level": "ERROR", "filters": ["said_already"]},
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        "django.server": {"handlers": [], "level": "INFO", "propagate": True},
        "daphne": {"level": "WARNING"},
        # uvicorn writes a socket's whole query string at INFO.
        "uvicorn": {"level": "WARNING"},
        "uvicorn.error": {"level": "WARNING"},
        "celery": {"level": "WARNING"},
        "kombu": {"level": "WARNING"},
        "django_celery_beat": {"level": "WARNING"},
        "django_celery_beat.schedulers": {"filters": ["said_already"]},
        "asyncio": {"level": "WARNING"},
        "psycopg.pool": {"level": "ERROR"},
        "channels_redis.pubsub": {"filters": ["once_per_outage"]},
        "httpx": {"level": "WARNING"},
        **{ours: {"level": LOG_LEVEL} for ours in ("core", "notifications", "dashboard", "workers")},
    },
}
