"""A page rendered earlier and the events since are a page rendered now: what audiences are told, and a broadcast's progress.

What one person is told: test_rows.py. Rooms and presence: tests/core/delivery/test_page_follows.py.
"""

import copy
import random
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone

from core import jobs
from core.delivery.channel import registry
from core.delivery.history import as_event
from core.models import Event
from notifications import actions
from notifications.broadcasts import actions as broadcasts
from notifications.broadcasts import progress
from notifications.broadcasts.actions import due
from notifications.errors import WrongState
from notifications.models import Broadcast, InboxItem
from tests.notifications.conftest import newest_event
from tests.notifications.screen import Screen

pytestmark = pytest.mark.django_db
AUDIENCES = ("all", "all", "staff", "group:ops", "user:bob", ["group:ops", "staff"])
TURNS = 30


@pytest.fixture(autouse=True)
def _by_hand() -> Iterator[None]:
    with jobs.collected():
        yield


@pytest.fixture
def reader(alice: Any, bob: Any, charlie: Any) -> Any:
    """Alice, of the staff and in ops; who of the others is meant does not concern her."""
    alice.is_staff = True
    alice.save()
    alice.groups.add(Group.objects.get_or_create(name="ops")[0])
    get_user_model().objects.bulk_create(get_user_model()(username=f"u{number}") for number in range(5))
    return alice


class World:
    """What may happen to broadcasts and to her copies of them, in any order."""

    def __init__(self, reader: Any, dice: random.Random) -> None:
        self.reader, self.dice = reader, dice

    def step(self, turn: int) -> None:
        """One of these things, if it can be done now."""
        made = self.dice.choice(list(Broadcast.objects.order_by("pk")) or [None])
        what = self.dice.choice(
            [self.send, self.tell, self.write, self.write, self.stop, self.go_on, self.take_back, self.expire, *[self.act] * 6]
        )
        if made is not None or what in (self.send, self.tell):
            what(made, turn)

    def send(self, made: Any, turn: int) -> None:
        actions.broadcast(self.dice.choice(AUDIENCES), title=f"Broadcast {turn}")

    def tell(self, made: Any, turn: int) -> None:
        actions.notify(self.reader, title=f"For her {turn}", key=self.dice.choice(["", "k"]))

    def write(self, made: Broadcast, turn: int) -> None:
        broadcasts.write_chunk(made.pk, size=self.dice.choice([1, 3, 100]))

    def stop(self, made: Broadcast, turn: int) -> None:
        self._steer(broadcasts.pause, made)

    def go_on(self, made: Broadcast, turn: int) -> None:
        self._steer(broadcasts.resume, made)

    def take_back(self, made: Broadcast, turn: int) -> None:
        self._steer(broadcasts.cancel, made, withdraw=True)

    def expire(self, made: Broadcast, turn: int) -> None:
        if self.dice.random() < 0.3:
            due._expire(made.pk, now=timezone.now())

    def act(self, made: Broadcast, turn: int) -> None:
        """She does something with one of her rows."""
        broadcasts.ensure_items(self.reader)
        item = self.dice.choice(list(InboxItem.objects.filter(user=self.reader, notification__withdrawn_at=None).order_by("pk")) or [None])
        what = self.dice.choice([actions.mark_read, actions.mark_unread, actions.archive, actions.unarchive])
        if item is not None:
            what(self.reader, [item.notification_id])

    def end(self) -> None:
        """All that was stopped goes on, and is written: what stands on screens only is meant to differ."""
        for made in Broadcast.objects.filter(state="paused"):
            broadcasts.resume(made)
        actions.broadcast("all", title="The last")
        broadcasts.work_off_due()

    def _steer(self, verb: Callable[..., Any], made: Broadcast, **more: Any) -> None:
        with suppress(WrongState):  # as a second click finds it
            verb(made, **more)


ORDERS: dict[str, Callable[[Event], Any]] = {
    "as they were made": lambda row: row.pk,
    "her own first": lambda row: (not row.channel.startswith("user:"), row.channel, row.pk),
    "audiences first": lambda row: (row.channel.startswith("user:"), row.channel, row.pk),
}


@pytest.mark.parametrize("seed", range(4))
def test_an_open_inbox_ends_as_one_opened_now_in_whatever_order_its_channels_come(seed: int, reader: Any) -> None:
    world, browser = World(reader, random.Random(seed)), Client()
    browser.force_login(reader)

    def page() -> Screen:
        return Screen.of(browser.get("/inbox/").content.decode())

    opened = []
    for turn in range(TURNS):
        if turn % 10 == 0:
            opened.append((page(), newest_event()))
        world.step(turn)
    world.end()
    fresh = page()
    assert fresh.lists["inbox-list"]
    for old, at in opened:
        for order in ORDERS.values():
            screen = copy.deepcopy(old)
            for row in sorted(_since(at, reader), key=order):
                screen.apply(_pushed(row, reader))
            assert screen.rows("inbox-list") == fresh.rows("inbox-list")


def _since(at: int, reader: Any) -> list[Event]:
    return list(Event.objects.filter(channel__in=["audience:all", "audience:staff", f"user:{reader.pk}"], id__gt=at))


def _pushed(row: Event, reader: Any) -> str:
    kind, key, event = registry.of(row.channel), row.channel.partition(":")[2], as_event(row)
    return kind.personalise(event, key, [str(reader.pk)]).get(str(reader.pk), "") if kind.is_personal(event) else kind.render(event, key)


@pytest.mark.parametrize("seed", range(2))
def test_an_open_progress_page_ends_as_one_opened_now(seed: int, reader: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    reader.is_superuser = True
    reader.save()
    # Rate and time left go by the clock, and are told with the next chunk.
    pace = progress._pace
    monkeypatch.setattr(progress, "_pace", lambda made, *, now: (0.0, pace(made, now=now)[1]))
    world, browser = World(reader, random.Random(seed)), Client()
    browser.force_login(reader)
    made = actions.broadcast("all", title="Watched", sender=reader)
    moves = [world.write, world.write, world.stop, world.go_on, world.act, *([world.take_back] if seed % 2 else []), _measure]
    for turn in range(TURNS):
        world.dice.choice(moves)(made, turn)
        newest = Event.objects.filter(channel=f"broadcast:{made.pk}").latest("id")
        if turn % 5 == 0:
            page = browser.get(f"/admin/signalbox_notifications/broadcast/{made.pk}/progress/").content.decode()
            assert _region(page, made) == _region(_pushed(newest, reader), made) != ""


def _measure(made: Broadcast, turn: int) -> None:
    broadcasts.measure_watched()


def _region(html: str, made: Broadcast) -> str:
    found = re.search(rf'<div id="broadcast-{made.pk}-progress".*?</dl>(<div class="btns">.*?</div>)?</div>', html, re.DOTALL)
    return found[0] if found else ""
