"""Kinds of channel for tests of the delivery itself: a log, a state channel, and one with a pace. Also an app that brings them along."""

import json
from collections.abc import Collection, Mapping
from typing import Any

from django.apps import AppConfig
from django.urls import path

from core.delivery.channel import Event, EventType, Keeps, Kind, Reader, registry
from core.delivery.outlet import Outlet, bytes_held, transport_of


class KindsConfig(AppConfig):
    """For real processes: DJANGO_SETTINGS_MODULE=tests.support.settings installs it."""

    name = "tests.support"
    label = "signalbox_tests"
    websocket_routes = "tests.support.kinds.routes"

    def ready(self) -> None:
        from tests.support import mission

        for kind in (Lines(), Values(), PacedValues()):
            registry.register(kind)
        mission.connect()


class Lines(Kind):
    """Readable by everybody but where the key says `secret`."""

    name = "testlog"
    has_presence = True
    types = (EventType("line"), EventType("whisper"), EventType("hush"), EventType("blink", ephemeral=True), EventType("raw", raw=True))

    def readable(self, readers: Collection[Reader], keys: Collection[str]) -> set[tuple[Reader, str]]:
        return {(reader, key) for reader in readers for key in keys if key != "secret" or reader.user}

    def render(self, event: Event, key: str) -> str:
        return "" if event.type == "hush" else f"[{event.data.get('text', event.type)}]"

    def render_presence(self, who: str, key: str, *, here: bool) -> str:
        return f"[{who} {'came' if here else 'left'}]"

    def is_personal(self, event: Event) -> bool:
        return event.type == "whisper"

    def personalise(self, event: Event, key: str, users: Collection[str]) -> Mapping[str, str]:
        return {user: f"[{event.data['text']} for {user}]" for user in users if user == event.data["to"]}


class Values(Kind):
    name = "teststate"
    keeps = Keeps.STATE
    types = (
        EventType("value"),
        EventType("config", slot="config", revives=True),
        EventType("removed", slot="config", removes=True),
    )

    def readable(self, readers: Collection[Reader], keys: Collection[str]) -> set[tuple[Reader, str]]:
        return {(reader, key) for reader in readers for key in keys}

    def render(self, event: Event, key: str) -> str:
        return f"[{event.key}={event.data.get('value', event.type)}]"


class PacedValues(Values):
    name = "testpaced"
    pace = 0.2


async def held(scope: Any, receive: Any, send: Any) -> None:
    """A socket that fills its own client until the server holds bytes for it, then tells how many: the outlet's contract test."""
    outlet = Outlet(send, credit=0)
    await receive()
    await send({"type": "websocket.accept"})
    most = 0
    for _ in range(400):
        if not outlet.has_credit:
            break
        outlet.send_text('"' + "x" * 65_536 + '"')
        most = max(most, bytes_held(transport_of(send)))
    await outlet.drained()
    await send({"type": "websocket.send", "text": json.dumps({"held": most})})
    await receive()


routes = [path("test/held", held)]
