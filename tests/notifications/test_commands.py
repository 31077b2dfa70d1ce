"""manage.py notify and manage.py broadcast; and the demo's welcome."""

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from core.demo import People
from notifications import demo
from notifications.models import Broadcast, Notification, Priority
from tests.notifications.conftest import titles

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_notify_tells_an_audience(alice: Any, bob: Any) -> None:
    said = run("notify", "ops,alice", "Backup done", "--body", "48 GB", "--priority", "high", "--key", "backup", "--url", "/dashboards/")
    sent = Notification.objects.get()
    assert said == f"notification {sent.pk} to 2 people\n"
    assert (sent.priority, sent.key, sent.body) == (Priority.HIGH, "backup", "48 GB")


@pytest.mark.parametrize("command", ["notify", "broadcast"])
def test_both_take_a_category_buttons_data_and_an_end(alice: Any, command: str) -> None:
    buttons = ("--action", "Log=/log/?a=b", "--press", "Again=/inbox/try/")
    said = ("--category", "backup", "--data", '{"build": 42}', "--expires", "2h", "--body", "48 GB")
    run(command, "user:alice", "Backup done", *said, *buttons)
    sent = Notification.objects.get()
    assert (sent.category, sent.data, sent.body, sent.markdown) == ("backup", {"build": 42}, "48 GB", False)
    assert sent.actions == [{"label": "Log", "url": "/log/?a=b"}, {"label": "Again", "url": "/inbox/try/", "method": "post"}]
    assert sent.expires_at is not None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--action", "Log"), "--action 'Log=/log/'"),
        (("--action", "=/log/"), "actions"),
        (("--press", "Out=/accounts/logout/"), "made for it"),
        (("--action", "Log="), "needs a url"),
        (("--action", "Log=javascript:x"), "actions"),
        (("--action", "a=/a/", "--action", "b=/b/", "--action", "c=/c/"), "at most 2 actions"),
        (("--data", ""), "--data is a JSON object"),
        (("--data", "[1]"), "--data is a JSON object"),
        (("--data", "{" * 9), "--data is a JSON object"),
        (("--data", "[" * 100_000), "--data is a JSON object"),
        (("--data", '{"a": NaN}'), "NaN"),
        (("--category", "a b\n"), "category"),
        (("--expires", "soon"), "--expires is ISO 8601"),
    ],
)
@pytest.mark.parametrize("command", ["notify", "broadcast"])
def test_both_say_what_would_have_been_right(alice: Any, command: str, arguments: tuple[str, ...], words: str) -> None:
    with pytest.raises(CommandError) as caught:
        run(command, "alice", "x", *arguments)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not Notification.objects.exists()


def test_notify_reads_standard_input(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("Disk full\n/dev/sda1 at 98 %\n"))
    run("notify", "alice")
    sent = Notification.objects.get()
    assert (sent.title, sent.body) == ("Disk full", "/dev/sda1 at 98 %")


def test_notify_can_wait_and_expire(alice: Any) -> None:
    run("notify", "alice", "Later", "--at", "30m", "--expires", "2h")
    sent = Notification.objects.get()
    assert sent.delivered_at is None
    assert sent.deliver_at is not None
    assert sent.expires_at is not None
    assert sent.deliver_at < sent.expires_at


@pytest.mark.parametrize(
    "arguments",
    [
        ("nobody", "x"),
        ("alice", ""),
        ("alice", "x", "--url", "javascript:x"),
        ("alice", "x", "--priority", "loud"),
        ("alice", "x", "--at", "soon"),
    ],
)
@pytest.mark.parametrize("command", ["notify", "broadcast"])
def test_what_is_wrong_is_said_in_one_sentence_and_nothing_is_sent(alice: Any, command: str, arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError) as caught:
        run(command, *arguments)
    assert "\n" not in str(caught.value)
    assert not Notification.objects.exists()


def test_broadcast_sends_to_everybody(alice: Any, bob: Any) -> None:
    said = run("broadcast", "all", "Maintenance at 22:00")
    made = Broadcast.objects.get()
    assert said == f"broadcast {made.pk} to 2 people\n"
    assert made.state == "sending"
    assert made.notification.category == "broadcast"


def test_broadcast_takes_markdown(alice: Any) -> None:
    run("broadcast", "all", "Maintenance", "--body", "At **22:00**", "--markdown")
    assert "<strong>22:00</strong>" in Notification.objects.get().prose


def test_the_demo_welcomes_each_person_once(alice: Any, bob: Any, charlie: Any) -> None:
    for _ in range(2):
        demo.make(People(alice, bob, charlie))
    for person in (alice, bob, charlie):
        assert titles(person) == ["Welcome to Signalbox"]
