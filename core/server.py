"""The launcher of both web servers (docs/running.md). It owns the signals: left alone, neither server ends its sockets one by one.

uvicorn closes all of them within 0.1 s and Daphne drops all with 1006 (measured); here a stop is: accept nobody any more, let the hub close
its connections with 1012 spread over DRAIN seconds, then end the server. A second signal ends the process at once.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from core.garbage import collect_seldom

logger = logging.getLogger(__name__)

DRAIN = 10.0  # seconds that the hub may take to close its connections
LAST_REQUESTS = 5.0  # seconds that HTTP requests may still take after that
BACKLOG = 2048
SIGNALS = (signal.SIGTERM, signal.SIGINT)


class PortTaken(Exception):
    """Somebody else listens there, or the address is none of this machine's."""


def listen(*, host: str, port: int) -> socket.socket:
    """Open the socket that the server accepts from. Raises PortTaken with a sentence for people."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host.strip("[]"), port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise PortTaken(f"Cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}. Set PORT to a free port.") from error
    return listener


class Stopping:
    """One orderly stop on the first SIGTERM or SIGINT, the end of the process on the second."""

    def __init__(self, stop: Callable[[], Awaitable[None]]) -> None:
        self._stop = stop
        self._task: asyncio.Future[None] | None = None

    def watch(self) -> None:
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self.on_signal, number)

    def on_signal(self, number: int) -> None:
        if self._task is not None:
            logger.warning("A second signal: ending at once.")
            os._exit(128 + number)
        logger.info("Stopping: closing connections.")
        self._task = asyncio.ensure_future(self._stop())


def run(listener: socket.socket, *, server: str) -> None:
    """Serve ASGI_APPLICATION on this socket until a signal, by `daphne` or `uvicorn`. Must run in the main thread."""
    serving: Any = _Uvicorn(_uvicorn_config()) if server == "uvicorn" else _Daphne(listener)
    collect_seldom()
    if server == "uvicorn":
        serving.run(sockets=[listener])
    else:
        serving.run()


def _announce(listener: socket.socket, server: str) -> None:
    host, port = listener.getsockname()[:2]
    logger.info("Listening on %s:%s (%s).", host, port, server)


# uvicorn


def _uvicorn_config() -> Any:
    import uvicorn

    from core.uvicorn_protocol import QuietWebSockets

    return uvicorn.Config(
        import_string(settings.ASGI_APPLICATION),
        loop="uvloop",
        http="httptools",
        ws=QuietWebSockets,
        ws_max_size=2 * settings.MAX_FRAME_IN or 2**31,  # up to twice the limit gets an error reply, more gets 1009
        ws_ping_interval=20,
        ws_ping_timeout=20,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        access_log=False,
        # Who a request is from is core's to say (TRUSTED_PROXY_HOPS): uvicorn would believe any header from this host.
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=int(LAST_REQUESTS),
    )


def _Uvicorn(config: Any) -> Any:
    import uvicorn

    from core.delivery.hub import hub

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await hub.start()
            await super().startup(sockets)
            self._sockets = sockets or []
            Stopping(self._drain).watch()
            _announce(self._sockets[0], "uvicorn")

        async def _drain(self) -> None:
            for server in self.servers:
                server.close()
            for listener in self._sockets:
                listener.close()
            try:
                await hub.drain(DRAIN)
            finally:
                self.should_exit = True

    return Server(config)


# Daphne


class _Daphne:
    """Daphne on a socket that is already open, without its signal handlers."""

    def __init__(self, listener: socket.socket) -> None:
        # Before anything of Twisted's: this import installs the reactor that runs on asyncio.
        from daphne.server import Server

        self.listener = listener
        self.server = Server(
            import_string(settings.ASGI_APPLICATION),
            endpoints=["adopted"],
            signal_handlers=False,
            http_timeout=None,
            websocket_timeout=-1,  # else every socket ends after a day
            ping_interval=20,
            ping_timeout=20,
            websocket_max_message_size=2 * settings.MAX_FRAME_IN,  # as on uvicorn
            websocket_max_frame_size=2 * settings.MAX_FRAME_IN,
            ready_callable=self._ready,
            server_name="",
        )
        self.server.endpoints = []
        self.port: Any = None
        self.failed: BaseException | None = None

    def run(self) -> None:
        self.server.run()
        if self.failed:
            raise self.failed

    def _ready(self) -> None:
        from twisted.internet import reactor

        # Autobahn cuts the connection where the protocol has a close code (1007, 1009).
        # Each call sets allowNullOrigin anew; a null Origin is told 4403 by us.
        self.server.ws_factory.setProtocolOptions(failByDrop=False, allowNullOrigin=True)
        reactor.callWhenRunning(lambda: asyncio.ensure_future(self._open()))

    async def _open(self) -> None:
        from twisted.internet import reactor

        from core.daphne_protocol import Factory
        from core.delivery.hub import hub

        try:
            Stopping(self._drain).watch()
            await hub.start()
            _announce(self.listener, "daphne")
            # Twisted copies the descriptor; ours must go, or the kernel would go on accepting after the stop.
            self.listener.setblocking(False)
            self.port = reactor.adoptStreamPort(self.listener.fileno(), self.listener.family, Factory(self.server))
            self.listener.close()
        except Exception as error:  # noqa: BLE001 (raised by run(), which waits for the reactor to end)
            self.failed = error
            self.server.stop()

    async def _drain(self) -> None:
        from core.delivery.hub import hub

        try:
            if self.port is not None:
                await self.port.stopListening().asFuture(asyncio.get_running_loop())
            await hub.drain(DRAIN)
            await self._last_requests()
        finally:
            self.server.stop()

    async def _last_requests(self) -> None:
        """Wait until the requests that run have been answered. Daphne looks at its own list once a second."""
        running = [details.get("application_instance") for details in self.server.connections.values()]
        waiting = [task for task in running if task is not None and not task.done()]
        if waiting:
            await asyncio.wait(waiting, timeout=LAST_REQUESTS)
