"""watching:<channel>: whoever looks at a channel now, told by its sender, its API and its broadcasts."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from core.delivery.channel import registry
from core.models import Presence, Process
from notifications import actions, audiences
from notifications.broadcasts import actions as broadcasts
from notifications.errors import UnknownAudience
from tests.notifications.conftest import titles
from tests.support.kinds import Lines

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def lines() -> Iterator[None]:
    known = dict(registry.kinds)
    registry.register(Lines())
    yield
    registry.kinds = known


def look(channel: str, *names: str, lapsed: bool = False) -> None:
    """Let these people have a channel open in a process that lives, or has died."""
    until = timezone.now() + timedelta(seconds=-5 if lapsed else 60)
    process = Process.objects.create(pk=f"p{Process.objects.count()}", expires_at=until)
    Presence.objects.bulk_create([Presence(process=process, channel=channel, who=name, tabs=1) for name in names])


def test_who_looks_at_a_channel_is_told_once_and_nobody_else(alice: Any, bob: Any, charlie: Any) -> None:
    look("testlog:a", "bob", "guest-77")
    look("testlog:a", "bob", "charlie")
    look("testlog:b", "alice")
    assert actions.notify("watching:testlog:a", title="Here").recipients == 2
    assert (titles(alice), titles(bob), titles(charlie)) == ([], ["Here"], ["Here"])


def test_who_has_left_with_her_process_is_not_told(bob: Any) -> None:
    look("testlog:a", "bob", lapsed=True)
    assert actions.notify("watching:testlog:a", title="Here").recipients == 0


@pytest.mark.parametrize(
    "word",
    ["watching:", "watching:nonsense", "watching:nokind:1", "watching:presence:testlog.a", "watching:system:authority", "watching:user:1"],
)
def test_what_nobody_can_look_at_is_no_audience(db: None, word: str) -> None:
    with pytest.raises(UnknownAudience):
        audiences.resolve(word)


def test_a_planned_broadcast_is_for_those_who_look_when_it_is_sent(alice: Any, bob: Any, charlie: Any) -> None:
    look("testlog:a", "bob")
    at = timezone.now() + timedelta(hours=1)
    made = broadcasts.broadcast("watching:testlog:a", title="Later", send_at=at)
    Presence.objects.all().delete()
    look("testlog:a", "charlie")
    broadcasts.work_off_due(now=at)
    look("testlog:a", "alice")
    while broadcasts.write_chunk(made.pk):
        pass
    assert (titles(alice), titles(bob), titles(charlie)) == ([], [], ["Later"])


def test_over_the_api_one_may_tell_who_looks_at_what_one_may_read(api_of: Callable[..., Any], alice: Any, bob: Any) -> None:
    look("testlog:a", "bob")
    assert api_of(alice).post("notify/watching:testlog:a", b"Staff may").status_code == 202
    assert api_of(bob).post("notify/watching:testlog:a", b"Others may not").status_code == 404
    assert api_of(alice, "notify:ops").post("notify/watching:testlog:a", b"Not by this token").status_code == 403
    assert titles(bob) == ["Staff may"]


def test_the_page_of_it_says_why(browser_of: Callable[[Any], Any], bob: Any) -> None:
    look("testlog:a", "bob")
    sent = actions.notify("watching:testlog:a", title="Here")
    assert "you were looking at testlog:a" in browser_of(bob).get(f"/inbox/{sent.id}/").content.decode()
