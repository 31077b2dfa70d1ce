"""For the tests of credit: a kind whose fragments are far larger than its events, and a page that tells what the server holds.

DJANGO_SETTINGS_MODULE=tests.support.flow_settings installs it; SLOW_AFTER=1 closes who has been without credit for a second.
"""

import json
import os
from collections.abc import Collection
from typing import Any

from django.apps import AppConfig
from django.urls import path

from core.delivery.channel import Event, EventType, Kind, Reader, registry
from core.delivery.outlet import bytes_held, transport_of

FRAGMENT = 40_000


class Sheets(Kind):
    """A log of fragments that fill a client's buffers soon: each names its number, in a crowd of dots."""

    name = "testflow"
    types = (EventType("sheet"),)

    def readable(self, readers: Collection[Reader], keys: Collection[str]) -> set[tuple[Reader, str]]:
        return {(reader, key) for reader in readers for key in keys}

    def render(self, event: Event, key: str) -> str:
        return f"[{event.data['number']}]".ljust(FRAGMENT, ".")


async def outlets(scope: Any, receive: Any, send: Any) -> None:
    """A socket that answers each message with the bytes that this process holds for each of its connections' channels."""
    from core.delivery.hub import hub
    from core.delivery.writers import NO_WRITER

    await receive()
    await send({"type": "websocket.accept"})
    while (await receive())["type"] == "websocket.receive":
        held = [[next(iter(one.subscriptions), ""), bytes_held(transport_of(one.outlet._send))] for one in hub.connections]
        short_cuts = sum(one.outlet.writer is not NO_WRITER for one in hub.connections)
        await send({"type": "websocket.send", "text": json.dumps({"held": held, "short_cuts": short_cuts})})


class FlowConfig(AppConfig):
    name = "tests.support.flow"
    label = "signalbox_flow"
    websocket_routes = "tests.support.flow.routes"

    def ready(self) -> None:
        from core.delivery import fanout

        registry.register(Sheets())
        fanout.SLOW = float(os.environ.get("SLOW_AFTER", fanout.SLOW))


routes = [path("test/outlets", outlets)]
