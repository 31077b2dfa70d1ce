"""People who chat over plain sockets: one message after the other, under ids of their own, said again while they have not come back."""

import asyncio
import json
import re
import time
from contextlib import suppress
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.chaos.clients import Client, Person, Setting
from tests.chaos.records import Mark, Outcome, Published, Shown

SAID = re.compile(r"(\w+) says (\d+)")
AGAIN = 2.0  # seconds after which a message that did not come back is said again on the same socket


class ChatClient(Client):
    """One tab of a person in one room. `position` is the last that it was told; from there it goes on when it comes back."""

    transport = "ws"

    def __init__(self, name: str, slug: str, channel: str, epoch: str, person: Person, setting: Setting, *, every: float) -> None:
        super().__init__(name, [channel], person, setting)
        self.slug, self.channel, self.every = slug, channel, every
        self.position = f"{epoch}:0"
        self.talks = True  # False: listens until it is ended
        self.said: list[Published] = []
        self.errors: list[str] = []
        self.came_back = 0
        self._number = 0
        self._heard = asyncio.Event()
        self._began = 0.0

    async def open_page(self) -> None:
        """There is none."""

    @property
    def repairs(self) -> int:
        return self.came_back

    @property
    def has_all_back(self) -> bool:
        return len(self.said) == self._number

    async def talk(self, url: str) -> None:
        address = f"{url.replace('http://', 'ws://')}/ws/chat/{self.slug}/?since={self.position}"
        headers = self.person.headers(url)
        async with connect(
            address, origin=url, additional_headers=headers, proxy=None, open_timeout=5, close_timeout=0.2, ping_interval=None,
        ) as socket:  # fmt: skip
            self._take(json.loads(await socket.recv()))
            self.live()
            self.came_back += len(self.spells) > 1
            speaking = asyncio.create_task(self._speak(socket))
            try:
                async for text in socket:
                    self._take(json.loads(text))
            finally:
                speaking.cancel()
                self.codes.append(socket.close_code or 1006)

    async def _speak(self, socket: ClientConnection) -> None:
        with suppress(ConnectionClosed):
            while True:
                if self.has_all_back:
                    await asyncio.sleep(self.every)
                    if not self.talks:
                        continue
                    self._number += 1
                    self._began = time.monotonic()
                self._heard.clear()
                await socket.send(json.dumps({"message": f"{self.name} says {self._number}", "client_id": f"{self.name}-{self._number}"}))
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._heard.wait(), AGAIN)

    def _take(self, said: dict[str, Any]) -> None:
        if said["type"] == "error":
            self.errors.append(said["code"])
        if said["type"] != "chat.message":
            return
        found = SAID.fullmatch(said["message"])
        assert found, said
        mark, now = Mark(found[1], int(found[2])), time.monotonic()
        self.position = said["position"]
        track = self.logs()[0]
        track.entries.append(Shown(mark, int(self.position.partition(":")[2]), now))
        if mark == Mark(self.name, self._number) and not self.has_all_back:
            # Heard back: it is stored. That is all the answer that a plain socket gives.
            self.said.append(Published(mark, self.channel, Outcome.ACKNOWLEDGED, self._began, now, together=f"{self.name}-{self._number}"))
            self._heard.set()

    def published(self) -> list[Published]:
        """What it said; of the last one nobody knows, where it never came back."""
        if self.has_all_back:
            return list(self.said)
        mark = Mark(self.name, self._number)
        return [*self.said, Published(mark, self.channel, Outcome.UNKNOWN, self._began, time.monotonic())]
