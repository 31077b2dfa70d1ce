"""Who is sent out through one process goes silent in the others: on the page's socket, on a plain one, and on a stream."""

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.support import servers

ROOM = """
from django.contrib.auth import get_user_model
from django.test import Client
from notifications.rooms import actions
from notifications.rooms.people import Person
people = {name: get_user_model().objects.create_user(name) for name in ("alice", "bob")}
room = actions.open_room("lobby", title="Lobby", access="public", owner=Person.of_user(people["alice"]))
message = actions.post_message(room, author=Person.of_user(people["bob"]), text="words of bob")
browsers = {name: Client() for name in people}
for name, browser in browsers.items():
    browser.force_login(people[name])
keys = {name: next(morsel.value for cookie, morsel in browser.cookies.items() if "session" in cookie) for name, browser in browsers.items()}
import json
print(json.dumps({"channel": room.channel, "message": message.pk, "keys": keys}))
"""
WITHIN = 1.0  # seconds: the promise


class Listener:
    """What somebody hears, with the moment; ends when she is told to go."""

    def __init__(self, web: servers.Web, channel: str, session: str) -> None:
        self.web, self.channel = web, channel
        self.headers = {"Cookie": f"sessionid_{web.port}={session}", "Origin": web.url}
        self.heard: dict[str, list[str]] = {"page": [], "plain": [], "stream": []}

    async def page(self) -> None:
        async with connect(self.web.socket_url, additional_headers=self.headers, proxy=None) as socket:
            await socket.send(json.dumps({"do": "resume", "at": {self.channel: "0:0"}}))
            async for text in socket:
                self.heard["page"].append(str(text))

    async def plain(self) -> None:
        address = self.web.socket_url.replace("/live/ws", "/ws/chat/lobby/")
        try:
            async with connect(address, additional_headers=self.headers, proxy=None) as socket:
                async for text in socket:
                    self.heard["plain"].append(str(text))
        except ConnectionClosed:
            return

    async def stream(self) -> None:
        address = f"{self.web.url}/live/sse?channel={self.channel}&as=json"
        async with (
            httpx.AsyncClient(timeout=None, trust_env=False) as client,
            client.stream("GET", address, headers={"Cookie": self.headers["Cookie"]}) as answer,
        ):
            async for line in answer.aiter_lines():
                self.heard["stream"].append(line)


async def until(what: Callable[[], Any], described: Callable[[], str]) -> None:
    try:
        async with asyncio.timeout(servers.PATIENCE):
            while not what():
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(described()) from None


def csrf(client: httpx.Client) -> dict[str, str]:
    client.get("/rooms/lobby/")
    token = next(value for name, value in client.cookies.items() if "csrf" in name)
    return {"X-CSRFToken": token, "Referer": f"{client.base_url}/"}


@pytest.mark.valkey
@pytest.mark.parametrize("server", ["daphne", "uvicorn"])
async def test_who_is_banned_in_one_process_hears_nothing_more_in_another(tmp_path: Path, server: str) -> None:
    with servers.start_valkey() as valkey:
        site = await asyncio.to_thread(servers.make_site, tmp_path, redis=valkey.url)
        made = json.loads(site.manage("shell", "-v0", "-c", ROOM).stdout.strip().splitlines()[-1])
        with site.web(server=server) as here, site.web(server=server) as there:
            bob = Listener(there, made["channel"], made["keys"]["bob"])
            tasks = [asyncio.create_task(way()) for way in (bob.page, bob.plain, bob.stream)]
            cookies = {f"sessionid_{here.port}": made["keys"]["alice"]}
            with httpx.Client(base_url=here.url, cookies=cookies, trust_env=False) as alice:
                headers = csrf(alice)

                def say(text: str) -> int:
                    return alice.post("/rooms/lobby/messages/", data={"text": text}, headers=headers).status_code

                await until(lambda: all(bob.heard.values()), lambda: f"not all are connected: {bob.heard}")
                # Each way begins where it was opened: said again until all three live.
                async with asyncio.timeout(servers.PATIENCE):
                    while not all(any("before" in text for text in ways) for ways in bob.heard.values()):
                        assert await asyncio.to_thread(say, "before") == 302
                        await asyncio.sleep(0.5)
                given = {"do": "ban", "message": made["message"]}
                banned = await asyncio.to_thread(alice.post, "/rooms/lobby/settings/", data=given, headers=headers)
                gone = time.monotonic()
                assert banned.status_code == 302
                # Nothing is said in the second that the promise gives; what is said after it may reach nobody who was sent out.
                await asyncio.sleep(max(0.0, gone + WITHIN - time.monotonic()))
                assert await asyncio.to_thread(say, "after") == 302
                await until(tasks[1].done, lambda: "the plain socket was not closed")
                async with connect(
                    there.socket_url.replace("/live/ws", "/ws/chat/lobby/"),
                    additional_headers={"Cookie": f"sessionid_{there.port}={made['keys']['alice']}", "Origin": there.url},
                    proxy=None,
                ) as witness:  # what was said has reached that process
                    while "after" not in str(await asyncio.wait_for(witness.recv(), servers.PATIENCE)):
                        pass
                assert not any("after" in text for ways in bob.heard.values() for text in ways)
                assert any('"resync"' in text for text in bob.heard["page"])
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
