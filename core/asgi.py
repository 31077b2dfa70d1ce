"""The ASGI application: Django for HTTP, the live sockets for WebSockets. Apps bring sockets by `websocket_routes` in their AppConfig."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")
django_application = get_asgi_application()

from collections.abc import Awaitable, Callable, MutableMapping  # noqa: E402
from typing import Any  # noqa: E402

from channels.routing import URLRouter  # noqa: E402
from django.apps import apps  # noqa: E402
from django.urls import path  # noqa: E402
from django.utils.module_loading import import_string  # noqa: E402

from core import jobs, proxies  # noqa: E402
from core.delivery.consumer import LiveConsumer  # noqa: E402
from core.delivery.hub import hub  # noqa: E402
from core.delivery.longpoll import long_poll, waits  # noqa: E402
from core.delivery.sse import event_stream  # noqa: E402

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def _routes() -> list[Any]:
    routes = [path("live/ws", LiveConsumer.as_asgi())]
    for config in apps.get_app_configs():
        if hasattr(config, "websocket_routes"):
            routes += import_string(config.websocket_routes)
    return routes


sockets = URLRouter(_routes())


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one HTTP request or one WebSocket. The first one starts the hub where the launcher has not."""
    await hub.start()
    jobs.sweep_here()
    if scope["type"] == "websocket":
        await _socket(proxies.believe(scope), receive, send)
    elif scope["type"] == "http":
        await _http(proxies.believe(scope), receive, send)


async def _http(scope: Scope, receive: Receive, send: Send) -> None:
    """Streams and waiting requests hold no thread; everything else is Django's."""
    if scope["path"] == "/live/sse":
        await event_stream(scope, receive, send)
    elif waits(scope):
        await long_poll(django_application, scope, receive, send)
    else:
        await django_application(scope, receive, send)  # type: ignore[arg-type]


async def _socket(scope: Scope, receive: Receive, send: Send) -> None:
    """Route a WebSocket; an address that is none is refused without a traceback."""
    if not any(route.pattern.match(scope["path"].lstrip("/")) for route in sockets.routes):
        await send({"type": "websocket.close", "code": 4404})
        return
    await sockets(scope, receive, send)
