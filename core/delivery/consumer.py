"""The WebSocket at /live/ws: a Channels consumer that hands frames to its Connection and obeys. See docs/delivery.md."""

import asyncio
import logging
import time
from typing import Any

from channels.consumer import AsyncConsumer
from channels.exceptions import StopConsumer
from django.conf import settings

from core.delivery import wire
from core.delivery.arrivals import arrivals
from core.delivery.connection import Close, Connection, Effect, Join, Leave, Rate, Say, Signal
from core.delivery.forms import Form, HtmlForm
from core.delivery.hub import hub
from core.delivery.identity import credential
from core.delivery.origins import origin_allowed
from core.delivery.outlet import Outlet
from core.tracing import ids, new_id

logger = logging.getLogger(__name__)

RESUME_WITHIN = 5.0  # seconds
BURST = 60


class SocketConsumer(AsyncConsumer):  # type: ignore[misc]  # Channels has no types
    """What every live socket shares: no mailbox of its own, no hop to Channels' shared thread, an outlet with credit."""

    channel_layer_alias = "none"  # an alias that is not set: the hub has the one mailbox

    async def dispatch(self, message: dict[str, Any]) -> None:
        # Not super(): it hops to the shared thread for every message, to close database connections that we do not open there.
        handler = {
            "websocket.connect": self.websocket_connect,
            "websocket.receive": self.websocket_receive,
            "websocket.disconnect": self.websocket_disconnect,
        }[message["type"]]
        await handler(message)

    def make_connection(self, form: Form) -> Connection:
        """The connection behind this socket, over the server's raw `send`."""
        client = self.scope.get("client") or ("", 0)
        return Connection(
            outlet=Outlet(self.base_send, credit=settings.CREDIT),
            form=form,
            rate=Rate(settings.COMMANDS_PER_SECOND, BURST),
            max_frame=settings.MAX_FRAME_IN,
            max_channels=settings.MAX_CHANNELS_PER_CONNECTION,
            opened_at=time.monotonic(),
            id=ids().get("connection") or new_id(),
            address=client[0],
        )

    async def accept(self) -> bool:
        """Accept the socket, since a close code reaches only who was accepted; False when it was closed again at once."""
        await self.base_send({"type": "websocket.accept"})
        if not origin_allowed(self.scope):
            await self.base_send({"type": "websocket.close", "code": 4403})
            return False
        if hub.draining:
            Outlet(self.base_send, credit=settings.CREDIT).close(1012)
            return False
        return True

    async def websocket_connect(self, message: dict[str, Any]) -> None:
        raise NotImplementedError

    async def websocket_receive(self, message: dict[str, Any]) -> None:
        raise NotImplementedError

    async def websocket_disconnect(self, message: dict[str, Any]) -> None:
        raise NotImplementedError


class LiveConsumer(SocketConsumer):
    """One page's socket."""

    connection: Connection | None = None

    async def websocket_connect(self, message: dict[str, Any]) -> None:
        await hub.start()
        if await self.accept():
            self.connection = self.make_connection(HtmlForm("en"))
            logger.info("socket opened")
            loop = asyncio.get_running_loop()
            self._silence = loop.call_later(RESUME_WITHIN, self._close_silent)

    def _close_silent(self) -> None:
        if self.connection is not None and not self.connection.resumed:
            hub.close(self.connection, 4400)

    async def websocket_receive(self, message: dict[str, Any]) -> None:
        if self.connection is None or self.connection.closing:
            return
        for effect in self.connection.on_frame(text=message.get("text"), binary=message.get("bytes"), now=time.monotonic()):
            await self._perform(self.connection, effect)

    async def _perform(self, connection: Connection, effect: Effect) -> None:
        match effect:
            case Say(text):
                self._say(connection, text)
            case Join():
                fresh = credential(self.scope) if effect.number == 0 and not connection.admitted else None
                await arrivals.serve(connection, effect, fresh)
            case Leave(number, channels):
                for channel in channels:
                    hub.unsubscribe(connection, channel)
                self._say(connection, wire.reply(number))
            case Signal():
                self._pass_on(connection, effect)
            case Close(code):
                hub.close(connection, code)

    def _say(self, connection: Connection, text: str) -> None:
        if connection.outlet.has_credit and not connection.closing:
            connection.outlet.send_text(text)

    def _pass_on(self, connection: Connection, signal: Signal) -> None:
        """Hand a client's signal to the kind of a channel that it is subscribed to."""
        subscription = connection.subscriptions.get(str(signal.channel))
        if subscription is None:
            detail = f"You are not subscribed to {signal.channel}."
            self._say(connection, wire.refusal(signal.number, code="not_subscribed", detail=detail, field="channel"))
            return
        subscription.topic.kind.on_signal(connection.reader, signal.channel.key, signal.what, signal.items)

    async def websocket_disconnect(self, message: dict[str, Any]) -> None:
        if self.connection is not None:
            self._silence.cancel()
            hub.dismiss(self.connection)
            logger.info("socket closed", extra={"code": int(message.get("code") or 1006)})
        raise StopConsumer
