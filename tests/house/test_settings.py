"""A bad setting stops the start with one sentence; secrets stay out of sentences and logs."""

import logging
import re
import runpy
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http.request import validate_host

from core import env
from core.logs import LineFormatter, redact
from tests.support.servers import ROOT, Postgres, Site


def below_a_file(folder: Path) -> str:
    """A folder that nobody can make, root neither."""
    (folder / "file").write_text("")
    return str(folder / "file" / "data")


BAD = [
    ({"DATABASE_URL": "nonsense"}, "DATABASE_URL is malformed"),
    ({"DATABASE_URL": "postgres://u:hunter2@host:port/name"}, "DATABASE_URL is malformed"),
    ({"DATABASE_URL": "postgres://u:hunter2@host:5432"}, "DATABASE_URL is malformed"),
    ({"REDIS_URL": "http://:hunter2@host"}, "REDIS_URL is malformed"),
    ({"CHANNEL_REDIS_URLS": "redis://a,:hunter2@b"}, "CHANNEL_REDIS_URLS is malformed"),
    ({"REDIS_URL": "redis+sentinel://:hunter2@a:26379,b:26379"}, "REDIS_URL is malformed: it names no master, as in redis+sentinel://"),
    ({"REDIS_URL": "redis+sentinel://:hunter2@a:port/mymaster"}, "REDIS_URL is malformed: it has a bad host or port."),
    ({"CELERY_BROKER_URL": "kafka://:hunter2@a"}, "CELERY_BROKER_URL is malformed: it must start with redis:// or rediss:// or"),
    ({"ALLOWED_ORIGINS": "intranet.example.org"}, "ALLOWED_ORIGINS is malformed: it must start with http:// or https://."),
    ({"ALLOWED_ORIGINS": "https://a.example/path"}, "ALLOWED_ORIGINS: 'https://a.example/path' is not an origin"),
    (
        {"EMAIL_URL": "smtp://u:hunter2@mail?from=A%0ABcc: b@c.example"},
        "EMAIL_URL is malformed: its from= holds what a mail's sender cannot.",
    ),
    *(
        ({"BASE_URL": bad}, "BASE_URL is malformed: it is scheme, host and perhaps a port, nothing else")
        for bad in (
            "https://x/path",
            "https://u:hunter2@x",
            "https://x?q",
            "https://x#f",
            "https://",
            "https://a b",
            "https://x:",
            "https://x\n.y",
        )
    ),
    ({"BASE_URL": "https://x:port"}, "BASE_URL is malformed: it has a bad host or port."),
    ({"BASE_URL": "live.example.org"}, "BASE_URL is malformed: it must start with http:// or https://."),
    *(
        ({"ALLOWED_HOSTS": bad}, "ALLOWED_HOSTS is malformed: it is names of hosts without scheme, port or path")
        for bad in ("https://x", "localhost,x:8000", "x/path", "*.example.org", "::1", "u:hunter2@x", "a b")
    ),
    ({"PORT": "80x"}, "PORT='80x' is not a whole number from 0 to 65535."),
    ({"PORT": "70000"}, "PORT='70000' is not a whole number from 0 to 65535."),
    ({"SERVER": "gunicorn"}, "SERVER='gunicorn' is unknown: use daphne or uvicorn."),
    ({"DEBUG": "perhaps"}, "DEBUG='perhaps' is not a switch: use 1 or 0."),
    ({"LOG_FORMAT": "xml"}, "LOG_FORMAT='xml' is unknown: use line or json."),
    ({"LOG_LEVEL": "LOUD"}, "LOG_LEVEL='LOUD' is unknown"),
    ({"KEEP_DAYS": "-1"}, "KEEP_DAYS='-1' is not a whole number from 0 to 36500."),
]


@pytest.mark.parametrize(("settings", "sentence"), BAD, ids=lambda value: next(iter(value.values())) if isinstance(value, dict) else "")
def test_a_bad_setting_is_named_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], sentence: str):
    for name, value in {"DATA_DIR": str(tmp_path), **settings}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ImproperlyConfigured) as refusal:
        runpy.run_path(str(ROOT / "core/settings.py"))
    assert str(refusal.value).startswith(sentence)
    assert len(str(refusal.value).splitlines()) == 1
    assert "hunter2" not in str(refusal.value)


def test_that_sentence_is_all_that_a_command_says(tmp_path: Path):
    settings, sentence = BAD[1]
    done = Site(tmp_path, settings).manage("check", check=False)
    assert done.returncode != 0
    assert done.stderr.startswith(f"signalbox: {sentence}")
    assert len(done.stderr.splitlines()) == 1
    assert "hunter2" not in done.stderr


def test_a_data_folder_that_cannot_be_made_is_named_in_one_sentence(tmp_path: Path):
    folder = below_a_file(tmp_path)
    done = Site(Path(folder)).manage("check", check=False)
    assert done.returncode != 0
    assert done.stderr == f"signalbox: DATA_DIR={folder} cannot be made: Not a directory.\n"


def test_the_data_folder_belongs_to_its_owner_only(tmp_path: Path):
    Site(tmp_path / "new").manage("check")
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_a_missing_package_is_named_in_one_sentence():
    done = subprocess.run([sys.executable, "-S", "manage.py", "check"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode != 0
    assert done.stderr.startswith("django is not installed: run `pip install -r requirements.txt`")


@pytest.mark.parametrize("value", ["-1", "1.5", "٣", "", "1e3", "99999999999"])
def test_a_number_is_whole_and_in_range(monkeypatch: pytest.MonkeyPatch, value: str):
    monkeypatch.setenv("CREDIT", value)
    with pytest.raises(ImproperlyConfigured, match="is not a whole number"):
        env.number("CREDIT", 1)


def test_a_database_without_address_is_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    odd = tmp_path / "a folder #1 %20?" / "x.sqlite3"
    assert env.database("DATABASE_URL", file=odd)["NAME"] == str(odd)


SECRETS = [
    ("GET /live/sse?last_event_id=user:7=e3f1:12 closed", "GET /live/sse closed"),
    ("token sbx_abcDEF123456 was used", "token sbx_*** was used"),
    ("opened /d/Zm9vYmFy/ twice", "opened /d/***/ twice"),
    ("POST /unsubscribe/abc:def/ 200", "POST /unsubscribe/***/ 200"),
    ("Is it there? Yes.", "Is it there? Yes."),
]


@pytest.mark.parametrize(("text", "expected"), SECRETS)
def test_query_strings_and_tokens_are_in_no_log_line(text: str, expected: str):
    assert redact(text) == expected


def test_a_log_line_carries_its_extras_and_its_traceback():
    try:
        raise RuntimeError("while using sbx_abcdef")
    except RuntimeError:
        record = logging.LogRecord("core.x", logging.ERROR, "x.py", 1, "went %s", ("wrong",), sys.exc_info())
    record.channel = "user:7"
    first, *rest = LineFormatter().format(record).splitlines()
    assert first.endswith("ERROR core.x: went wrong channel='user:7'")
    assert rest[-1] == "RuntimeError: while using sbx_***"


def test_processes_that_start_together_get_one_secret(tmp_path: Path):
    with ThreadPoolExecutor(8) as threads:
        secrets = set(threads.map(lambda _: env.kept_secret(tmp_path / "secret"), range(8)))
    assert len(secrets) == 1 and len(secrets.pop()) > 60
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


def test_settings_that_do_not_go_together_stop_manage_py_check(tmp_path: Path):
    """The others: tests/core/test_checks.py."""
    done = Site(tmp_path, {"BASE_URL": "https://live.example.org", "ALLOWED_HOSTS": "localhost"}).manage("check", check=False)
    assert "signalbox.E001" in done.stderr
    assert done.returncode == 1


def test_the_host_of_the_base_url_is_allowed(tmp_path: Path):
    Site(tmp_path, {"BASE_URL": "https://live.example.org", "HOST": "0.0.0.0"}).manage("check", "--fail-level", "WARNING")


@pytest.mark.parametrize("base", ["https://Live.example.org/", "http://127.0.0.1:8000", "https://[2001:db8::1]:8443"])
@pytest.mark.parametrize("empty", [{}, {"ALLOWED_HOSTS": ""}])
def test_the_address_of_the_site_is_enough_to_be_let_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, base: str, empty: dict[str, str]):
    """Also where compose hands on an ALLOWED_HOSTS that nobody filled in."""
    monkeypatch.delenv("ALLOWED_HOSTS", raising=False)
    for name, value in {"DATA_DIR": str(tmp_path), "BASE_URL": base, **empty}.items():
        monkeypatch.setenv(name, value)
    read = runpy.run_path(str(ROOT / "core/settings.py"))
    assert read["BASE_URL"] == base.rstrip("/")
    host = env.host_of(base)
    assert host in read["ALLOWED_HOSTS"] and "localhost" in read["ALLOWED_HOSTS"]
    assert validate_host(host, read["ALLOWED_HOSTS"])


def test_what_follows_the_address_of_a_database_reaches_it_beside_our_pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    given = {
        "DATABASE_URL": "postgres://u@db/n?sslmode=require&application_name=sb&connect_timeout=7",
        "DATABASE_POOL": "3",
        "DATABASE_PATIENCE": "2",
    }
    for name, value in {"DATA_DIR": str(tmp_path), **given}.items():
        monkeypatch.setenv(name, value)
    options = runpy.run_path(str(ROOT / "core/settings.py"))["DATABASES"]["default"]["OPTIONS"]
    assert (options["sslmode"], options["application_name"]) == ("require", "sb")
    assert options["pool"] == {"min_size": 1, "max_size": 3, "timeout": 2}
    assert (options["connect_timeout"], options["tcp_user_timeout"]) == (7, 20_000), "what the address says wins"


@pytest.mark.postgres
def test_postgres_takes_what_we_tell_its_client(tmp_path: Path, postgres: Postgres):
    site = Site(tmp_path, {"DATABASE_URL": f"{postgres.new_database()}?application_name=our-name"})
    ask = "from django.db import connection as c; k = c.cursor(); k.execute('SHOW application_name'); print(k.fetchone()[0])"
    asked = f"{ask}; c.ensure_connection(); print(c.connection.info.get_parameters()['tcp_user_timeout'])"
    assert site.manage("shell", "-v0", "-c", asked).stdout.split() == ["our-name", "20000"]


def test_every_variable_is_documented_and_every_documented_one_is_read():
    read = set(re.findall(r"env\.\w+\(\s*\"([A-Z_]+)\"", (ROOT / "core/settings.py").read_text()))
    rows = [line.split("|")[1] for line in (ROOT / "docs/settings.md").read_text().splitlines() if line.startswith("| `")]
    assert sorted(re.findall(r"[A-Z_]{4,}", " ".join(rows))) == sorted(read), "each once"
