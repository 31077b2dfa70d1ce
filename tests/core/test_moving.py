"""From SQLite to Postgres by the commands of docs/how-to/from-sqlite-to-postgres.md: everything as it was, and no page goes on wrongly."""

import asyncio
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.core.test_restore import SESSION, position_on, run
from tests.support.servers import ROOT, Postgres, Site, free_port, make_site
from tests.support.wire_client import socket_client

pytestmark = pytest.mark.postgres

PAGE = ROOT / "docs/how-to/from-sqlite-to-postgres.md"
ADDRESS = "postgres://signalbox:password@db.internal:5432/signalbox"


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site on SQLite with the demo's people, boards and rooms, and bob's session: read only, tests copy its file."""
    site = make_site(tmp_path_factory.mktemp("lived"))
    site.manage("demo")
    return site


@pytest.fixture
def site(lived: Site, tmp_path: Path) -> Site:
    folder = tmp_path / "data"
    folder.mkdir()
    with closing(sqlite3.connect(lived.folder / "signalbox.sqlite3")) as old, closing(sqlite3.connect(folder / "signalbox.sqlite3")) as new:
        old.backup(new)
    return Site(folder)


def commands(address: str) -> Iterator[str]:
    for block in re.findall(r"<!-- run by [^\n]+ -->\n```sh\n(.+?)```", PAGE.read_text(), re.S):
        yield block.replace(ADDRESS, address).replace("$DATABASE_URL", address)


def counts(cursor: Any, tables: list[str]) -> dict[str, int]:
    return {table: int(cursor.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0]) for table in tables}


def all_rows(site: Site, address: str) -> tuple[dict[str, int], dict[str, int]]:
    """How many rows each table has, in the file and in Postgres."""
    with closing(sqlite3.connect(site.folder / "signalbox.sqlite3")) as old, psycopg.connect(address) as new:
        named = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name != 'django_migrations'"
        tables = [name for (name,) in old.execute(named)]
        return counts(old, tables), counts(new, tables)


async def test_everything_goes_on_in_postgres_and_no_page_resumes_wrongly(site: Site, postgres: Postgres) -> None:
    made = await asyncio.to_thread(site.manage, "shell", "-c", SESSION.replace('create_user("bob")', 'get(username="bob")'))
    _, bob, session, token = next(line for line in made.stdout.splitlines() if "MADE" in line).split()
    port, channel, address = free_port(), f"user:{bob}", postgres.new_database()
    cookies, bearer = {f"sessionid_{port}": session}, {"Authorization": f"Bearer {token}"}
    header = "; ".join(f"{name}={value}" for name, value in cookies.items())

    def get(path: str) -> str:
        return httpx.get(f"http://127.0.0.1:{port}{path}", cookies=cookies).raise_for_status().text

    def notify(title: str) -> None:
        httpx.post(f"http://127.0.0.1:{port}/api/v1/notify/user:bob", content=title, headers=bearer).raise_for_status()

    with site.web(server="uvicorn", port=port) as web:
        start = position_on(await asyncio.to_thread(get, "/inbox/"), channel)
        async with socket_client(web.socket_url, cookies=header, positions={channel: start}) as page:
            await page.resume()
            await asyncio.to_thread(notify, "on-sqlite")
            await page.texts_until(channel, "on-sqlite")
            held = page.positions[channel]

    moved = Site(site.folder, {"DATABASE_URL": address})
    for script in commands(address):
        await asyncio.to_thread(run, moved, script, site.folder)
    before, after = await asyncio.to_thread(all_rows, site, address)
    assert after == before and before["auth_user"] >= 3 and before["signalbox_notifications_inboxitem"] >= 1, before

    with moved.web(server="uvicorn", port=port) as web:
        await asyncio.to_thread(notify, "while-it-was-away")  # with a key of its own: the counters are right
        async with socket_client(web.socket_url, cookies=header, positions={channel: held}) as page:
            assert (await page.resume())["at"][channel]["recovered"] is False
            shown = await asyncio.to_thread(get, "/inbox/")
            assert "on-sqlite" in shown and "while-it-was-away" in shown
            again = position_on(shown, channel)
            epoch, _, offset = again.partition(":")
            assert epoch != held.partition(":")[0]
            assert int(offset) > int(held.partition(":")[2]), "numbers go on"
            page.say({"id": 2, "do": "subscribe", "at": {channel: again}})
            assert (await page.reply_to(2))["at"][channel]["recovered"] is True
            await asyncio.to_thread(notify, "live-again")
            await page.texts_until(channel, "live-again")
        assert "This machine" in await asyncio.to_thread(get, "/dashboards/")
        assert "Traceback" not in web.output()


def refusal(site: Site, address: str) -> str:
    done = site.manage("take_over", str(site.folder / "signalbox.sqlite3"), check=False, DATABASE_URL=address)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    return done.stderr.strip()


@pytest.fixture
def emptied(tmp_path: Path, postgres: Postgres) -> str:
    """The address of a Postgres with its tables and nobody in it."""
    return make_site(tmp_path / "new", database=postgres.new_database()).environment["DATABASE_URL"]


def test_all_or_nothing_with_the_reason(site: Site, emptied: str) -> None:
    file = site.folder / "signalbox.sqlite3"

    def change(statement: str, *values: Any) -> None:
        with closing(sqlite3.connect(file)) as old:
            old.execute(statement, values)
            old.commit()

    change("INSERT INTO signalbox_process (id, expires_at, figures) VALUES ('x', datetime('now', '+1 minute'), '{}')")
    assert "Processes still work on the file" in refusal(site, emptied)
    change("DELETE FROM signalbox_process")
    change("UPDATE auth_user SET first_name = ? WHERE username = 'bob'", "x" * 200)
    assert "The table auth_user holds what the new database does not take: value too long" in refusal(site, emptied)
    with psycopg.connect(emptied) as new:
        assert counts(new, ["auth_user", "signalbox_event"]) == {"auth_user": 0, "signalbox_event": 0}
        assert counts(new, ["django_content_type"])["django_content_type"] > 0, "what migrate made is still there"
        new.execute("INSERT INTO signalbox_event (channel, type, slot, key, data, minor) VALUES ('user:1', 'x', '', '', '{}', 0)")
    assert "holds people or events already" in refusal(site, emptied)


TRY = """
from pathlib import Path
from core import moving
for file in sorted(Path({folder!r}).glob("*.sqlite3")) + [Path("none.sqlite3")]:
    try:
        moving.take_over(file, lambda table, rows: None)
    except moving.Immovable as refusal:
        print(file.name, "REFUSED:", refusal)
"""


def test_it_goes_from_a_file_to_postgres_and_no_other_way(site: Site) -> None:
    (site.folder / "text.sqlite3").write_text("x" * 5000)
    said = site.manage("shell", "-c", TRY.format(folder=str(site.folder))).stdout
    assert "signalbox.sqlite3 REFUSED: DATABASE_URL names no Postgres" in said
    assert "text.sqlite3 REFUSED: The file cannot be read" in said
    assert "none.sqlite3 REFUSED: There is no file" in said
