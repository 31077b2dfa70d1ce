"""A page rendered earlier and the events since are a page rendered now: rooms with their members, and who is there.

Boards: tests/dashboard/test_page_follows.py. The inbox: tests/notifications/test_rows.py.
"""

import random
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from core.delivery import history, presence
from core.delivery.channel import registry
from notifications.rooms import actions
from notifications.rooms.models import Message, Room
from notifications.rooms.people import Person
from tests.dashboard.page import Node, parsed

pytestmark = pytest.mark.django_db(transaction=True)


class Lists:
    """The lists of a page as htmx keeps them: put in or replaced by id, replaced, taken out."""

    def __init__(self, html: str) -> None:
        self.root = parsed(html)

    def apply(self, fragment: str) -> None:
        for order in [node for node in parsed(fragment).all() if node.tag in {"hx-upsert", "hx-partial"}]:
            target = self._target(order.attributes["hx-target"])
            made = [child for child in order.children if isinstance(child, Node)]
            if target is None:
                continue
            match order.attributes.get("hx-swap", "upsert"):
                case "delete":
                    self._take_out(target)
                case "outerHTML":
                    target.become(made[0])
                case "upsert":
                    self._put(target, made[0])

    def _target(self, selector: str) -> Node | None:
        if selector.startswith("#"):
            return self.root.by_id(selector[1:])
        name, _, value = selector.strip("[]").partition("=")
        return next((node for node in self.root.having(name) if node.attributes[name] == value.strip("'\"")), None)

    def _put(self, target: Node, one: Node) -> None:
        known = target.by_id(one.id)
        if known is not None:
            known.become(one)
        else:
            target.children.append(one)

    def _take_out(self, gone: Node) -> None:
        for node in self.root.all():
            node.children = [child for child in node.children if child is not gone]

    def messages(self) -> list[str]:
        (newest,) = self.root.having("data-newest")
        return [node.written() for node in newest.children if isinstance(node, Node) and node.id.startswith("m-")]

    def ids(self, of: str) -> list[str]:
        found = self.root.by_id(of)
        return sorted(node.id for node in found.children if isinstance(node, Node)) if found is not None else []


@pytest.fixture
def club(alice: Any, bob: Any) -> Room:
    return actions.open_room("club", title="Club", access=Room.Access.PUBLIC, owner=Person.of_user(alice))


@pytest.fixture
def page(alice: Any, club: Room) -> Callable[[], Lists]:
    browser = Client()
    browser.force_login(alice)
    return lambda: Lists(browser.get("/rooms/club/").content.decode())


@pytest.mark.parametrize("seed", range(4))
def test_an_open_room_ends_as_one_opened_now(seed: int, club: Room, alice: Any, bob: Any, page: Callable[[], Lists]) -> None:
    dice, people = random.Random(seed), [Person.of_user(alice), Person.of_user(bob)]
    channel = f"room:{club.pk}"
    for number_ in range(3):
        actions.post_message(club, author=people[0], text=f"before {number_}")
    opened, at = page(), history.heads([channel])[channel]
    for turn in range(25):
        _anything(dice, club, people, turn)
    kind = registry.of(channel)
    for event in history.stretch(channel, at).events:
        opened.apply(kind.render(event, str(club.pk)))
    fresh = page()
    assert opened.messages() == fresh.messages() and len(fresh.messages()) > 5
    assert opened.ids("members") == fresh.ids("members")


def _anything(dice: random.Random, room: Room, people: list[Person], turn: int) -> None:
    message = dice.choice(list(Message.objects.filter(room=room, deleted_at=None).order_by("pk")) or [None])
    match dice.choice(["say", "say", "say", "say", "say", "edit", "edit", "delete", "react", "react"]) if message is not None else "say":
        case "say":
            actions.post_message(room, author=dice.choice(people), text=f"line {turn}")
        case "edit":
            author = next((one for one in people if one.key == message.author), None)
            if author is not None:
                actions.edit_message(room, message_id=message.pk, author=author, text=f"edited {turn}")
        case "delete":
            actions.delete_message(room, message_id=message.pk, by=people[0], moderates=True)
        case "react":
            actions.react(room, message_id=message.pk, by=dice.choice(people), emoji="👍")


def test_who_is_there_follows_from_who_was_there_and_the_events_since(monkeypatch: pytest.MonkeyPatch) -> None:
    dice, channel = random.Random(7), "presence:testlog.a"
    monkeypatch.setattr(presence.PresenceKind, "pace", 0.0)
    people, processes = [f"person{number}" for number in range(6)], ["one", "two"]
    for process in processes:
        presence.refresh(process)
    pages: list[tuple[int, set[str]]] = []
    for _ in range(40):
        pages.append((history.heads([channel])[channel], set(presence.people("testlog:a"))))
        presence.write(dice.choice(processes), {("testlog:a", dice.choice(people)): dice.choice([0, 0, 1, 2])})
    for at, shown in pages:
        for event in history.stretch(channel, at).events:
            who = event.data["who"]
            (shown.discard if event.type == "presence.gone" else shown.add)(who)
        assert shown == set(presence.people("testlog:a"))
