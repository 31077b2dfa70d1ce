"""`manage.py doctor` finds what is wrong with a real installation, and says how to mend it."""

import json
import re
import ssl
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.test import override_settings
from django.utils import timezone

from core import doctor, frontend, health
from core.models import Event, Process
from tests.support.certificates import certify
from tests.support.mailserver import mail_server
from tests.support.receiver import Answer, receiver
from tests.support.servers import Postgres, Site, Valkey, start_valkey

NewSite = Callable[..., Site]


def findings(site: Site, *probes: str, **environment: str) -> dict[str, dict[str, Any]]:
    """What doctor said of each thing."""
    said = site.manage("doctor", "--json", *probes, check=False, **environment).stdout
    return {finding["probe"]: finding for finding in map(json.loads, said.splitlines())}


@pytest.mark.valkey
def test_of_a_running_site_everything_is_fine_but_what_does_not_run(new_site: NewSite):
    site = new_site(redis=True, SECRET_KEY="k" * 50)
    with site.web() as web:
        found = findings(site, BASE_URL=web.url)
        assert found["layer"]["text"].endswith("; 1 web process answered.")
        with start_valkey() as other:
            deaf = findings(site, "redis", "layer", REDIS_URL=other.url)
        assert (deaf["redis"]["fine"], deaf["layer"]["fine"]) == (True, False)
        assert "1 of 1 web processes do not answer" in deaf["layer"]["text"]
        assert "same REDIS_URL" in deaf["layer"]["mend"]
        # What this web process then has to complain of about a proxy.
        assert httpx.get(web.url + "/healthz", headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 200
        done = site.manage("doctor", "web", check=False, BASE_URL=web.url)
    assert done.returncode == 1
    assert "ILL   web" in done.stdout and "TRUSTED_PROXY_HOPS is 0" in done.stdout
    assert "Mend: Set TRUSTED_PROXY_HOPS to the number of proxies" in done.stdout
    assert {name for name, one in found.items() if not one["fine"]} == {"beat", "worker"}
    assert set(found) == set(doctor.names())
    assert "celery -A workers.celery beat" in found["beat"]["mend"]
    assert "misses: beat, worker" in found["web"]["text"]


def test_what_does_not_answer_is_named_with_its_remedy(new_site: NewSite):
    dead = {"REDIS_URL": "redis://127.0.0.1:9/0", "BASE_URL": "http://127.0.0.1:9", "EMAIL_URL": "smtp://127.0.0.1:9"}
    found = findings(new_site(), "redis", "layer", "broker_of_jobs", "web", "sockets", "mail_server", **dead)
    assert not any(one["fine"] for one in found.values())
    assert "REDIS_URL" in found["redis"]["mend"]
    assert "REDIS_URL" in found["layer"]["mend"]
    assert "BASE_URL" in found["web"]["mend"]
    assert "EMAIL_URL" in found["mail_server"]["mend"]


def test_without_tables_it_stops_at_the_database(tmp_path: Any):
    found = findings(Site(tmp_path))
    assert list(found) == ["configuration", "database"]
    assert "manage.py prepare" in found["database"]["mend"]


def test_a_probe_that_does_not_exist_is_refused_with_those_that_do(new_site: NewSite):
    done = new_site().manage("doctor", "bete", check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("CommandError: There is no probe bete. There are: configuration, database")


@pytest.mark.django_db
def test_an_event_that_nobody_numbers_is_found():
    assert doctor._examine("sequencer").fine
    Event.objects.create(channel="user:1", type="notification.put", data="{}", created_at=timezone.now() - timedelta(minutes=1))
    finding = doctor._examine("sequencer")
    assert not finding.fine
    assert "waited 6" in finding.text


@pytest.mark.django_db
def test_the_commands_words_say_what_to_do(capsys: pytest.CaptureFixture[str], settings: Any):
    from django.core.management import call_command

    settings.SECRET_KEY = "short"
    with pytest.raises(SystemExit):
        call_command("doctor", "secret_key", "clock")
    said = capsys.readouterr().out
    assert "ILL   secret_key     SECRET_KEY is short enough to be guessed." in said
    assert "Mend: For example: SECRET_KEY=" in said
    assert "fine  clock" in said


# Ill states, one by one


def ill(probe: str) -> doctor.Finding:
    """What a probe found, which must be ill and say how to mend it."""
    finding = doctor._examine(probe)
    assert not finding.fine and finding.mend, finding
    return finding


@pytest.mark.valkey
def test_a_redis_that_answers_and_passes_nothing_on_is_a_silent_layer(new_site: NewSite, valkey: Valkey):
    """Its user may connect and ask, and neither publish nor subscribe."""
    import redis

    with redis.Redis.from_url(valkey.url) as client:
        client.execute_command("ACL", "SETUSER", "quiet", "on", ">pw", "~*", "resetchannels", "+@all", "-@pubsub")
    quiet = valkey.url.replace("redis://", "redis://quiet:pw@")
    found = findings(new_site(), "redis", "layer", REDIS_URL=quiet)
    assert (found["redis"]["fine"], found["layer"]["fine"]) == (True, False)
    assert "publish and subscribe" in found["layer"]["mend"]


@pytest.mark.django_db
def test_clocks_that_are_apart_are_found(monkeypatch: pytest.MonkeyPatch):
    now = timezone.now()
    monkeypatch.setattr("core.doctor.timezone.now", lambda: now - timedelta(hours=1))
    finding = ill("clock")
    assert re.search(r"(3599|3600|3601) s apart", finding.text)
    assert "NTP" in finding.mend


@pytest.mark.postgres
def test_a_clock_apart_from_that_of_postgres_is_found_too(tmp_path: Path, postgres: Postgres):
    moved = "import sys; from core import doctor; from django.utils import timezone; from datetime import timedelta; now = timezone.now()"
    asked = "timezone.now = lambda: now + timedelta(hours=1); finding = doctor._examine('clock'); print(finding.text)"
    said = Site(tmp_path, {"DATABASE_URL": postgres.new_database()}).manage("shell", "-c", f"{moved}; {asked}").stdout
    assert re.search(r"(3599|3600) s apart", said)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, {"Content-Type": "text/html"}, b"<h1>Welcome to nginx!</h1>"),
        Answer(200, {}, b'{"status": "ok"}'),
        Answer(502),
        Answer(200, {}, b"[1]"),
    ],
    ids=["page", "json", "gateway", "list"],
)
def test_an_address_that_is_somebody_elses_is_found(settings: Any, answer: Answer):
    with receiver(answer) as other:
        settings.BASE_URL = other.url
        assert f"answered {answer.status}, but it is not Signalbox" in ill("web").text
        finding = ill("sockets")
    assert f"answered with {answer.status} instead of 101" in finding.text
    assert "Upgrade and Connection" in finding.mend


def test_an_address_where_nobody_answers_is_found(settings: Any, unused_tcp_port: int):
    settings.BASE_URL = f"http://127.0.0.1:{unused_tcp_port}"
    for probe in ("web", "sockets"):
        finding = ill(probe)
        assert "does not answer" in finding.text and "BASE_URL" in finding.mend


def test_a_certificate_that_is_not_believed_is_found(settings: Any, tmp_path: Path):
    key, certificate = certify(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    with receiver(Answer(200), tls=tls) as site:
        settings.BASE_URL = site.url
        finding = ill("web")
    assert "not believed here: self" in finding.text
    assert "SSL_CERT_FILE" in finding.mend


@pytest.mark.parametrize(
    ("trusted", "base", "reached", "text", "mend"),
    [
        (1, "http", "http 0", "no proxies in front", "append to X-Forwarded-For"),
        (2, "http", "http 1", "but 1 proxies in front", "append to X-Forwarded-For"),
        (0, "http", "http 1", "1 proxies forward", "TRUSTED_PROXY_HOPS=1"),
        (1, "http", "https 1", "takes requests for https", "X-Forwarded-Proto"),
    ],
)
def test_headers_of_proxies_that_are_missing_or_too_many_are_found(
    settings: Any, trusted: int, base: str, reached: str, text: str, mend: str
):
    """With real proxies: tests/house/test_compose.py."""
    answer = Answer(200, {health.REACHED: reached}, b'{"status": "ready", "degraded": [], "why": {}}')
    with receiver(answer) as site:
        settings.BASE_URL, settings.TRUSTED_PROXY_HOPS = site.url, trusted
        finding = ill("web")
        settings.PORT = site.port  # localhost, seen from a container, is the web process itself
        assert doctor._examine("web").fine is reached.endswith(" 0")
    assert text in finding.text and mend in finding.mend


def test_missing_front_end_files_are_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    real = frontend.installed
    monkeypatch.setattr(frontend, "installed", lambda: real(tmp_path))
    assert "manage.py prepare" in ill("front_end").mend


def test_a_mail_server_that_says_hello_is_fine(settings: Any):
    with mail_server() as server, override_settings(**server.settings):
        assert doctor._examine("mail_server").text == "The mail server says hello."
        settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "signalbox", "hunter2"
        finding = ill("mail_server")
        assert "EMAIL_URL" in finding.mend and "hunter2" not in finding.text
        settings.EMAIL_HOST_USER, settings.EMAIL_USE_TLS = "", True
        assert "STARTTLS" in ill("mail_server").text
    assert server.messages == []


def test_without_a_mail_server_nobody_is_asked(settings: Any):
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    assert "nobody is sent mail" in doctor._examine("mail_server").text


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("probe", "row", "command"), [("beat", health.BEAT, "celery -A workers.celery beat"), ("worker", health.WORKER, "worker -Q")]
)
def test_a_beat_or_worker_that_fell_silent_is_found(probe: str, row: str, command: str):
    assert command in ill(probe).mend
    health.note_alive(row)
    assert doctor._examine(probe).fine
    Process.objects.filter(id=row).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert command in ill(probe).mend


@pytest.mark.postgres
def test_a_postgres_that_is_away_ends_the_examination(tmp_path: Path, unused_tcp_port: int):
    site = Site(tmp_path, {"DATABASE_URL": f"postgres://u:hunter2@127.0.0.1:{unused_tcp_port}/n", "DATABASE_PATIENCE": "1"})
    done = site.manage("doctor", "database", "clock", "beat", check=False)
    assert done.returncode == 1
    assert "ILL   database" in done.stdout and "DATABASE_URL" in done.stdout
    assert "clock" not in done.stdout
    assert "Traceback" not in done.stderr and "hunter2" not in done.stdout + done.stderr


@pytest.mark.django_db
def test_the_exit_status_is_that_of_what_was_asked(settings: Any):
    from django.core.management import call_command

    call_command("doctor", "clock", "front_end")  # raises nothing: 0
    with pytest.raises(SystemExit) as ended:
        call_command("doctor", "clock", "beat")
    assert ended.value.code == 1
