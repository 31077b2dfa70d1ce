"""The way out to one client: the server's raw ASGI `send`, and how many bytes it holds for us.

uvicorn's `send` suspends when a client is full; Daphne's accepts without end, so its transport is asked. Both insides are held by
a contract test (tests/core/delivery/test_outlet.py). Frames whose bytes are built go past `send` where the server allows (writers.py).
"""

import asyncio
import inspect
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping, MutableMapping
from typing import Any

from core.delivery import wire
from core.delivery.frame import Frame
from core.delivery.writers import NO_WRITER, write_all, writer_of

RESERVE = 16 * 1024  # bytes of the credit kept for answers, counts and signals, which are small and are not measured before

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def _protocol_of(send: Send) -> Any:
    # uvicorn: a bound method of the protocol. Daphne: partial(server.handle_reply, protocol). Perhaps wrapped, as core.tracing does.
    send = inspect.unwrap(send)
    return getattr(send, "__self__", None) or next(iter(getattr(send, "args", ())), None)


def transport_of(send: Send) -> Any:
    """The transport behind a server's `send`, or None for a server that we do not know."""
    return getattr(_protocol_of(send), "transport", None)


def bytes_held(transport: Any) -> int:
    """How many bytes the server holds that the client's kernel has not taken yet; 0 where that cannot be known."""
    return gauge_of(transport)()


def gauge_of(transport: Any) -> Callable[[], int]:
    """What tells `bytes_held` of one transport, found out once."""
    own: Callable[[], int] | None = getattr(transport, "get_write_buffer_size", None)
    if own is not None:
        return own
    # Twisted: dataBuffer from `offset` on, plus the pieces not yet joined to it.
    if hasattr(transport, "_tempDataLen"):
        return lambda: len(transport.dataBuffer) - int(transport.offset) + int(transport._tempDataLen)
    return lambda: 0


@types.coroutine
def _rest(coroutine: Coroutine[Any, Any, None], awaited: Any) -> Generator[Any, Any, None]:
    """Go on with a coroutine that suspended on `awaited` when it was driven by hand."""
    while True:
        error: BaseException | None = None
        value: Any = None
        try:
            value = yield awaited
        except BaseException as raised:  # noqa: BLE001 (cancellation and failures belong to the coroutine)
            error = raised
        try:
            awaited = coroutine.send(value) if error is None else coroutine.throw(error)
        except StopIteration:
            return


class Outlet:
    """Sends to one client while it has credit. Not for use from two threads.

    is_clear: nothing waits before what is sent now. is_barred: its connection gets nothing (it is being checked, or closing).
    share: as on its connection's form. All that a fan-out asks of a connection stands here, in few lines of the processor's cache.
    """

    __slots__ = ("_credit", "_held", "_send", "_suspended", "_transport", "failed", "is_barred", "is_clear", "share", "writer")

    def __init__(self, send: Send, *, credit: int) -> None:
        self._send = send
        self._credit = credit
        self._transport = transport_of(send)
        self._held = gauge_of(self._transport)
        # For outlets that change nothing about how a frame is sent. While `is_clear`, bytes may go past everything else.
        self.writer = writer_of(_protocol_of(send)) if type(self) is Outlet else NO_WRITER
        self.is_clear = self.writer.own >= 0
        self._suspended: asyncio.Task[None] | None = None
        self.failed = False
        self.is_barred = False
        self.share = ""

    @property
    def has_credit(self) -> bool:
        """Whether something small may be handed over now."""
        if self._suspended is not None or self.failed:
            return False
        if self._credit == 0:
            return True
        held = self._held()
        return held == 0 or held + RESERVE <= self._credit

    def has_room_for(self, text: str) -> bool:
        """Whether this frame may be handed over now, so that no more than the credit is held afterwards. Nothing held: any frame."""
        if not self.has_credit:
            return False
        if self._credit == 0:
            return True
        held = self._held()
        return held == 0 or held + self._size(text) <= self._credit

    def _size(self, text: str) -> int:
        return len(text.wire) if type(text) is Frame else len(text.encode())

    def send_text(self, text: str) -> None:
        """Send one message that covers no range."""
        if self.writer is NO_WRITER or type(text) is not Frame:
            self.send({"type": "websocket.send", "text": text})
            return
        try:
            self.writer.write(text.wire)
        except Exception:  # noqa: BLE001 (the client went away: its disconnect message follows)
            self._fail()

    def send_answer(self, number: int, at: Mapping[str, tuple[str, bool]], refused: Mapping[str, str]) -> None:
        """Answer a resume or subscribe: where each channel stands (position, recovered) and why others were refused."""
        self.send_text(wire.reply(number, **wire.standing(at, refused)))

    def send_frame(self, text: str, channel: str, epoch: str, end: int) -> None:
        """Send one frame that brings a channel to `end`."""
        self.send_text(text)

    def offer(self, text: str, channel: str, epoch: str, end: int) -> bool:
        """Send a frame if there is room for it; False when there is none, and nothing was sent."""
        if self.is_clear and type(text) is Frame and (file := self.writer.file()) >= 0:
            for _, taken in write_all([file], text.wire):
                self.write_behind(text.wire[taken:])
            return True
        if not self.has_room_for(text):
            return False
        self.send_frame(text, channel, epoch, end)
        return True

    def write_behind(self, rest: bytes) -> None:
        """What the kernel did not take of bytes that went to the writer's file."""
        self.writer.behind(rest)

    def send_resync(self, text: str, channel: str, epoch: str, head: int) -> None:
        """Tell the client to start a channel again from a snapshot; it stands at `head` from here on."""
        self.send_text(text)

    def close(self, code: int, *, retry_ms: int | None = None) -> None:
        """Close with a code and a hint when to come back; a client that cannot even take that is dropped."""
        if retry_ms is not None and self.has_credit:
            self.send_text(wire.signal_closing(retry_ms))
        if self.has_credit:
            self.send_close(code)
        else:
            self.abort()

    def send_close(self, code: int) -> None:
        """Hand over a WebSocket's close frame; call only with credit."""
        # Daphne has Autobahn's sendClose do it, which raises at 1012 and 1013; what that one calls takes every code.
        send_frame = getattr(_protocol_of(self._send), "sendCloseFrame", None)
        if send_frame is None:
            self.send({"type": "websocket.close", "code": code})
        else:
            send_frame(code=code, isReply=False)

    def send(self, message: MutableMapping[str, Any]) -> None:
        """Hand over one message; call only with credit. Without a task, unless the server makes us wait."""
        coroutine: Any = self._send(message)
        try:
            awaited = coroutine.send(None)
        except StopIteration:
            return
        except Exception:  # noqa: BLE001 (the client went away: its disconnect message follows)
            self._fail()
            return
        self.is_clear = False
        self._suspended = asyncio.get_running_loop().create_task(self._finish(coroutine, awaited))

    async def _finish(self, coroutine: Any, awaited: Any) -> None:
        try:
            await _rest(coroutine, awaited)
        except Exception:  # noqa: BLE001 (as above)
            self._fail()
        finally:
            self._suspended = None
            self.is_clear = not self.failed and self.writer.own >= 0

    def _fail(self) -> None:
        self.failed, self.is_clear = True, False

    async def drained(self) -> None:
        """Wait for a suspended message, if there is one."""
        if self._suspended is not None:
            await asyncio.wait({self._suspended})

    def abort(self) -> None:
        """Drop the TCP connection: a full client suspends its server's close frame too."""
        if self._suspended is not None:
            self._suspended.cancel()
        abort = getattr(self._transport, "abort", None) or getattr(self._transport, "abortConnection", None)
        if abort is not None:
            abort()
