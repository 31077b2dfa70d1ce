"""One process, the in-memory layer, real tables: what a page's socket gets."""

import asyncio
from collections.abc import Collection, Mapping
from contextlib import AsyncExitStack
from typing import Any

import pytest
from channels.layers import get_channel_layer
from django.db import transaction
from django.test import Client

from core.delivery import fanout, figures, history, reading, recheck, sequencer, wire
from core.delivery import hub as hub_module
from core.delivery.executor import on_executor
from core.delivery.position import Range
from core.delivery.publishing import NewEvent, publish, publish_many
from core.models import Channel, Event
from tests.support.kinds import Lines
from tests.support.live import live_client

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("running_hub")]


async def position(channel: str) -> str:
    return str((await on_executor(history.positions, [channel]))[channel])


def offset(position: str) -> int:
    return int(position.split(":")[1])


async def say(text: str, *, channel: str = "testlog:a") -> None:
    await on_executor(publish, channel, "line", {"text": text})


async def cookies(user: Any) -> str:
    """Of somebody's browser that has just signed in."""
    browser = Client()
    await on_executor(browser.force_login, user)
    return "; ".join(f"{name}={morsel.value}" for name, morsel in browser.cookies.items())


async def test_an_event_published_after_the_page_was_read_is_shown_once() -> None:
    at = await position("testlog:a")
    await say("before the socket")
    async with live_client(positions={"testlog:a": at}) as client:
        reply = await client.resume()
        assert reply["at"]["testlog:a"]["recovered"] is True
        await say("after it")
        assert await client.texts_until("testlog:a", "[after it]") == "[before the socket][after it]"


async def test_what_was_rolled_back_is_never_shown() -> None:
    def publish_and_fail() -> None:
        with transaction.atomic():
            publish("testlog:a", "line", {"text": "ghost"})
            raise RuntimeError

    async with live_client(positions={"testlog:a": await position("testlog:a")}) as client:
        await client.resume()
        with pytest.raises(RuntimeError):
            await on_executor(publish_and_fail)
        await say("real")
        assert await client.texts_until("testlog:a", "[real]") == "[real]"
        assert await Event.objects.acount() == 1


async def test_a_rolled_back_savepoint_takes_its_events_along_and_no_others() -> None:
    def publish_in_parts() -> None:
        with transaction.atomic():
            publish("testlog:a", "line", {"text": "one"})
            try:
                with transaction.atomic():
                    publish("testlog:a", "line", {"text": "ghost"})
                    raise RuntimeError
            except RuntimeError:
                pass
            with transaction.atomic():
                publish("testlog:a", "line", {"text": "two"})

    async with live_client(positions={"testlog:a": await position("testlog:a")}) as client:
        await client.resume()
        await on_executor(publish_in_parts)
        assert await client.texts_until("testlog:a", "[two]") == "[one][two]"


async def test_a_client_that_comes_back_gets_what_it_missed_in_order() -> None:
    async with live_client(positions={"testlog:a": await position("testlog:a")}) as client:
        await client.resume()
        await say("one")
        await client.texts_until("testlog:a", "[one]")
        positions = dict(client.positions)
    for number in range(20):
        await say(str(number))
    async with live_client(positions=positions) as client:
        await client.resume()
        assert await client.texts_until("testlog:a", "[19]") == "".join(f"[{number}]" for number in range(20))


async def test_too_far_behind_means_not_recovered_and_live_from_the_head(settings: Any) -> None:
    settings.CATCH_UP = 5
    at = await position("testlog:a")
    await on_executor(publish_many, [NewEvent("testlog:a", "line", {"text": str(number)}) for number in range(6)])
    async with live_client(positions={"testlog:a": at}) as client:
        reply = await client.resume()
        assert reply["at"]["testlog:a"] == {"position": await position("testlog:a"), "recovered": False}
        await say("live")
        assert await client.texts_until("testlog:a", "[live]") == "[live]"


@pytest.mark.parametrize("wrong", ["{epoch}:99", "00000000:0", "{epoch}:1152921504606846976"])
async def test_a_position_that_cannot_be_is_not_recovered(wrong: str) -> None:
    await say("one")
    epoch = (await position("testlog:a")).split(":")[0]
    resyncs = figures.resyncs.value()
    async with live_client(positions={"testlog:a": wrong.format(epoch=epoch)}) as client:
        assert (await client.resume())["at"]["testlog:a"]["recovered"] is False
    assert figures.resyncs.value() == resyncs + 1


async def test_a_trimmed_tail_is_not_recovered() -> None:
    at = await position("testlog:a")
    for text in "abc":
        await say(text)
    await Event.objects.filter(offset__lte=2).adelete()
    await Channel.objects.filter(name="testlog:a").aupdate(tail=3)
    async with live_client(positions={"testlog:a": at}) as client:
        assert (await client.resume())["at"]["testlog:a"]["recovered"] is False


async def test_what_one_may_not_read_looks_like_what_does_not_exist() -> None:
    async with live_client(positions={"nothing:1": "0:0", "system:authority": "0:0"}) as client:
        client.positions["testlog:secret"] = await position("testlog:secret")
        reply = await client.resume()
        assert reply["refused"]["testlog:secret"] == reply["refused"]["nothing:1"] == reply["refused"]["system:authority"] == "not_found"
        await say("for others", channel="testlog:secret")
        await say("for all")
        assert "testlog:secret" not in client.shown


async def test_a_signed_in_person_reads_what_a_guest_may_not(alice: Any) -> None:
    cookie = await cookies(alice)
    async with live_client(positions={"testlog:secret": await position("testlog:secret")}, cookies=cookie) as client:
        assert (await client.resume())["at"]["testlog:secret"]["recovered"] is True
        await say("inside", channel="testlog:secret")
        await client.texts_until("testlog:secret", "[inside]")


async def test_a_personal_event_reaches_its_person_and_keeps_the_order_for_the_others(alice: Any, bob: Any) -> None:
    at = {"testlog:a": await position("testlog:a")}
    async with (
        live_client(positions=dict(at), cookies=await cookies(alice)) as hers,
        live_client(positions=dict(at), cookies=await cookies(bob)) as his,
    ):
        await hers.resume()
        await his.resume()
        await on_executor(publish, "testlog:a", "whisper", {"text": "psst", "to": str(alice.pk)})
        await say("end")
        assert await hers.texts_until("testlog:a", "[end]") == f"[psst for {alice.pk}][end]"
        assert await his.texts_until("testlog:a", "[end]") == "[end]"


async def test_the_same_personal_answer_for_many_is_one_frame(alice: Any, bob: Any, charlie: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broadcast is one row for whoever has not read it: on a thousand screens its frame is built once."""
    built, whole = [], wire.push

    def push(channel: str, span: Range, html: str) -> str:
        built.append(html)
        return whole(channel, span, html)

    def personalise(self: Lines, event: Any, key: str, users: Collection[str]) -> Mapping[str, str]:
        return {user: "[not you]" if user == str(charlie.pk) else "[psst]" for user in users}

    monkeypatch.setattr(wire, "push", push)
    monkeypatch.setattr(Lines, "personalise", personalise)
    at = {"testlog:a": await position("testlog:a")}
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(live_client(positions=dict(at), cookies=await cookies(who))) for who in (alice, bob, charlie)
        ]
        for client in clients:
            await client.resume()
        await on_executor(publish, "testlog:a", "whisper", {"text": "psst"})
        said = [await client.texts_until("testlog:a", "]") for client in clients]
    assert said == ["[psst]", "[psst]", "[not you]"]
    assert sorted(built) == ["[not you]", "[psst]"]


async def hush(times: int) -> None:
    for _ in range(times):
        await on_executor(publish, "testlog:a", "hush")


async def test_what_says_nothing_is_no_frame_and_the_next_one_that_speaks_covers_it() -> None:
    """Each portion of a million inbox rows went to every screen as a frame without a word, beside which other publishers waited."""
    at = await position("testlog:a")
    async with live_client(positions={"testlog:a": at}) as client:
        await client.resume()
        await say("one")
        await hush(3)
        await say("two")
        assert await client.texts_until("testlog:a", "[two]") == "[one][two]"
        spans = [(frame["from"] - offset(at), frame["to"] - offset(at)) for frame in client.frames if "from" in frame]
        assert spans == [(0, 1), (1, 5)]


async def test_after_a_long_silence_a_frame_says_how_far_the_channel_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanout, "SILENCE", 5)
    at = await position("testlog:a")
    async with live_client(positions={"testlog:a": at}) as client:
        await client.resume()
        await hush(7)
        await say("seen")
        await client.texts_until("testlog:a", "[seen]")
        assert [frame["to"] - offset(at) for frame in client.frames if "from" in frame] == [5, 8]


async def test_who_comes_back_in_a_silence_is_brought_to_its_end() -> None:
    at = await position("testlog:a")
    await hush(3)
    async with live_client(positions={"testlog:a": at}) as client:
        assert (await client.resume())["at"]["testlog:a"]["recovered"] is True
        await client.until(lambda me: offset(me.positions["testlog:a"]) == offset(at) + 3)


async def test_state_channels_end_on_the_newest_version_of_every_key() -> None:
    def set_values() -> None:
        for value in range(10):
            publish("teststate:a", "value", {"value": value}, key="x")
        publish("teststate:a", "value", {"value": "y"}, key="y")

    at = await position("teststate:a")
    async with live_client(positions={"teststate:a": at}) as client:
        await client.resume()
        await on_executor(set_values)
        shown = await client.texts_until("teststate:a", "[y=y]")
        assert shown.rindex("[x=9]") == shown.rindex("[x=")
    async with live_client(positions={"teststate:a": at}) as late:
        await late.resume()
        assert await late.texts_until("teststate:a", "[y=y]") == "[x=9][y=y]"


async def test_a_paced_channel_is_numbered_at_once_and_then_at_its_pace() -> None:
    async with live_client(positions={"testpaced:a": await position("testpaced:a")}) as client:
        await client.resume()
        for value in range(30):
            await on_executor(publish, "testpaced:a", "value", {"value": value}, key="x")
        shown = await client.texts_until("testpaced:a", "[x=29]")
        assert shown.startswith("[x=0]")
        assert shown.count("[") < 30


async def test_the_relay_numbers_what_a_dead_publisher_left(monkeypatch: pytest.MonkeyPatch) -> None:
    async with live_client(positions={"testlog:a": await position("testlog:a")}) as client:
        await client.resume()
        monkeypatch.setattr(sequencer, "sequence_committed", lambda events: None)
        rescued = figures.relay_rescues.value()
        await say("orphan")
        assert await client.texts_until("testlog:a", "[orphan]") == "[orphan]"
        assert figures.relay_rescues.value() == rescued + 1


async def test_the_poll_finds_what_the_layer_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    from core.delivery.broker import broker

    async with live_client(positions={"testlog:a": await position("testlog:a")}) as client:
        await client.resume()
        monkeypatch.setattr(broker, "broadcast", lambda batches: None)
        gaps = figures.gaps.value()
        await say("lost")
        assert await client.texts_until("testlog:a", "[lost]") == "[lost]"
        assert figures.gaps.value() > gaps


async def test_a_subscribe_to_a_held_channel_resumes_it() -> None:
    at = await position("testlog:a")
    async with live_client(positions={"testlog:a": at}) as client:
        await client.resume()
        await say("one")
        await client.texts_until("testlog:a", "[one]")
        client.positions["testlog:a"], client.shown = at, {}
        client.say({"id": 4, "do": "subscribe", "at": {"testlog:a": at}})
        assert (await client.reply_to(4))["at"]["testlog:a"]["recovered"] is True
        assert await client.texts_until("testlog:a", "[one]") == "[one]"


async def test_after_unsubscribe_nothing_more_arrives() -> None:
    async with live_client(positions={"testlog:a": await position("testlog:a"), "testlog:b": await position("testlog:b")}) as client:
        await client.resume()
        client.say({"id": 5, "do": "unsubscribe", "channels": ["testlog:a"]})
        await client.reply_to(5)
        await say("unheard")
        await say("heard", channel="testlog:b")
        await client.texts_until("testlog:b", "[heard]")
        assert client.texts("testlog:a") == ""


async def test_a_client_that_stops_reading_delays_nobody_and_misses_nothing() -> None:
    at = await position("testlog:a")
    async with live_client(positions={"testlog:a": at}) as slow, live_client(positions={"testlog:a": at}) as quick:
        await slow.resume()
        await quick.resume()
        slow.stop_reading()
        for number in range(10):
            await say(str(number))
        everything = "".join(f"[{number}]" for number in range(10))
        assert await quick.texts_until("testlog:a", "[9]") == everything
        slow.read_again()
        assert await slow.texts_until("testlog:a", "[9]") == everything


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "{",
        "[]",
        "1",
        "null",
        '"x"',
        "{}",
        '{"do": 1}',
        '{"do": "fly"}',
        '{"do": "subscribe", "at": []}',
        '{"do":"ping","id":1.5}',
        '{"do": "websocket.disconnect"}',
        '{"type": "chat.message"}',
        "[" * 20000,
        '{"x": "\\ud800"}',
        '{"a": NaN}',
        '{"id": 1' + "0" * 4400 + "}",
    ],
    ids=lambda frame: frame[:20],
)
async def test_a_frame_that_cannot_be_read_gets_an_error_and_the_socket_stays(frame: str) -> None:
    async with live_client(positions={"testlog:a": await position("testlog:a")}) as client:
        await client.resume()
        client.say(frame)
        error = await client.until(lambda me: next((f for f in me.frames if f.get("ok") is False), None))
        assert error["error"]["code"] and error["error"]["detail"]
        await say("still here")
        await client.texts_until("testlog:a", "[still here]")


async def test_the_fifth_bad_frame_closes_the_socket() -> None:
    async with live_client(positions={}) as client:
        await client.resume()
        for _ in range(5):
            client.say("garbage")
        await client.until(lambda me: me.closed == 4400)


async def test_commands_before_resume_are_refused() -> None:
    async with live_client() as client:
        client.say({"id": 1, "do": "subscribe", "at": {"testlog:a": None}})
        assert (await client.reply_to(1))["error"]["code"] == "resume_first"


@pytest.mark.parametrize(
    "origin", ["null", "http://127.0.0.1:9000", "https://127.0.0.1:8000", "http://127.0.0.1.evil.example:8000", "http://evil.example"]
)
async def test_a_foreign_origin_is_closed_with_4403(origin: str) -> None:
    async with live_client(origin=origin) as client:
        await client.until(lambda me: me.closed == 4403)


async def test_without_an_origin_cookies_do_not_count() -> None:
    async with live_client(origin="", cookies="sessionid=abc") as client:
        await client.until(lambda me: me.closed == 4403)
    async with live_client(origin="", positions={"testlog:a": await position("testlog:a")}) as client:
        assert (await client.resume())["ok"] is True


async def test_the_newest_tab_wins_over_the_limit(alice: Any, settings: Any) -> None:
    settings.MAX_CONNECTIONS_PER_USER = 1
    cookie = await cookies(alice)
    async with live_client(cookies=cookie) as old, live_client(cookies=cookie) as new:
        await old.resume()
        await new.resume()
        await old.until(lambda me: me.closed == 4409)
        assert new.closed is None


async def test_many_who_come_together_share_their_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    at = await position("testlog:a")
    for number in range(20):
        await say(str(number))
    reads: list[int] = []
    stretches = history.stretches
    monkeypatch.setattr(history, "stretches", lambda after, **more: reads.append(1) or stretches(after, **more))
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(live_client(positions={"testlog:a": at})) for _ in range(50)]
        await asyncio.gather(*(client.resume() for client in clients))
        for client in clients:
            assert await client.texts_until("testlog:a", "[19]") == "".join(f"[{number}]" for number in range(20))
    assert len(reads) <= 2


async def test_a_socket_of_great_age_is_asked_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recheck, "MAX_AGE", 0.0)
    monkeypatch.setattr(recheck, "RECHECK", 0.1)
    await hub_module.hub.stop()
    await hub_module.hub.start()
    async with live_client() as client:
        await client.resume()
        await client.until(lambda me: me.closed == 1012)
        assert any(frame.get("signal") == "closing" and frame["retry_ms"] for frame in client.frames)


async def test_draining_closes_everybody_with_1012_and_a_hint() -> None:
    async with live_client() as one, live_client() as two:
        await one.resume()
        await two.resume()
        await hub_module.hub.drain(0.1)
        for client in (one, two):
            await client.until(lambda me: me.closed == 1012)
            assert any(frame.get("signal") == "closing" for frame in client.frames)


async def test_a_layer_membership_of_a_day_and_a_dead_mailbox_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "REJOIN", 0.0)  # the in-memory layer forgets members after a day: joined again at every poll
    monkeypatch.setattr(reading, "POLL", 0.1)
    async with live_client(positions={"testlog:a": await position("testlog:a")}) as client:
        await client.resume()
        layer = get_channel_layer()
        await layer.flush()
        await say("while nobody was a member")
        await client.texts_until("testlog:a", "[while nobody was a member]")
        await say("again")
        assert await client.texts_until("testlog:a", "[again]") == "[while nobody was a member][again]"
