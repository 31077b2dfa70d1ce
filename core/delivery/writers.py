"""Short cuts into the two servers: how the bytes of a frame that is built already get onto a client's socket.

A server's `send` costs several times what the socket's write does: it looks at the message, builds the same frame for every client
again and logs. What is used of the insides is looked for first, and where it is not there `send` is used (docs/fan-out.md). Held by
tests/core/delivery/test_writers.py.
"""

from collections.abc import Callable
from typing import Any, NamedTuple


class Writer(NamedTuple):
    """How whole WebSocket frames are written to one client.

    now: hands over to the kernel if nothing waits before it; False, and nothing is done, when something does or the client is leaving.
    write: hands over behind whatever waits. Raises Gone, or what the server raises.
    """

    now: Callable[[bytes], bool]
    write: Callable[[bytes], None]


class Gone(ConnectionError):
    """The client went away, or is being closed; its disconnect message follows."""


def writer_of(protocol: Any) -> Writer | None:
    """A way to write whole WebSocket frames to this client, or None where this server is not known to have one."""
    own = getattr(protocol, "frame_writer", None)  # core.uvicorn_protocol
    if own is not None:
        found: Writer | None = own()
        return found
    return _autobahn_writer(protocol)


_AUTOBAHN = ("STATE_OPEN", "send_queue", "sendCloseFrame", "sendPreparedMessage", "_perMessageCompress")
_TWISTED = ("dataBuffer", "offset", "_tempDataLen", "writeSomeData", "disconnecting", "connected")


def _autobahn_writer(protocol: Any) -> Writer | None:
    transport: Any = getattr(protocol, "transport", None)
    if not all(hasattr(protocol, name) for name in _AUTOBAHN) or not all(hasattr(transport, name) for name in _TWISTED):
        return None
    if protocol._perMessageCompress is not None:
        return None
    behind, write_some, open_state = transport.write, transport.writeSomeData, protocol.STATE_OPEN

    def now(data: bytes) -> bool:
        if protocol.state != open_state or transport.disconnecting or not transport.connected:
            return False
        if protocol.send_queue or transport.dataBuffer or transport._tempDataLen:
            return False
        # The kernel takes it without two turns of the reactor's poll. What it does not take waits as ever.
        taken = write_some(data)
        if type(taken) is not int:
            taken = 0  # the connection is lost: the ordinary way finds out
        if taken < len(data):
            behind(data[taken:])
        return True

    def write(data: bytes) -> None:
        if protocol.state != open_state:
            raise Gone
        protocol.sendData(data)

    return Writer(now, write)
