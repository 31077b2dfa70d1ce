"""`manage.py doctor` finds what is wrong with a real installation, and says how to mend it."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from core import doctor
from core.models import Event
from tests.support.servers import Site

NewSite = Callable[..., Site]


def findings(site: Site, *probes: str, **environment: str) -> dict[str, dict[str, Any]]:
    """What doctor said of each thing."""
    said = site.manage("doctor", "--json", *probes, check=False, **environment).stdout
    return {finding["probe"]: finding for finding in map(json.loads, said.splitlines())}


@pytest.mark.valkey
def test_of_a_running_site_everything_is_fine_but_what_does_not_run(new_site: NewSite):
    site = new_site(redis=True)
    with site.web() as web:
        found = findings(site, BASE_URL=web.url, SECRET_KEY="k" * 50)
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
