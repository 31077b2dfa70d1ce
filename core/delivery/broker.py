"""The broker hands numbered batches to all processes over the channel layer, at most once; the position poll repairs what it loses.

One lasting thread with one event loop per process does all the waiting: `async_to_sync(group_send)` would open a thread, a loop and
a connection per call. Publishers only put into its bounded queue. See docs/delivery.md.
"""

import asyncio
import atexit
import contextlib
import logging
import os
import re
import threading
import time
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from channels.layers import InMemoryChannelLayer, get_channel_layer

from core.delivery import executor, figures, wire
from core.delivery.channel import ChannelName
from core.delivery.sequencer import Batch

logger = logging.getLogger(__name__)

QUEUED = 10_000  # messages that wait for the layer before they are counted as lost
TIMEOUT = 0.1  # seconds for one message
PROBE_TIMEOUT = 1.0  # the first message makes the connection
REST = 5.0  # seconds that a failing layer is left alone
MANY = 32  # channels in one pass above which only their heads are sent
LARGE = 128 * 1024  # characters of data in a layer message
ROLL_CALL = "doctor"
HUB_GROUP = "hub"  # every hub is in it


class Breaker:
    """Leaves a failing layer alone for `REST` seconds, then lets one message through as a probe."""

    def __init__(self) -> None:
        self._opened_at: float | None = None
        self.proven = False

    @property
    def is_open(self) -> bool:
        return self._opened_at is not None

    def allows(self) -> bool:
        return self._opened_at is None or time.monotonic() - self._opened_at >= REST

    def failed(self, error: BaseException) -> None:
        if self._opened_at is None:
            logger.warning("channel layer unreachable, the position poll takes over: %s", error or type(error).__name__)
        self._opened_at, self.proven = time.monotonic(), False
        figures.breaker_open.set(1)

    def succeeded(self) -> None:
        if self._opened_at is not None:
            logger.warning("channel layer reachable again")
        self._opened_at, self.proven = None, True
        figures.breaker_open.set(0)


class Broker:
    """This process's way onto the channel layer. Never blocks and never raises to a publisher."""

    def __init__(self) -> None:
        self.hub_loop: asyncio.AbstractEventLoop | None = None
        self.breaker = Breaker()
        self._forget_thread()
        os.register_at_fork(after_in_child=self._forget_thread)
        atexit.register(self.flush, 0.1)

    def _forget_thread(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._queue: asyncio.Queue[tuple[str, dict[str, Any]]] | None = None
        self._timers: dict[str, asyncio.TimerHandle] = {}

    # --- what others call, from any thread ---

    def broadcast(self, batches: Iterable[Batch]) -> None:
        """Hand newly numbered events to every process."""
        batches = list(batches)
        if not batches:
            return
        if len(batches) > MANY:
            self._put(HUB_GROUP, wire.heads([(batch.channel, batch.span.end) for batch in batches], batches[0].span.epoch))
            return
        for batch in batches:
            self._put(*_message(batch))

    def ephemeral(self, channel: ChannelName, type: str, data: Any) -> None:
        """Hand an event that is not stored to every process."""
        self._put(channel.group, wire.ephemeral(str(channel), [(type, data)]))

    def answer_roll_call(self, group: Any, process: str) -> None:
        """Say that this process's hub hears the layer, to a shell that asked."""
        if isinstance(group, str) and re.fullmatch(rf"{ROLL_CALL}\.\d{{1,9}}", group, re.ASCII):
            self._put(group, wire.here(process))

    def number_later(self, due: Mapping[str, float]) -> None:
        """Number these paced channels in that many seconds; one timer per channel, a dead process leaves it to the relay."""
        if due:
            loop = self._started()
            loop.call_soon_threadsafe(self._set_timers, dict(due))

    def rings_later(self, channel: str) -> bool:
        """Whether a timer of this process will number this paced channel: whatever has committed by now is then numbered with it."""
        return channel in self._timers

    def flush(self, seconds: float) -> None:
        """Give what is queued that long to go out: a short-lived process calls this as it ends."""
        if self._loop is None or self._queue is None:
            return
        done = asyncio.run_coroutine_threadsafe(self._queue.join(), self._loop)
        try:
            done.result(seconds)
        except TimeoutError:
            done.cancel()

    # --- the loop thread ---

    def _put(self, group: str, message: dict[str, Any]) -> None:
        layer = get_channel_layer()
        if isinstance(layer, InMemoryChannelLayer):
            self._put_in_memory(layer, group, message)
        else:
            self._started().call_soon_threadsafe(self._enqueue, group, message)

    def _put_in_memory(self, layer: Any, group: str, message: dict[str, Any]) -> None:
        # On the hub's own loop: from another one the layer wakes a receiver seconds late.
        loop = self.hub_loop
        if loop is not None and not loop.is_closed():
            figures.broadcasts.inc()
            loop.call_soon_threadsafe(lambda: loop.create_task(layer.group_send(group, message)))

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._queue = asyncio.Queue(QUEUED)
                threading.Thread(target=self._run, args=(self._loop,), name="broker", daemon=True).start()
            return self._loop

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        loop.create_task(self._work())
        loop.run_forever()

    def _enqueue(self, group: str, message: dict[str, Any]) -> None:
        assert self._queue is not None
        try:
            self._queue.put_nowait((group, message))
        except asyncio.QueueFull:
            figures.broadcasts_lost.inc()

    async def _work(self) -> None:
        queue = self._queue
        assert queue is not None
        while True:
            group, message = await queue.get()
            await self._send(group, message)
            queue.task_done()

    async def _send(self, group: str, message: dict[str, Any]) -> None:
        if not self.breaker.allows():
            figures.broadcasts_lost.inc()
            return
        try:
            seconds = TIMEOUT if self.breaker.proven else PROBE_TIMEOUT
            await asyncio.wait_for(get_channel_layer().group_send(group, message), seconds)
        except Exception as error:  # noqa: BLE001 (whatever a layer's client raises: the poll repairs all of it)
            figures.broadcasts_lost.inc()
            self.breaker.failed(error)
        else:
            figures.broadcasts.inc()
            self.breaker.succeeded()

    def _set_timers(self, due: Mapping[str, float]) -> None:
        assert self._loop is not None
        for channel, seconds in due.items():
            if channel not in self._timers:
                self._timers[channel] = self._loop.call_later(seconds, self._ring, channel)

    def _ring(self, channel: str) -> None:
        from core.delivery import sequencer

        self._timers.pop(channel, None)
        executor.submit(sequencer.sequence_channels, [channel])


async def round_trip(patience: float) -> float | None:
    """Send ourselves a message through the layer: how many seconds it took, or None where nothing came back. For a shell."""
    layer, began = get_channel_layer(), time.monotonic()
    group = f"doctor.{os.getpid()}"
    try:
        async with asyncio.timeout(patience):
            name = await layer.new_channel()
            await layer.group_add(group, name)
            await layer.group_send(group, {"type": "doctor.hello"})
            await layer.receive(name)
    except Exception as error:  # noqa: BLE001 (whatever a layer's client raises, nothing came back)
        logger.debug("no round trip: %s", error)
        return None
    return time.monotonic() - began


async def roll_call(wanted: Collection[str], patience: float) -> set[str]:
    """Ask every hub through the layer who is there: which of the wanted ones answered, in time. For a shell."""
    layer, heard = get_channel_layer(), set[str]()
    group = f"{ROLL_CALL}.{os.getpid()}"
    calling: asyncio.Task[None] | None = None
    with contextlib.suppress(Exception):  # as above; whoever answered until then did
        async with asyncio.timeout(patience):
            name = await layer.new_channel()
            await layer.group_add(group, name)
            calling = asyncio.create_task(_call(group))
            while not heard >= set(wanted):
                heard.add(str((await layer.receive(name))["process"]))
    if calling is not None:
        calling.cancel()
        await asyncio.wait({calling})
    return heard & set(wanted)


async def _call(group: str) -> None:
    """Ask again and again: a question or an answer may be lost, and a process that gives the layer a rest answers after it."""
    while True:
        await get_channel_layer().group_send(HUB_GROUP, wire.hello(group))
        await asyncio.sleep(1)


def _message(batch: Batch) -> tuple[str, dict[str, Any]]:
    group = ChannelName.parse(batch.channel).group
    if sum(len(row.data) for row in batch.rows) > LARGE:
        return group, wire.heads([(batch.channel, batch.span.end)], batch.span.epoch)
    return group, wire.batch(batch.channel, batch.span, batch.events)


broker = Broker()
