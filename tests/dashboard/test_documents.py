"""Boards as YAML and JSON: what comes out goes in again, what does not fit is said with its line, and nothing is half done."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from django.test import Client

from core.tokens import make_token
from dashboard.actions import record, save_source
from dashboard.alerts import actions as alerts
from dashboard.documents import lines
from dashboard.documents.lines import BadDocument
from dashboard.models import AlertRule, Dashboard, Role, Sample, Source, Widget
from tests.dashboard.conftest import at

pytestmark = pytest.mark.django_db

Call = Callable[..., Any]
BOARD = """title: Night shift
description: What runs at night
access: members
widgets:
- slug: queue
  kind: stat
  title: Queue
  interval: 10
  config: {unit: jobs, better: down}
  alerts:
  - {name: Queue too long, condition: above, high: 100, pending: 60}
- slug: people
  kind: stat
  title: People
  source: {kind: model, config: {model: auth.User, figure: count}}
- slug: words
  kind: text
  title: 12:30 on no
  columns: 6
  config:
    text: |
      # Hello
      you
"""


@pytest.fixture
def call() -> Call:
    """`call(user, "put", "ops", body)`; returns the answer."""

    def ask(user: Any, method: str, slug: str, body: str | bytes = "", *, kind: str = "application/yaml", **headers: str) -> Any:
        scopes = headers.pop("scopes", "dashboards")
        _, text = make_token(user, "test", (scopes,))
        sent = {"Authorization": f"Bearer {text}"} | headers
        return getattr(Client(), method)(f"/api/v1/dashboards/{slug}", data=body, content_type=kind, headers=sent)

    return ask


@pytest.fixture
def full(stat: Widget, chart: Widget, feed: Widget, gauge: Widget, bars: Widget, table: Widget, text: Widget, clock: Widget) -> Widget:
    """A board with everything on it."""
    for order, pk in enumerate(Widget.objects.order_by("pk").values_list("pk", flat=True)):
        Widget.objects.filter(pk=pk).update(order=order)
    save_source(Source(widget=gauge, kind="model", config={"model": "auth.User", "figure": "count"}))
    alerts.save_rule(AlertRule(widget=stat, name="Long", condition="outside", low=0.5, high=90, pending_seconds=5, audience=["owner"]))
    alerts.save_rule(AlertRule(widget=feed, name="Silent", condition="no_data", pending_seconds=60, severity=3))
    alerts.save_rule(AlertRule(widget=chart, name="Old", condition="stale"))  # how often values come may be learnt
    record(stat, 42, at(0))
    return stat


def everything() -> list[Any]:
    """All that a document may change, but for revisions."""
    boards = list(Dashboard.objects.values_list("slug", "title", "description", "access"))
    tiles = list(Widget.objects.order_by("pk").values_list("pk", "slug", "kind", "title", "columns", "rows", "order", "interval", "config"))
    rules = list(AlertRule.objects.order_by("pk").values_list("pk", "name", "condition", "low", "high", "audience", "severity"))
    return [boards, tiles, rules, list(Source.objects.values_list("pk", "kind", "config")), Sample.objects.count()]


# --- out and in ---


def test_what_comes_out_goes_in_again_and_changes_nothing(full: Widget, owner: Any, call: Call) -> None:
    before = everything()
    answer = call(owner, "get", "ops")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/yaml; charset=utf-8")
    again = call(owner, "put", "ops", answer.content)
    assert again.status_code == 200 and everything() == before
    as_json = call(owner, "get", "ops", Accept="application/json")
    assert as_json.headers["Content-Type"] == "application/json"
    assert call(owner, "put", "ops", as_json.content, kind="application/json").status_code == 200 and everything() == before


@pytest.mark.parametrize("access", ["roles", "members"])
def test_the_answer_to_a_put_is_what_a_get_says_and_can_be_sent_back(full: Widget, owner: Any, call: Call, access: str) -> None:
    Dashboard.objects.update(access=access)
    first = call(owner, "get", "ops").content
    answers = [call(owner, "put", "ops", first)]
    answers.append(call(owner, "put", "ops", answers[0].content))
    assert [answer.status_code for answer in answers] == [200, 200]
    assert {answer.content for answer in answers} == {first} == {call(owner, "get", "ops").content}


def test_a_new_board_is_made_and_belongs_to_who_sent_it(charlie: Any, call: Call) -> None:
    answer = call(charlie, "put", "night", BOARD)
    assert answer.status_code == 201
    board = Dashboard.objects.get(slug="night")
    assert (board.owner, board.title, board.access) == (charlie, "Night shift", "members")
    assert list(board.widgets.values_list("slug", "title", "columns")) == [
        ("queue", "Queue", 3),
        ("people", "People", 3),
        ("words", "12:30 on no", 6),
    ]
    assert board.widgets.get(slug="words").config == {"text": "# Hello\nyou\n"}
    assert board.widgets.get(slug="people").source.config == {"model": "auth.User", "figure": "count"}
    rule = AlertRule.objects.get()
    assert (rule.name, rule.high, rule.pending_seconds, rule.severity) == ("Queue too long", 100, 60, 2)
    assert call(charlie, "put", "night", answer.content).status_code == 200


def test_widgets_keep_their_history_and_what_is_not_named_goes(full: Widget, owner: Any, call: Call) -> None:
    sent = "title: Ops\nwidgets:\n- {slug: fresh, kind: stat, title: New}\n- {slug: queue, kind: stat, title: Line}\n"
    assert call(owner, "put", "ops", sent).status_code == 200
    assert list(Widget.objects.values_list("slug", "title")) == [("fresh", "New"), ("queue", "Line")]
    assert Widget.objects.get(slug="queue").pk == full.pk and Sample.objects.count() == 1
    assert not AlertRule.objects.exists() and not Source.objects.exists()


def test_a_rule_that_fires_goes_on_when_the_file_does_not_change_it(full: Widget, owner: Any, call: Call) -> None:
    AlertRule.objects.filter(name="Long").update(state="firing", told=True)
    text = call(owner, "get", "ops").content.decode().replace("title: Queue", "title: Line")
    assert call(owner, "put", "ops", text).status_code == 200
    assert AlertRule.objects.get(name="Long").state == "firing"


def test_who_sends_second_is_told(full: Widget, owner: Any, alice: Any, call: Call) -> None:
    text = call(owner, "get", "ops").content.decode()
    assert call(alice, "put", "ops", text.replace("title: Ops", "title: First")).status_code == 200
    answer = call(owner, "put", "ops", text.replace("title: Ops", "title: Second"))
    assert (answer.status_code, answer.json()["field"]) == (409, "revision")
    assert "Somebody saved this board meanwhile" in answer.json()["detail"]
    assert Dashboard.objects.get().title == "First"


def test_a_widget_that_was_changed_by_its_form_meanwhile_is_a_clash_too(full: Widget, owner: Any, call: Call) -> None:
    text = call(owner, "get", "ops").content
    Widget.objects.filter(slug="queue").update(title="Changed")
    assert call(owner, "put", "ops", text).status_code == 409


# --- who ---


def test_who_may(stat: Widget, owner: Any, alice: Any, bob: Any, charlie: Any, call: Call) -> None:
    for method, body in (("get", ""), ("put", "title: Ops\nwidgets:\n- {slug: queue, kind: stat, title: Queue}\n")):
        answers = {person.username: call(person, method, "ops", body).status_code for person in (owner, alice, bob, charlie)}
        assert answers == {"olga": 200, "alice": 200, "bob": 403, "charlie": 404}
        assert call(owner, method, "ops", body, scopes="push:*").status_code == 403
        assert getattr(Client(), method)("/api/v1/dashboards/ops").status_code == 401
    assert call(owner, "get", "nothing").status_code == 404


def test_an_editor_does_not_say_who_may_look(stat: Widget, bob: Any, call: Call) -> None:
    Role.objects.filter(user=bob).update(level=Role.Level.EDIT)
    text = call(bob, "get", "ops").content.decode()
    assert call(bob, "put", "ops", text.replace("title: Ops", "title: Mine")).status_code == 200
    answer = call(bob, "put", "ops", "title: Ops\naccess: public\n")
    assert (answer.status_code, answer.json()["field"]) == (403, "access")
    assert Widget.objects.count() == 1


def test_a_critical_alert_takes_the_right_to_send_one(stat: Widget, owner: Any, call: Call) -> None:
    alert = "{name: x, condition: above, high: 1, severity: critical}"
    sent = f"title: Ops\nwidgets:\n- slug: queue\n  kind: stat\n  title: Q\n  alerts:\n  - {alert}\n"
    assert call(owner, "put", "ops", sent).status_code == 403
    assert call(owner, "put", "new-one", sent, scopes="dashboards").status_code == 403
    assert not AlertRule.objects.exists() and Dashboard.objects.count() == 1


# --- what does not fit ---

W = "title: x\nwidgets:\n- slug: a\n  kind: stat\n  title: A\n"
BAD: list[tuple[str, int, str]] = [
    ("", 1, "empty"),
    ("# nothing\n", 1, "empty"),
    ("title: x\ntitle: y\n", 2, "there twice"),
    ("title: [x\n", 2, ""),
    ("title: x\n\tdescription: y\n", 2, ""),
    ("title: 'x\n", 2, ""),
    ("title: x\n---\ntitle: y\n", 2, "second document"),
    ("title: &a x\ndescription: *a\n", 1, "anchors"),
    ("a: &a [x, x]\nb: &b [*a, *a, *a]\nc: [*b, *b, *b]\n", 1, "anchors"),
    ("title: x\n<<: {description: y}\n", 2, "merge keys"),
    ("title: !!python/object/apply:os.system ['true']\n", 1, "tags"),
    ("title: !!binary aGVsbG8=\n", 1, "tags"),
    ("title: x\n? [a, b]\n: y\n", 2, "a name is a text"),
    ("title: x\ndescription: \"a\\0b\"\n", 2, "NUL"),
    ("title: x\nwidgets: " + "[" * 30 + "]" * 30, 2, "levels deep"),
    ("title: x\nwidgets: " + "{a: " * 3000 + "1" + "}" * 3000, 2, "levels deep"),
    ("title: x\ndescription: " + "9" * 4400 + "\n", 2, "too many digits"),
    ("title: x\ndescription: .nan\n", 2, "NaN"),
    ("title: x\ndescription: 1e400\n", 2, ""),
    ("title: x\ncolour: red\n", 2, "unknown field `colour`"),
    ("- x\n", 1, "Expected `object`"),
    ("42\n", 1, "Expected `object`"),
    ("description: x\n", 1, "missing required field `title`"),
    ("title: 42\n", 1, "Expected `str`"),
    ("title: ''\n", 1, "length"),
    ("title: x\naccess: everybody\n", 2, "Invalid enum value"),
    ("title: x\nwidgets: 3\n", 2, "Expected `array`"),
    ("title: x\nwidgets:\n- 3\n", 3, "Expected `object`"),
    (W + "- slug: a\n  kind: stat\n  title: B\n", 6, "'a' is there twice, first in line 3"),
    (W.replace("slug: a", "slug: new"), 3, "taken by a page"),
    (W.replace("slug: a", "slug: ../x"), 3, "A slug is"),
    (W.replace("kind: stat", "kind: sta"), 4, "There is no kind of widget 'sta'; there is bars"),
    (W + "  columns: 13\n", 6, "<= 12"),
    (W + "  columns: true\n", 6, "Expected `int`"),
    (W + "  config:\n    unit: x\n    decimals: 99\n", 6, "decimals"),
    (W + "  config: {nothing: 1}\n", 6, "unknown field `nothing`"),
    (W + "  source: {kind: ftp}\n", 6, "There is no source 'ftp'"),
    (W + "  source:\n    kind: model\n    config: {model: auth.Permission, figure: count}\n", 8, ""),
    (W + "  source:\n    kind: model\n    config: {model: auth.User, figure: sum, field: password}\n", 8, ""),
    (W + "  alerts:\n  - {name: x, condition: above}\n", 7, "needs `high`"),
    (W + "  alerts:\n  - {name: x, condition: no_data}\n", 7, "needs `pending`"),
    (W + "  alerts:\n  - name: x\n    condition: outside\n    low: 5\n    high: 5\n", 10, "above `low`"),
    (W + "  alerts:\n  - name: x\n    condition: above\n    high: 1\n    audience: [all]\n", 10, "names nobody"),
    (W.replace("stat", "text") + "  alerts:\n  - {name: x, condition: above, high: 1}\n", 7, "no numbers"),
    ("title: x\nwidgets:\n" + "".join(f"- {{slug: s{n}, kind: stat, title: t}}\n" for n in range(201)), 2, "length <= 200"),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "line", "says"), BAD, ids=range(len(BAD)))
def test_what_does_not_fit_is_said_with_its_line_and_nothing_changes(
    full: Widget, owner: Any, call: Call, sent: str, line: int, says: str
) -> None:
    before = everything()
    answer = call(owner, "put", "ops", sent)
    assert answer.status_code == 422, answer.content
    assert answer.json()["detail"].startswith(f"Line {line}: ") and says in answer.json()["detail"], answer.json()["detail"]
    assert everything() == before


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"title: \xff\xfe", "application/yaml"),
        (b"title: x\x00", "application/yaml"),
        (b"title: x\x07", "application/yaml"),
        (b"x" * (lines.MOST_BYTES + 1), "application/yaml"),
        (b"- " * 100_000, "application/yaml"),
        (b"title: x\nwidgets: [" + b"1," * 30_000 + b"]", "application/yaml"),
        (b'{"title": "x"', "application/json"),
        (b'{"title": "x", "title": 3, "nothing": 1}', "application/json"),
        (b"[" * 20_000, "application/json"),
        (b"title: x", "image/png"),
        (b"\x80\x04K\x01.", "application/octet-stream"),
    ],
)
def test_what_nobody_can_read_is_refused(full: Widget, owner: Any, call: Call, body: bytes, kind: str) -> None:
    before = everything()
    assert call(owner, "put", "ops", body, kind=kind).status_code == 422
    assert everything() == before


def test_json_is_answered_with_the_path(full: Widget, owner: Any, call: Call) -> None:
    sent = json.dumps({"title": "x", "widgets": [{"slug": "a", "kind": "stat", "title": "A", "columns": 0}]})
    answer = call(owner, "put", "ops", sent, kind="application/json").json()
    assert (answer["field"], answer["detail"].split(":")[0]) == ("widgets[0].columns", "Widgets[0].columns")


def test_another_kind_for_a_widget_with_history_is_refused(full: Widget, owner: Any, call: Call) -> None:
    before = everything()
    answer = call(owner, "put", "ops", "title: Ops\nwidgets:\n- {slug: queue, kind: gauge, title: Queue}\n")
    assert answer.status_code == 422 and "another slug" in answer.json()["detail"] and "Line 3" in answer.json()["detail"]
    assert everything() == before


@pytest.mark.parametrize("slug", ["new", "42", "Ops", "-x", "a" * 65])
def test_a_board_that_could_have_no_address_is_not_made(owner: Any, call: Call, slug: str) -> None:
    assert call(owner, "put", slug, "title: x\n").status_code == 422
    assert not Dashboard.objects.exists()


def test_plain_words_are_read_as_yaml_1_2_reads_them() -> None:
    texts = ("yes", "12:30", "2026-11-21", "0o17", "0x1f", "1_000", "'5'", "on", '"true"', "=", "1e3x", "192.168.100.100.12.13.14")
    read = lines.read("\n".join(f"k{number}: {text}" for number, text in enumerate(texts))).value
    assert list(read.values()) == [text.strip("'\"") for text in texts]
    assert lines.read('{"a": 1, "b": [true, null, -1.5e3, 2.0]}').value == {"a": 1, "b": [True, None, -1500.0, 2.0]}


@pytest.mark.parametrize("loader", [yaml.SafeLoader, getattr(yaml, "CSafeLoader", yaml.SafeLoader)])
def test_both_of_yaml_s_parsers_say_the_same_lines(loader: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "_LOADER", loader)
    document = lines.read(BOARD)
    assert document.value["widgets"][2]["config"]["text"] == "# Hello\nyou\n"
    assert (document.line("$.widgets[1].source.config.figure"), document.line("$.widgets[2].nothing.at.all")) == (15, 16)
    with pytest.raises(BadDocument, match=r"Line 3: "):
        lines.read("title: x\nwidgets:\n- {slug: &a x}\n")


def test_a_bomb_is_refused_before_it_is_built() -> None:
    bomb = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 40))
    done = threading.Event()

    def read() -> None:
        with pytest.raises(BadDocument, match="anchors"):
            lines.read(bomb)
        done.set()

    threading.Thread(target=read, daemon=True).start()
    assert done.wait(30)


def test_how_long_values_are_kept_goes_out_and_in_again(stat: Widget, owner: Any, call: Call) -> None:
    shown = yaml.safe_load(call(owner, "get", "ops").content)
    assert shown["widgets"][0].get("keep", 48) == 48
    text = "title: Ops\nwidgets:\n- {slug: queue, kind: stat, title: Queue, keep: %s}\n"
    assert call(owner, "put", "ops", text % 720).status_code == 200
    assert Widget.objects.get().keep == 720
    assert yaml.safe_load(call(owner, "get", "ops").content)["widgets"][0]["keep"] == 720
    for wrong in ("0", "10001", "soon", "1.5"):
        refused = call(owner, "put", "ops", text % wrong)
        assert (refused.status_code, refused.json()["detail"].partition(":")[0]) == (422, "Line 3"), refused.json()
    assert Widget.objects.get().keep == 720
