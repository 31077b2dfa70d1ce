"""The plain chat sockets on real servers, with a plain WebSocket client: no Redis, or several processes and one."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.support import servers

GREETING = '{"type": "connection_established", "message": "You are now connected!"}'
PATIENCE = 15


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def web(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Web]:
    """One process without any Redis."""
    site = servers.make_site(tmp_path_factory.mktemp("plain"), ROOMS_OPEN="1")
    with site.web(server=request.param) as started:
        yield started


@asynccontextmanager
async def socket(web: servers.Web, path: str, **more: Any) -> AsyncIterator[ClientConnection]:
    async with connect(f"ws://127.0.0.1:{web.port}{path}", open_timeout=PATIENCE, **more) as connection:
        yield connection


async def hear(connection: ClientConnection) -> str:
    return str(await asyncio.wait_for(connection.recv(), PATIENCE))


async def close_code(connection: ClientConnection) -> int | None:
    try:
        while True:
            await hear(connection)
    except ConnectionClosed:
        return connection.close_code


@pytest.mark.parametrize("path", ["/ws/chat/", "/ws/socker-server/"])
async def test_the_echo_needs_no_redis_and_no_login(web: servers.Web, path: str) -> None:
    async with socket(web, path) as connection:
        assert await hear(connection) == GREETING
        await connection.send(json.dumps({"message": "Hello Django"}))
        assert await hear(connection) == "You said: Hello Django"
        await connection.send("Hello Django")
        assert await hear(connection) == '{"message": "Hello Django"}'


async def test_a_room_is_made_heard_and_remembered_without_redis(web: servers.Web) -> None:
    async with socket(web, "/ws/chat/tea/") as one, socket(web, "/ws/chat/tea/") as two:
        for connection in (one, two):
            assert await hear(connection) == GREETING
        await one.send(json.dumps({"message": "first"}))
        heard = [json.loads(await hear(connection)) for connection in (one, two)]
        assert heard[0] == heard[1]
        assert heard[0]["message"] == "first"
    async with socket(web, "/ws/chat/tea/") as later:
        assert [await hear(later), json.loads(await hear(later))["message"]] == [GREETING, "first"]


@pytest.mark.parametrize(("path", "code"), [("/ws/chat/new/", 4403), ("/ws/chat/a.b/", 4403)])
async def test_a_refusal_is_told_by_a_close_code(web: servers.Web, path: str, code: int) -> None:
    async with socket(web, path) as connection:
        assert await close_code(connection) == code


@pytest.mark.parametrize("origin", ["null", "http://evil.example"])
async def test_a_foreign_page_is_told_4403(web: servers.Web, origin: str) -> None:
    async with socket(web, "/ws/chat/", origin=origin) as connection:
        assert await close_code(connection) == 4403


async def test_invalid_utf8_is_closed_with_1007(web: servers.Web) -> None:
    async with socket(web, "/ws/chat/") as connection:
        await hear(connection)
        await connection.send(b"\xff\xfe\xfd", text=True)
        assert await close_code(connection) == 1007


@pytest.mark.parametrize("frame", ["{", "[" * 20_000, '{"message": 5}', "x" * 65_537, b"\x00\xff"])
async def test_bad_frames_leave_the_socket_usable_and_no_traceback(web: servers.Web, frame: str | bytes) -> None:
    before = len(web.output())
    async with socket(web, "/ws/chat/tea/") as connection:
        await hear(connection)
        await connection.send(frame)
        while (heard := json.loads(await hear(connection)))["type"] != "error":
            pass
        assert heard["code"] in {"bad_frame", "too_large"}
        await connection.send(json.dumps({"message": "still here"}))
        while json.loads(await hear(connection)).get("message") != "still here":
            pass
    assert "Traceback" not in web.output()[before:]


@pytest.mark.valkey
async def test_two_processes_hear_each_other(new_site: Callable[..., servers.Site]) -> None:
    site = new_site(redis=True, ROOMS_OPEN="1")
    with site.web() as first, site.web() as second:
        async with socket(first, "/ws/chat/tea/") as one, socket(second, "/ws/chat/tea/") as two:
            await hear(one)
            await hear(two)
            for number in range(10):
                await (one, two)[number % 2].send(json.dumps({"message": f"m{number}"}))
                heard = [json.loads(await hear(connection)) for connection in (one, two)]
                assert heard[0] == heard[1]
                assert heard[0]["message"] == f"m{number}"
        assert "Traceback" not in first.output() + second.output()


@pytest.mark.valkey
async def test_echo_and_rooms_go_on_when_redis_dies(tmp_path_factory: pytest.TempPathFactory) -> None:
    with servers.start_valkey() as redis:
        site = servers.make_site(tmp_path_factory.mktemp("dying"), redis=redis.url, ROOMS_OPEN="1")
        with site.web() as web:
            async with socket(web, "/ws/chat/tea/") as connection:
                await hear(connection)
                await connection.send(json.dumps({"message": "before"}))
                assert json.loads(await hear(connection))["message"] == "before"
                redis.kill()
                for number in range(3):
                    await connection.send(json.dumps({"message": f"after {number}"}))
                assert [json.loads(await hear(connection))["message"] for _ in range(3)] == ["after 0", "after 1", "after 2"]
            async with socket(web, "/ws/chat/") as connection:
                assert await hear(connection) == GREETING
                await connection.send("Hello Django")
                assert await hear(connection) == '{"message": "Hello Django"}'


async def test_the_log_has_two_lines_a_socket_and_none_a_message(web: servers.Web) -> None:
    before = web.output()
    async with socket(web, "/ws/chat/quiet/?since=secret") as connection:
        await hear(connection)
        await hear(connection) if "quiet" in before else None
        for _ in range(5):
            await connection.send(json.dumps({"message": "not for the log"}))
        while "not for the log" not in await hear(connection):
            pass
    written = servers.wait_until(
        lambda: (new := web.output()[len(before) :]).count("socket closed") and new, described="the close in the log", log=Path(web.log)
    )
    assert "not for the log" not in written
    assert "secret" not in written
