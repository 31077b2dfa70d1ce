"""Choosing where a widget's values come from, and saying what of it, by a form that says at each field what is wrong."""

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from dashboard.actions import record
from dashboard.models import Source, Widget

pytestmark = pytest.mark.django_db

PLAIN = {"title": "Queue", "columns": "3", "rows": "2"}


@pytest.fixture
def browser(owner: Any, signed_in: Callable[[Any], Client]) -> Client:
    return signed_in(owner)


def test_choosing_a_source_brings_its_fields_and_keeps_what_was_written(stat: Widget, browser: Client) -> None:
    sent = PLAIN | {"title": "Half wri", "columns": "", "source": "http", "ask": "1"}
    text = browser.post("/dashboards/ops/edit/queue/", sent).content.decode()
    assert 'name="from_url"' in text
    assert 'name="from_path" value="$"' in text
    assert 'value="Half wri"' in text
    assert "error" not in text
    other = PLAIN | {"source": "http", "from_figures": ["cpu"], "from_every": "7", "ask": "1"}
    text = browser.post("/dashboards/ops/edit/queue/", other).content.decode()
    assert 'name="from_path" value="$"' in text
    assert 'name="from_every" value="7"' in text
    assert "from_url" not in browser.post("/dashboards/ops/edit/queue/", sent | {"source": "system"}).content.decode()
    assert not Source.objects.exists()


@pytest.mark.parametrize(
    ("source", "field", "words"),
    [
        ({"source": "http", "from_url": "ftp://example.org/"}, "from_url", "An address starts with https:// or http://."),
        ({"source": "http"}, "from_url", "An address starts with"),
        ({"source": "http", "from_url": "https://example.org/", "from_path": "hosts"}, "from_path", "is no JSONPath"),
        ({"source": "http", "from_url": "https://example.org/", "from_every": "1"}, "from_every", "greater than or equal to 2"),
        ({"source": "prometheus", "from_url": "https://example.org/"}, "from_query", "says what is asked"),
        ({"source": "system", "from_figures": ["cpu", "disk"]}, "source", "shows one line of values"),
        ({"source": "system", "from_figures": ["temperature"]}, "from_figures", "not one of the available choices"),
        ({"source": "health", "from_figure": "states"}, "source", "shown by a status grid"),
        ({"source": "model", "from_model": "sessions.Session"}, "from_model", "not one of the available choices"),
        ({"source": "model", "from_model": "auth.User", "from_where": "{"}, "from_where", "This is not JSON"),
        ({"source": "function", "from_function": "os.getcwd"}, "from_function", "not one of the available choices"),
        ({"source": "magic"}, "source", "not one of the available choices"),
    ],
)
def test_what_is_wrong_with_a_source_stands_at_its_field(
    stat: Widget, browser: Client, source: dict[str, Any], field: str, words: str
) -> None:
    answer = browser.post("/dashboards/ops/edit/queue/", PLAIN | source)
    assert answer.status_code == 422
    assert set(answer.context["form"].errors) == {field}
    assert re.search(words, html.unescape(answer.content.decode()))
    assert not Source.objects.exists()


def test_a_form_offers_only_sources_that_can_feed_its_widget(clock: Widget, stat: Widget, browser: Client) -> None:
    def offered(widget: str) -> set[str]:
        field = browser.get(f"/dashboards/ops/edit/{widget}/").context["form"].fields["source"]
        return {name for name, _ in field.choices}

    assert offered("clock") == {""}
    assert offered("queue") == {"", "model", "system", "celery", "health", "http", "prometheus", "function"}


def test_a_paused_widget_says_so_until_it_goes_on(stat: Widget, browser: Client) -> None:
    record(stat, 5)
    assert browser.post("/dashboards/ops/edit/queue/", PLAIN | {"paused": "on"}).status_code == 302
    assert 'data-state="paused"' in browser.get("/dashboards/ops/").content.decode()
    assert browser.post("/dashboards/ops/edit/queue/", PLAIN).status_code == 302
    assert 'data-state="paused"' not in browser.get("/dashboards/ops/").content.decode()
