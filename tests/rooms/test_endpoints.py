"""Every address of rooms as owner, member, stranger, guest and banned, in an open room and a closed one. New ones must be added here."""

from typing import Any

import pytest
from django.urls import reverse

from notifications.rooms import urls
from notifications.rooms.models import Membership, Restriction, Room
from notifications.rooms.people import Person, guest_cookie_name, guest_ticket

pytestmark = pytest.mark.django_db

# In the order owner, member, stranger, guest, banned user, banned guest.
READERS = {"lobby": [200, 200, 200, 200, 404, 404], "club": [200, 200, 404, 404, 404, 404]}
LED = {"lobby": [302, 302, 302, 302, 404, 404], "club": [302, 302, 404, 404, 404, 404]}
MEMBERS = {key: [200, 200, 404, 404, 404, 404] for key in READERS}
OWNER = {key: [200, 404, 404, 404, 404, 404] for key in READERS}
PUBLIC = dict.fromkeys(READERS, [200] * 6)
SIGNED_IN = {key: [200, 200, 200, 302, 200, 302] for key in READERS}

GET = {
    "directory": PUBLIC,
    "echo": PUBLIC,
    "new": SIGNED_IN,
    "room": READERS,
    "messages": READERS,
    "people": READERS,
    "latest": READERS,
    "members": READERS,
    "names": READERS,
    "read": MEMBERS,
    "settings": OWNER,
    "message": OWNER,  # the owner wrote it
    "at": LED,
    "membership": dict.fromkeys(READERS, [405] * 6),
}
REFUSED = {key: [302, 404, 404, 404, 404, 404] for key in READERS}
POST: dict[str, list[tuple[dict[str, Any], dict[str, list[int]]]]] = {
    "messages": [({"text": "hello"}, LED)],
    "message": [({"do": "react", "emoji": "👍"}, LED), ({"do": "edit", "text": "new"}, REFUSED), ({"do": "delete"}, REFUSED)],
    "membership": [({"do": "join"}, LED)],
    "settings": [
        ({"do": "invite", "username": "charlie"}, REFUSED),
        ({"do": "archive"}, REFUSED),
        ({"do": "settle", "title": "x", "access": "members", "slow_seconds": 0, "keep_days": 0}, REFUSED),
    ],
}


@pytest.fixture
def browsers(lobby: Room, club: Room, alice: Any, bob: Any, charlie: Any, django_user_model: Any, browser_of: Any) -> list[Any]:
    dave, guest = django_user_model.objects.create_user("dave"), Person("guest:0a1b2c3d4e5f6071", "guest-1234")
    Membership.objects.create(room=lobby, user=bob)
    for room in (lobby, club):
        Membership.objects.create(room=room, user=dave)
        Restriction.objects.create(room=room, who=f"user:{dave.pk}", name="dave", kind="ban")
        Restriction.objects.create(room=room, who=guest.key, name=guest.name, kind="ban")
    banned_guest = browser_of(None)
    banned_guest.cookies[guest_cookie_name()] = guest_ticket(guest)
    return [browser_of(alice), browser_of(bob), browser_of(charlie), browser_of(None), browser_of(dave), banned_guest]


def address(name: str, slug: str, message: int) -> str:
    if name in {"directory", "new", "echo"}:
        return reverse(f"rooms:{name}")
    return reverse(f"rooms:{name}", args=[slug, message] if name in {"message", "at"} else [slug])


def test_every_address_is_in_the_tables_below() -> None:
    assert {pattern.name for pattern in urls.urlpatterns} == set(GET)


@pytest.mark.parametrize("slug", ["lobby", "club"])
@pytest.mark.parametrize("name", GET)
def test_who_gets_what(name: str, slug: str, browsers: list[Any], alice: Any, say: Any) -> None:
    message = say(Room.objects.get(slug=slug), alice, "hello")
    path = address(name, slug, message.pk)
    # A banned member of a banned room is no member either: being banned goes first.
    assert [browser.get(path).status_code for browser in browsers] == GET[name][slug]


@pytest.mark.parametrize("slug", ["lobby", "club"])
@pytest.mark.parametrize(("name", "given", "statuses"), [(name, *one) for name, several in POST.items() for one in several])
def test_who_may_do_what(
    name: str, given: dict[str, Any], statuses: dict[str, list[int]], slug: str, browsers: list[Any], alice: Any, say: Any
) -> None:
    message = say(Room.objects.get(slug=slug), alice, "hello")
    path = address(name, slug, message.pk)
    # The owner last: what she does may close the room.
    order = [1, 2, 3, 4, 5, 0]
    assert [browsers[index].post(path, given).status_code for index in order] == [statuses[slug][index] for index in order]
