"""A stand-in HTTP server on loopback that notes what it was sent and answers as it is told: webhooks, push services, sources.

with receiver(Answer(500), Answer(200)) as hook:      # the last answer is given again and again
    fetch(hook.url, method="POST", body=b"x")
    assert hook.requests[0].body == b"x"
"""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.servers import wait_until

PIECE = 65536


@dataclass(frozen=True)
class Received:
    method: str
    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes


@dataclass(frozen=True)
class Answer:
    """One answer. `raw` writes to the connection itself, and returns when it has done its worst."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    raw: "Callable[[BaseHTTPRequestHandler, threading.Event], None] | None" = None


def hangs(handler: BaseHTTPRequestHandler, ended: threading.Event) -> None:
    """Takes the request and never answers."""
    ended.wait()


def drips(handler: BaseHTTPRequestHandler, ended: threading.Event) -> None:
    """Answers, one byte of a long body at a time."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not ended.wait(0.02):
        handler.wfile.write(b"x")


def endless(handler: BaseHTTPRequestHandler, ended: threading.Event) -> None:
    """Answers with a body that has no end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while not ended.is_set():
        handler.wfile.write(b"x" * 65536)


def says(text: bytes) -> Callable[[BaseHTTPRequestHandler, threading.Event], None]:
    """Answers with exactly these bytes."""
    return lambda handler, ended: handler.wfile.write(text) and None


class Receiver:
    """A running stand-in. `answers` may be changed meanwhile."""

    def __init__(self, answers: tuple[Answer, ...], *, tls: ssl.SSLContext | None = None) -> None:
        self.answers = list(answers) or [Answer()]
        self.requests: list[Received] = []
        self.written: list[int] = []  # how much of each answer's body was taken, give or take what sockets hold, once it has ended
        self.ended = threading.Event()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = int(self._server.server_address[1])
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()

    def wait_for(self, number: int) -> list[Received]:
        """Wait until so many requests have come."""
        wait_until(lambda: len(self.requests) >= number, described=f"{number} requests")
        return list(self.requests)

    def _next(self) -> Answer:
        with self._lock:
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                with suppress(OSError):
                    super().handle_one_request()

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                headers = {name.lower(): value for name, value in self.headers.items()}
                stand_in.requests.append(Received(self.command, self.path, headers, body))
                told = stand_in._next()
                self.close_connection = True
                if told.raw is not None:
                    told.raw(self, stand_in.ended)
                    return
                self.send_response(told.status)
                for name, value in {"Content-Length": str(len(told.body)), **told.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                stand_in.written.append(self.write(told.body))

            def write(self, body: bytes) -> int:
                """Write it piece by piece; how much of it went before the other side hung up."""
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, PIECE)
                done = 0
                with suppress(OSError):
                    while done < len(body):
                        self.wfile.write(body[done : done + PIECE])
                        done += PIECE
                return min(done, len(body))

            do_GET = do_POST = do_PUT = do_HEAD = answer

            def log_message(self, *arguments: Any) -> None:
                pass

        return Handler


@contextmanager
def receiver(*answers: Answer, tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    made = Receiver(answers, tls=tls)
    try:
        yield made
    finally:
        made.close()
