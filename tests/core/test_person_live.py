"""Erasing somebody who has a page open, and somebody else who looks at what she said."""

from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import Client

from core import persons
from core.delivery import history
from core.models import Presence
from notifications.rooms import actions as rooms
from notifications.rooms.models import Room
from notifications.rooms.people import Person
from tests.core.delivery.conftest import running_hub  # noqa: F401
from tests.support.live import live_client


def cookies_of(user: Any) -> str:
    client = Client()
    client.force_login(user)
    return "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())


@pytest.mark.django_db(transaction=True)
async def test_her_page_closes_for_good_and_others_see_a_removed_person_in_place(
    running_hub: None,  # noqa: F811
    alice: Any,
    bob: Any,
):
    room = await sync_to_async(rooms.open_room)("club", title="Club", access=Room.Access.PUBLIC, owner=Person.of_user(alice))
    said = await sync_to_async(rooms.post_message)(room, author=Person.of_user(bob), text="Hello")
    at = str((await sync_to_async(history.positions)([room.channel]))[room.channel])
    async with (
        live_client(cookies=await sync_to_async(cookies_of)(alice), positions={room.channel: at}) as hers,
        live_client(cookies=await sync_to_async(cookies_of)(bob), positions={room.channel: at}) as his,
    ):
        await hers.resume()
        await his.resume()
        await sync_to_async(persons.erase)(bob)
        await his.until(lambda me: me.closed is not None, described="the close")
        assert his.closed == 4401
        shown = await hers.texts_until(room.channel, "Removed person")
        assert f'hx-target="#m-{said.pk}" hx-swap="outerHTML"' in shown and "bob" not in shown
    assert not await Presence.objects.filter(who="bob").aexists()
