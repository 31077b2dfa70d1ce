"""What a message said before it was edited or deleted is told to nobody again: not from the table, not from a hub's memory."""

from typing import Any

import pytest
from asgiref.sync import sync_to_async

from core.delivery import history as delivered
from core.models import Event
from notifications.rooms import actions
from notifications.rooms.kinds import RoomKind
from notifications.rooms.models import Room
from notifications.rooms.people import Person
from tests.rooms.conftest import number_all
from tests.rooms.plain_client import plain_client
from tests.support.live import live_client


def log_of(room: Room) -> str:
    return "".join(Event.objects.filter(channel=room.channel).values_list("data", flat=True))


@pytest.mark.django_db
def test_the_log_forgets_what_was_deleted_and_keeps_its_offsets(lobby: Room, alice: Any, say: Any) -> None:
    message, person = say(lobby, alice, "a secret"), Person.of_user(alice)
    actions.react(lobby, message_id=message.pk, by=person, emoji="👍")
    say(lobby, alice, "stays")
    actions.edit_message(lobby, message_id=message.pk, author=person, text="half a secret")
    actions.delete_message(lobby, message_id=message.pk, by=person)
    number_all()
    assert "secret" not in log_of(lobby)
    found = delivered.stretch(lobby.channel, 0)
    assert (found.whole, [event.offset for event in found.events]) == (True, [1, 2, 3, 4, 5])
    shown = [RoomKind().render(event, str(lobby.pk)) for event in found.events]
    assert shown[0] == shown[1] == shown[3] == ""
    assert "stays" in shown[2]


@pytest.mark.django_db
def test_a_replay_of_an_edited_message_shows_the_new_words_in_its_place(lobby: Room, alice: Any, say: Any) -> None:
    message = say(lobby, alice, "old words")
    for text in ("newer words", "newest words"):
        actions.edit_message(lobby, message_id=message.pk, author=Person.of_user(alice), text=text)
    number_all()
    assert "old words" not in log_of(lobby) and "newer" not in log_of(lobby)
    shown = [RoomKind().render(event, str(lobby.pk)) for event in delivered.stretch(lobby.channel, 0).events]
    assert [push.split(" ")[0] for push in shown] == ["<hx-upsert", "<hx-partial", "<hx-partial"]
    assert all('data-offset="1"' in push and "newest words" in push for push in shown)


@pytest.mark.django_db
def test_what_others_said_under_the_same_key_in_another_room_stays(lobby: Room, hall: Room, alice: Any, say: Any) -> None:
    message = say(lobby, alice, "gone soon")
    Event.objects.create(channel=hall.channel, offset=1, type="message.put", key=str(message.pk), data='{"text":"other"}')
    actions.delete_message(lobby, message_id=message.pk, by=Person.of_user(alice))
    assert "other" in log_of(hall)


@pytest.mark.django_db(transaction=True)
async def test_who_comes_back_is_told_nothing_deleted_from_a_hubs_memory_either(lobby: Room, alice: Any, running_hub: None) -> None:
    person = await sync_to_async(Person.of_user)(alice)
    async with live_client() as watcher:  # has the hub remember this channel
        watcher.positions[lobby.channel] = "0:0"
        await watcher.resume()
        start = watcher.positions[lobby.channel]
        secret = await sync_to_async(actions.post_message)(lobby, author=person, text="a secret")
        changed = await sync_to_async(actions.post_message)(lobby, author=person, text="old words")
        await watcher.texts_until(lobby.channel, "old words")
        await sync_to_async(actions.delete_message)(lobby, message_id=secret.pk, by=person)
        await sync_to_async(actions.edit_message)(lobby, message_id=changed.pk, author=person, text="new words")
        await watcher.texts_until(lobby.channel, "new words")
        async with live_client(positions={lobby.channel: start}) as returned:
            assert (await returned.resume())["at"][lobby.channel]["recovered"] is True
            shown = await returned.texts_until(lobby.channel, "new words")
            assert "secret" not in shown and "old words" not in shown


@pytest.mark.django_db(transaction=True)
async def test_a_plain_client_that_missed_it_hears_the_edited_message_once_and_the_deleted_never(
    lobby: Room, alice: Any, running_hub: None
) -> None:
    person = await sync_to_async(Person.of_user)(alice)
    gone = await sync_to_async(actions.post_message)(lobby, author=person, text="a secret")
    changed = await sync_to_async(actions.post_message)(lobby, author=person, text="old words")
    await sync_to_async(actions.delete_message)(lobby, message_id=gone.pk, by=person)
    await sync_to_async(actions.edit_message)(lobby, message_id=changed.pk, author=person, text="new words")
    epoch = await sync_to_async(delivered.epoch)()
    async with plain_client("/ws/chat/lobby/", query=f"since={epoch}:0") as client:
        assert await client.texts_until("new words") == ["new words"]
