"""Short cuts into the two servers: how the bytes of a frame that is built already get onto a client's socket.

A server's `send` costs several times what the socket's write does: it looks at the message, builds the same frame for every client
again and logs. What is used of the insides is looked for first, and where it is not there `send` is used (docs/fan-out.md). Held by
tests/core/delivery/test_writers.py.
"""

from collections.abc import Callable, Sequence
from os import write as os_write
from typing import Any, NamedTuple


class Writer(NamedTuple):
    """How whole WebSocket frames are written to one client.

    file: its socket, if bytes may go to the kernel past the server: nothing waits before them and the client is not leaving. Else -1.
    Good until anything else happens: the number may be somebody else's after the next turn of the loop.
    behind: hands over behind whatever waits what the kernel did not take of such bytes.
    write: hands over a frame behind whatever waits. Raises Gone, or what the server raises.
    """

    file: Callable[[], int]
    behind: Callable[[bytes], None]
    write: Callable[[bytes], None]


class Gone(ConnectionError):
    """The client went away, or is being closed; its disconnect message follows."""


def no_file() -> int:
    """Of a client whose bytes always go through the server."""
    return -1


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


def writer_of(protocol: Any) -> Writer | None:
    """A way to write whole WebSocket frames to this client, or None where this server is not known to have one."""
    own = getattr(protocol, "frame_writer", None)  # core.uvicorn_protocol
    if own is not None:
        found: Writer | None = own()
        return found
    return _autobahn_writer(protocol)


_AUTOBAHN = ("STATE_OPEN", "send_queue", "sendCloseFrame", "sendPreparedMessage", "_perMessageCompress")
_TWISTED = ("dataBuffer", "offset", "_tempDataLen", "fileno", "disconnecting", "connected")


def _autobahn_writer(protocol: Any) -> Writer | None:
    transport: Any = getattr(protocol, "transport", None)
    if not all(hasattr(protocol, name) for name in _AUTOBAHN) or not all(hasattr(transport, name) for name in _TWISTED):
        return None
    if protocol._perMessageCompress is not None:
        return None
    open_state, own = protocol.STATE_OPEN, transport.fileno()

    def file() -> int:
        if protocol.state != open_state or transport.disconnecting or not transport.connected:
            return -1
        # Without two turns of the reactor's poll.
        return -1 if protocol.send_queue or transport.dataBuffer or transport._tempDataLen else own

    def write(data: bytes) -> None:
        if protocol.state != open_state:
            raise Gone
        protocol.sendData(data)

    return Writer(file, transport.write, write)
