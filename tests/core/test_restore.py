"""A copy is made and put back by the commands of docs/care.md, while a page is open that saw more than the copy holds."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.support import machine
from tests.support.servers import ROOT, NotThere, Site, free_port
from tests.support.wire_client import SocketClient, socket_client

DATABASES = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
NAMES = {"sqlite": "SQLite", "postgres": "Postgres"}
SESSION = """
from importlib import import_module
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from core.tokens import make_token
bob = get_user_model().objects.create_user("bob")
session = import_module(settings.SESSION_ENGINE).SessionStore()
session[SESSION_KEY], session[BACKEND_SESSION_KEY] = str(bob.pk), settings.AUTHENTICATION_BACKENDS[0]
session[HASH_SESSION_KEY] = bob.get_session_auth_hash()
session.create()
print("MADE", bob.pk, session.session_key, make_token(bob, "t", ["notify:*"])[1])
"""


def commands(after: str) -> str:
    """The commands that the docs have after a line that begins like this."""
    text = (ROOT / "docs/care.md").read_text()
    found = re.search(rf"^{after}.*?:\n\n((?:    .+\n)+)", text, re.M)
    assert found, f"docs/care.md has no commands after {after!r}"
    return re.sub(r"^    ", "", found[1], flags=re.M)


def run(site: Site, script: str, folder: Path) -> None:
    """As somebody would at a shell, in the folder where copies lie."""
    programs = [sys.executable, *filter(None, [machine.postgres_program("pg_dump")])]
    path = ":".join([*(str(Path(program).parent) for program in programs), os.environ["PATH"]])
    script = script.replace("manage.py", str(ROOT / "manage.py"))
    done = subprocess.run(["bash", "-euc", script], cwd=folder, env=site.env(PATH=path), capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise NotThere(f"{script}ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def position_on(page: str, channel: str) -> str:
    """Where a page says that its region stands."""
    found = re.search(rf'data-channel="{channel}"[^>]*data-position="([^"]+)"', page) or re.search(
        rf'data-position="([^"]+)"[^>]*data-channel="{channel}"', page
    )
    assert found, f"{channel} is not on the page"
    return found[1]


@pytest.mark.parametrize("database", DATABASES)
async def test_a_page_that_saw_more_than_the_copy_goes_on_rightly(new_site: Callable[..., Site], tmp_path: Path, database: str):
    site = await asyncio.to_thread(new_site, database=database)
    _, bob, session, token = next(line for line in site.manage("shell", "-c", SESSION).stdout.splitlines() if "MADE" in line).split()
    port, channel = free_port(), f"user:{bob}"
    cookies = {f"sessionid_{port}": session}
    header = "; ".join(f"{name}={value}" for name, value in cookies.items())

    def inbox() -> str:
        return httpx.get(f"http://127.0.0.1:{port}/inbox/", cookies=cookies).raise_for_status().text

    def notify(title: str) -> None:
        bearer = {"Authorization": f"Bearer {token}"}
        httpx.post(f"http://127.0.0.1:{port}/api/v1/notify/user:bob", content=title, headers=bearer).raise_for_status()

    async def say(title: str, page: SocketClient) -> None:
        await asyncio.to_thread(notify, title)
        await page.texts_until(channel, title)

    with site.web(server="uvicorn", port=port) as web:
        start = position_on(await asyncio.to_thread(inbox), channel)
        async with socket_client(web.socket_url, cookies=header, positions={channel: start}) as page:
            await page.resume()
            await say("before-the-copy", page)
            await asyncio.to_thread(run, site, commands(NAMES[database]), tmp_path)
            await say("after-the-copy", page)
            held = page.positions[channel]

    await asyncio.to_thread(run, site, commands(f"Restore, {NAMES[database]}"), tmp_path)

    with site.web(server="uvicorn", port=port) as web:
        # Its number is given out again, for another event, before the page is back.
        await asyncio.to_thread(notify, "while-it-was-away")
        async with socket_client(web.socket_url, cookies=header, positions={channel: held}) as page:
            answer = await page.resume()
            assert answer["at"][channel]["recovered"] is False
            shown = await asyncio.to_thread(inbox)  # as live.js does: fetch the region, and stand where it stands
            assert "before-the-copy" in shown and "while-it-was-away" in shown and "after-the-copy" not in shown
            again = position_on(shown, channel)
            assert again.split(":")[0] != held.split(":")[0], "the same life goes on"
            assert again.split(":")[1] == held.split(":")[1], "the test wants the trap: the same number for another event"
            page.positions[channel] = again
            page.say({"id": 2, "do": "subscribe", "at": {channel: again}})
            assert (await page.reply_to(2))["at"][channel]["recovered"] is True
            await say("live-again", page)
            assert page.texts(channel).count("live-again") >= 1 and "after-the-copy" not in page.texts(channel)
