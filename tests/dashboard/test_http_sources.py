"""Values out of JSON from an address: what JSONPath finds, what it must not, and addresses that may not be asked."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import override_settings

from core.errors import Problem
from dashboard import sources, widgets
from dashboard.actions import save_source, save_widget
from dashboard.models import Dashboard, Source, Widget
from dashboard.sources import web
from dashboard.sources.base import series_name
from tests.support.receiver import Answer, Receiver, endless, hangs, receiver, says

WEB_1 = series_name("web 1")
HOSTS = {"hosts": [{"host": "web 1", "load": 0.5, "up": True}, {"host": "web-2", "load": "1.5", "up": False}], "total": 2}


@pytest.fixture
def server(settings: Any) -> Iterator[Receiver]:
    with receiver(Answer(body=json.dumps(HOSTS).encode())) as made:
        settings.OUTBOUND_ALLOW = ["127.0.0.1"]
        yield made


def look(widget: str, server: Receiver, **config: Any) -> dict[str, Any]:
    reader, shown = sources.KINDS["http"], widgets.of(widget)
    found = reader.look(reader.settings({"url": f"{server.url}/status?all=1"} | config, shown), shown)
    for one in found.found:
        shown.read(one.value)
    return {one.series: one.value for one in found.found}


@pytest.mark.parametrize(
    ("widget", "config", "expected"),
    [
        ("stat", {"path": "$.total"}, {"": 2}),
        ("stat", {"path": "$.hosts[1].load"}, {"": 1.5}),
        ("stat", {"path": "$.hosts[?@.host == 'web 1'].load"}, {"": 0.5}),
        ("stat", {"path": "$.hosts[0]", "value": "load"}, {"": 0.5}),
        ("bars", {"path": "$.hosts[*]", "value": "load", "name": "host"}, {WEB_1: 0.5, "web-2": 1.5}),
        ("bars", {"path": "$.hosts[*].load"}, {"0": 0.5, "1": 1.5}),
        ("status", {"path": "$.hosts[*]", "value": "up", "name": "host"}, {WEB_1: "up", "web-2": "down"}),
        (
            "table",
            {"path": "$.hosts[*]", "name": "host"},
            {
                WEB_1: {"host": "web 1", "load": 0.5, "up": "true"},
                "web-2": {"host": "web-2", "load": "1.5", "up": "false"},
            },
        ),
        ("feed", {"path": "$.hosts[*].host"}, {"": "web-2"}),
        ("text", {"path": "$.hosts[0].host"}, {"": "web 1"}),
    ],
)
def test_what_the_path_finds_takes_the_shape_of_its_widget(
    server: Receiver, widget: str, config: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert look(widget, server, **config) == expected
    assert (server.requests[0].method, server.requests[0].path) == ("GET", "/status?all=1")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("$.nothing", r"matches nothing in the answer, which is an object with 'hosts', 'total'"),
        ("$.many[*]", r"matches more than 60 values; make it narrower"),
        ("$.many[0:3]", r"matches 3 values; a stat shows one"),
        ("$.hosts", r"finds a list of 2 and no value"),
        ("$.hosts[0]", r"finds an object with 'host', 'load', 'up' and no value"),
        ("$.hosts[0].host", r"'web 1' is not a number"),
        ("$.yes", r"true or false is not a number"),
        ("$.huge", r"digits would be lost|not a number|NaN and infinity"),
    ],
)
def test_a_path_that_finds_nothing_too_much_or_no_number_says_so(server: Receiver, path: str, words: str) -> None:
    content = HOSTS | {"many": list(range(10_000)), "yes": True, "huge": 10**40}
    server.answers = [Answer(body=json.dumps(content).encode())]
    with pytest.raises(Problem, match=words):
        look("stat", server, path=path)


@pytest.mark.parametrize(
    "path", ["", "hosts", "$.", "$[", "$[?search(@.host, '(a+)+$')]", "$[?match(@.x, 'a')]", "$.a =~ 1", "$..[?@.a =~ /(a+)+$/]"]
)
def test_what_is_no_path_or_hides_an_endless_expression_is_refused(path: str) -> None:
    reader, shown = sources.KINDS["http"], widgets.of("stat")
    with pytest.raises(Problem, match="is no JSONPath"):
        reader.settings({"url": "https://example.org/", "path": path}, shown)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(500, body=b"{}"), r"127\.0\.0\.1 answered with 500\."),
        (Answer(500, body=b"<h1>sorry</h1>"), r"answered with 500, and what it says is no JSON"),
        (Answer(body=b"<h1>hello</h1>"), r"something that is no JSON"),
        (Answer(body=b'{"a": NaN}'), r"no JSON"),
        (Answer(body=b'{"a": 1'), r"no JSON"),
        (Answer(body=b"[" * 20_000), r"no JSON"),
        (Answer(body=b'{"a": "\xff"}'), r"no JSON"),
        (Answer(raw=says(b"no http at all\r\n\r\n")), r"did not answer in HTTP"),
        (Answer(raw=endless), r"more than 1000000 bytes|in time"),
        (Answer(raw=hangs), r"did not answer in time"),
        (Answer(302, {"Location": "http://169.254.169.254/latest"}), r"not an address that Signalbox may reach"),
    ],
)
def test_an_answer_that_is_none_says_what_it_was(server: Receiver, answer: Answer, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "TIMEOUT", 1.0)
    server.answers = [answer]
    with pytest.raises(Problem, match=words) as refused:
        look("stat", server, path="$.total")
    assert "Traceback" not in refused.value.detail


def test_two_values_of_one_name_are_not_mistaken_for_one(server: Receiver) -> None:
    server.answers = [Answer(body=json.dumps({"a": [{"n": "x", "v": 1}, {"n": "x", "v": 2}]}).encode())]
    with pytest.raises(Problem, match="Several of the 2 values have the same name"):
        look("bars", server, path="$.a[*]", value="v", name="n")


@override_settings(OUTBOUND_ALLOW=[])
def test_an_address_inside_is_not_asked_unless_the_settings_allow_it() -> None:
    with receiver() as inside, pytest.raises(Problem, match="may reach; OUTBOUND_ALLOW can allow it"):
        look("stat", inside)
    assert inside.requests == []


@pytest.mark.parametrize("url", ["", "ftp://example.org/", "file:///etc/passwd", "http://user:pass@example.org/", "http:///x", "//x.org"])
def test_what_is_no_address_is_refused_when_it_is_saved(url: str) -> None:
    with pytest.raises(Problem, match="address"):
        sources.KINDS["http"].settings({"url": url}, widgets.of("stat"))


def test_headers_of_the_settings_go_to_their_address_and_to_no_other(server: Receiver) -> None:
    with override_settings(DASHBOARD_HEADERS={server.url: {"Authorization": "Bearer secret"}, "http://127.0.0.1": {"X-Other": "1"}}):
        look("stat", server, path="$.total")
    assert server.requests[0].headers["authorization"] == "Bearer secret"
    assert "x-other" not in server.requests[0].headers


def test_a_path_that_would_take_years_ends_with_its_time(server: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    from dashboard import polling

    content: Any = "end"
    for _ in range(60):
        content = [content, content]
        if len(json.dumps(content)) > 400_000:
            break
    server.answers = [Answer(body=json.dumps(content).encode())]
    source = Source(pk=1, kind="http", config={"url": server.url, "path": "$..[?@..[?@..[?@..x]]]"}, widget=Widget(kind="stat"))
    monkeypatch.setattr(sources.KINDS["http"], "patience", 0.5, raising=False)
    call = polling._Call(polling.Claim(source, None))  # type: ignore[arg-type]
    call.start()
    assert call.is_late()
    end = time.monotonic() + 30
    while call.is_alive() and time.monotonic() < end:
        call.interrupt()
        call.join(0.1)
    assert not call.is_alive()


@pytest.mark.django_db
def test_it_is_saved_for_a_widget_that_takes_what_it_gives(board: Dashboard) -> None:
    def save(kind: str, **config: Any) -> None:
        widget = save_widget(Widget(dashboard=board, slug=f"{kind}-{Widget.objects.count()}", kind=kind, title=kind))
        save_source(Source(widget=widget, kind="http", config={"url": "https://example.org/"} | config))

    save("bars", path="$.a[*]", name="host")
    refused = (("clock", {}, "takes no values"), ("stat", {"name": "host"}, "one line"), ("stat", {"method": "POST"}, "unknown"))
    for kind, config, words in refused:
        with pytest.raises(ValidationError, match=words):
            save(kind, **config)
