"""docs/reference/chat-protocol.md: its client, run from the page's own code against a server that dies under it."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from notifications.rooms import plain
from tests.support import servers

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "chat-protocol.md").read_text()


@pytest.fixture(scope="module")
def client() -> Any:
    """The page's `Chat`."""
    found = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    assert len(found) == 1
    names: dict[str, Any] = {}
    exec(found[0], names)
    return names["Chat"]


def test_the_pages_words_are_ours() -> None:
    shown = [json.loads(text) for text in re.findall(r"```json\n(.*?)\n```", PAGE, re.S)]
    data = {"name": "alice", "text": "Hello", "at": "2026-11-21T10:00:00Z"}
    assert shown[0] == json.loads(plain.chat(room="lobby", data=data, position="e3f1:41"))
    assert shown[1] == json.loads(plain.refusal("too_many", "Not so fast: wait 2 s."))
    assert f"`{plain.greeting()}`" in PAGE
    assert f"`{plain.stored('c-17')}`" in PAGE
    for said in ('{"message": "Hello Django"}', "Hello Django"):
        assert f"| `{said}` " in PAGE
        assert f"`{plain.echoed(plain.heard(said, limit=0))}`" in PAGE


def test_every_code_that_a_room_answers_with_is_on_the_page() -> None:
    folder = Path(plain.__file__).parent
    code = "".join((folder / name).read_text() for name in ("plain.py", "consumer.py", "text.py", "lines.py", "actions.py"))
    answered = set(re.findall(r'(?:refusal|BadFrame|BadText)\("(\w+)"', code)) - {"bad_emoji", "bad_slug", "not_text"}
    assert answered >= {"bad_frame", "too_long", "muted", "unavailable"}
    assert {code for code in answered if f"`{code}`" not in PAGE} == set()


@pytest.mark.parametrize("server", ["daphne", "uvicorn"])
async def test_the_pages_client_loses_and_doubles_nothing_when_the_server_is_killed(client: Any, tmp_path: Path, server: str) -> None:
    site = await asyncio.to_thread(servers.make_site, tmp_path, ROOMS_OPEN="1")
    with site.web(server=server) as web:
        lines: list[dict[str, Any]] = []
        chat = client(f"{web.socket_url.removesuffix('/live/ws')}/ws/chat/protocol/", lines.append)
        task = asyncio.create_task(chat.run())

        async def until(text: str) -> None:
            async with asyncio.timeout(60):
                while text not in [line.get("message") for line in lines]:
                    await asyncio.sleep(0.05)

        chat.say("before")
        await until("before")
        web.kill()
        for number in range(3):
            chat.say(f"meanwhile {number}")
        await asyncio.to_thread(web.start)
        await until("meanwhile 2")
        async with asyncio.timeout(30):
            while chat.waiting:
                await asyncio.sleep(0.05)
        task.cancel()
    said = [line["message"] for line in lines if line["type"] == "chat.message"]
    assert said == ["before", "meanwhile 0", "meanwhile 1", "meanwhile 2"]
