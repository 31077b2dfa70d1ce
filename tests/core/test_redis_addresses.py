"""Connections to Redis notice that the other end is gone without a word, though all that they do is listen."""

import asyncio
import socket

import pytest
from channels_redis.pubsub import RedisPubSubChannelLayer

from core import redis_addresses
from tests.support.servers import Valkey


@pytest.mark.valkey
async def test_the_kernel_asks_whether_a_silent_redis_is_still_there(valkey: Valkey) -> None:
    layer = RedisPubSubChannelLayer(hosts=[redis_addresses.read(valkey.url).layer_host(socket_timeout=5)])
    await layer.new_channel()
    (shard,) = layer._get_layer()._shards
    wire: socket.socket = shard._pubsub.connection._writer.get_extra_info("socket")
    try:
        assert wire.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        idle, every, times = (wire.getsockopt(socket.IPPROTO_TCP, name) for name in _NAMES)
        assert idle + every * times == 30
    finally:
        await layer.flush()


_NAMES = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)


def test_a_socket_file_is_asked_nothing_of_the_kind() -> None:
    assert redis_addresses.read("unix:///run/valkey.sock").layer_host(socket_timeout=5) == {
        "address": "unix:///run/valkey.sock",
        "socket_timeout": 5,
    }


@pytest.mark.valkey
async def test_a_silence_of_many_timeouts_changes_nothing(valkey: Valkey, caplog: pytest.LogCaptureFixture) -> None:
    """Ours is 5 s and pages are silent for hours; here it is a fifth of a second, and the silence ten of them."""
    host = redis_addresses.read(valkey.url).layer_host(socket_timeout=0.2)
    listening, sending = (RedisPubSubChannelLayer(hosts=[dict(host)]) for _ in range(2))
    mailbox = await listening.new_channel()
    await listening.group_add("silent", mailbox)
    (shard,) = listening._get_layer()._shards
    wire = shard._pubsub.connection._writer
    heard = asyncio.ensure_future(listening.receive(mailbox))
    try:
        await asyncio.wait({heard}, timeout=2.0)
        assert not heard.done()
        await sending.group_send("silent", {"type": "live.hello"})
        assert await asyncio.wait_for(heard, 30.0) == {"type": "live.hello"}
        assert shard._pubsub.connection._writer is wire, "it was connected anew"
        assert not caplog.records
    finally:
        await listening.flush()
        await sending.flush()
