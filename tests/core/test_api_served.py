"""The API behind real servers: what no test client can send, what reaches the log, and two processes with one key."""

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import httpx
import pytest

from tests.support.servers import Site, Web

pytestmark = pytest.mark.slow

# One path to whoever works on this: a note for bob.
NOTIFY = "/api/v1/notify/user:bob"


@pytest.fixture
def site(new_site: Any) -> Site:
    made: Site = new_site()
    made.manage("demo")
    return made


def token_of(site: Site) -> str:
    return str(json.loads((site.folder / "demo.json").read_text())["token"])


def client_of(site: Site, web: Web) -> httpx.Client:
    return httpx.Client(base_url=web.url, headers={"Authorization": f"Bearer {token_of(site)}"}, timeout=30)


def endless(megabytes: int) -> Iterator[bytes]:
    """A body without a length."""
    for _ in range(megabytes):
        yield b"x" * 1024 * 1024


def raw(web: Web, head: str, body: bytes = b"") -> bytes:
    """Send exactly these bytes and return what comes back until the server has answered or hung up."""
    with socket.create_connection(("127.0.0.1", web.port), timeout=20) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n" + body)
        with suppress(OSError):  # it has hung up already; its answer is still there to be read
            connection.shutdown(socket.SHUT_WR)
        return connection.recv(65536)


@pytest.mark.parametrize("server", ["daphne", "uvicorn"])
def test_what_only_a_socket_can_send_leaves_no_trace_but_an_answer(site: Site, server: str) -> None:
    token = token_of(site)
    with site.web(server=server) as web, client_of(site, web) as client:
        assert client.post(NOTIFY, content=endless(20)).status_code == 413
        assert client.post(NOTIFY, content=endless(0)).status_code == 422
        head = f"Host: 127.0.0.1:{web.port}\nAuthorization: Bearer {token}"
        for sent in (
            raw(web, f"POST {NOTIFY} HTTP/1.1\n{head}\nContent-Length: ten", b"hello"),
            raw(web, f"POST {NOTIFY} HTTP/1.1\n{head}\nContent-Length: -5", b"hello"),
            raw(web, f"POST {NOTIFY} HTTP/1.1\n{head}\nContent-Length: 50", b"hello"),
            raw(web, f"POST {NOTIFY}%00 HTTP/1.1\n{head}\nContent-Length: 5", b"hello"),
            raw(web, f"POST {NOTIFY} HTTP/1.1\n{head}\n" + "\n".join(f"X-{n}: y" for n in range(10_000))),
            raw(web, f"POST /api/v1/notify/\xff HTTP/1.1\n{head}\nContent-Length: 5", b"hello"),
            raw(web, f"GET /api/v1/channels/user:1/events?token={token} HTTP/1.1\nHost: 127.0.0.1:{web.port}"),
        ):
            assert not sent.startswith((b"HTTP/1.1 2", b"HTTP/1.1 5")), sent[:300]
        assert client.post(NOTIFY, content=b"still there").status_code == 202
        assert client.get("/readyz").status_code == 200
        log = web.output()
    assert token not in log
    assert "Traceback" not in log
    assert " ERROR " not in log


def test_two_processes_write_once_for_one_key(site: Site) -> None:
    with site.web() as one, site.web(server="uvicorn") as other, client_of(site, one) as first, client_of(site, other) as second:
        for round in range(5):
            headers = {"Idempotency-Key": f"key {round}"}
            with ThreadPoolExecutor(8) as threads:
                sent = [threads.submit(client.post, NOTIFY, content=b"once", headers=headers) for client in (first, second) * 4]
                answers = [future.result() for future in sent]
            assert {answer.status_code for answer in answers} == {202}
            assert len({answer.text for answer in answers}) == 1
            assert sorted("Idempotent-Replayed" in answer.headers for answer in answers) == [False] + [True] * 7
