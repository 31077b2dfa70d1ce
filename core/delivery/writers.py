"""Short cuts into the two servers: how the bytes of a frame that is built already get onto a client's socket.

A server's `send` costs several times what the socket's write does: it looks at the message, builds the same frame for every client
again and logs. What is used of the insides is looked for first, and where it is not there `send` is used (docs/fan-out.md). Held by
tests/core/delivery/test_writers.py.
"""

from collections.abc import Sequence
from os import write as os_write
from typing import Any, Protocol


class Gone(ConnectionError):
    """The client went away, or is being closed; its disconnect message follows."""


class Writer(Protocol):
    """How whole WebSocket frames are written to one client.

    An object with slots and no closures: a fan-out asks a thousand in a row, and each object more that it has to look at (a cell, a bound
    method) is a miss of the processor's cache.
    """

    own: int  # its socket; -1 where bytes always go through the server

    def file(self) -> int:
        """Its socket, if bytes may go to the kernel past the server: nothing waits before them and the client is not leaving. Else -1.

        Good until anything else happens: the number may be somebody else's after the next turn of the loop.
        """
        ...

    def behind(self, data: bytes) -> None:
        """Hand over behind whatever waits what the kernel did not take of bytes that went to `file`."""
        ...

    def write(self, data: bytes) -> None:
        """Hand over a frame behind whatever waits. Raises Gone, or what the server raises."""
        ...


class _NoWriter:
    """Of a server that is not known, or a client who takes other bytes: everything goes through `send`."""

    own = -1

    def file(self) -> int:
        return -1

    def behind(self, data: bytes) -> None:
        raise Gone

    def write(self, data: bytes) -> None:
        raise Gone


NO_WRITER: Writer = _NoWriter()


def write_all(files: Sequence[int], data: bytes) -> list[tuple[int, int]]:
    """Write the same bytes to each of these sockets: (place, bytes taken) of those whose kernel did not take all.

    In a loop of its own, because the kernel's part and Python's keep throwing each other out of the processor's caches: a microsecond.
    """
    whole, left = len(data), []
    for place, file in enumerate(files):
        try:
            taken = os_write(file, data)
        except OSError:
            taken = 0  # full, or lost: its server finds out
        if taken < whole:
            left.append((place, taken))
    return left


def writer_of(protocol: Any) -> Writer:
    """A way to write whole WebSocket frames to this client; NO_WRITER where this server is not known to have one."""
    own = getattr(protocol, "frame_writer", None)  # core.uvicorn_protocol
    if own is not None:
        found: Writer = own()
        return found
    return _AutobahnWriter(protocol) if _is_autobahn(protocol) else NO_WRITER


_AUTOBAHN = ("STATE_OPEN", "send_queue", "sendCloseFrame", "sendPreparedMessage", "_perMessageCompress")
_TWISTED = ("dataBuffer", "offset", "_tempDataLen", "fileno", "disconnecting", "connected")


def _is_autobahn(protocol: Any) -> bool:
    transport: Any = getattr(protocol, "transport", None)
    known = all(hasattr(protocol, name) for name in _AUTOBAHN) and all(hasattr(transport, name) for name in _TWISTED)
    return known and protocol._perMessageCompress is None


class _AutobahnWriter:
    """Daphne's."""

    __slots__ = ("_protocol", "_transport", "own")

    def __init__(self, protocol: Any) -> None:
        self._protocol, self._transport = protocol, protocol.transport
        self.own: int = self._transport.fileno()

    def file(self) -> int:
        protocol, transport = self._protocol, self._transport
        if protocol.state != protocol.STATE_OPEN or transport.disconnecting or not transport.connected:
            return -1
        # Without two turns of the reactor's poll.
        return -1 if protocol.send_queue or transport.dataBuffer or transport._tempDataLen else self.own

    def behind(self, data: bytes) -> None:
        self._transport.write(data)

    def write(self, data: bytes) -> None:
        if self._protocol.state != self._protocol.STATE_OPEN:
            raise Gone
        self._protocol.sendData(data)
