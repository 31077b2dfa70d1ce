"""Who answers a connection: live sockets, streams and waiting requests ourselves, everything else the Django application within.

Apps bring sockets by `websocket_routes` in their AppConfig.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from channels.routing import URLRouter
from django.apps import apps
from django.urls import path
from django.utils.module_loading import import_string

from core import jobs, proxies
from core.delivery.consumer import LiveConsumer
from core.delivery.hub import hub
from core.delivery.longpoll import long_poll, waits
from core.delivery.sse import event_stream
from core.tracing import traced

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def _routes() -> list[Any]:
    routes = [path("live/ws", LiveConsumer.as_asgi())]
    for config in apps.get_app_configs():
        if hasattr(config, "websocket_routes"):
            routes += import_string(config.websocket_routes)
    return routes


def live(within: Any, *, other_sockets: Any = None) -> Application:
    """The ASGI application around Django's. Call it after `get_asgi_application()`. Its first request starts the hub where the launcher
    has not. WebSockets whose address is not ours go to `other_sockets`; where there is none they are refused."""
    sockets = URLRouter(_routes())

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await _started()
            if any(route.pattern.match(scope["path"].lstrip("/")) for route in sockets.routes):
                await sockets(proxies.believe(scope), receive, send)
            else:
                await (other_sockets or _refuse)(scope, receive, send)
        elif scope["type"] == "http":
            await _started()
            await _http(within, proxies.believe(scope), receive, send)

    return traced(application)


async def _started() -> None:
    await hub.start()
    jobs.sweep_here()


async def _http(within: Any, scope: Scope, receive: Receive, send: Send) -> None:
    """Streams and waiting requests hold no thread; everything else is Django's."""
    if scope["path"] == "/live/sse":
        await event_stream(scope, receive, send)
    elif waits(scope):
        await long_poll(within, scope, receive, send)
    else:
        await within(scope, receive, send)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """An address that is none is refused without a traceback."""
    await send({"type": "websocket.close", "code": 4404})
