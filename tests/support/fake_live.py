"""A server that a test plays by hand: a page, the project's own scripts, and the other end of its live socket.

with FakeLive() as fake:
    fake.pages["/"] = page_with(...)
    browser_page.goto(fake.url)
    talk = fake.socket()                 # waits for the browser's socket and its resume
    talk.answer(recovered=True)
    talk.push("dashboard:7", 41, 42, "<b id=a hx-swap-oob=outerMorph>new</b>")
"""

import json
import logging
import mimetypes
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

from core.middleware import CSP

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 15.0
EPOCH = "e3f1"
STATIC = {"/static/npm/": ROOT / "node_modules", "/static/core/": ROOT / "core" / "static" / "core"}

quiet = logging.getLogger("tests.fake_live")
quiet.setLevel(logging.ERROR)

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Board</title><link rel="icon" href="data:,">
<meta name="htmx-config" content='{{"includeIndicatorCSS": false}}'>
<script defer src="/static/npm/htmx.org/dist/htmx.min.js"></script>
<script defer src="/static/npm/htmx.org/dist/ext/hx-upsert.min.js"></script>
<script type="module" src="/static/core/live.js"></script>
<script type="module" src="/static/core/page.js"></script>{head}</head>
<body data-live="/live/ws" data-user="7"{body}><div id="connection-bar" role="status"></div>{main}
<div id="toasts"></div><div id="live-polite"></div></body></html>"""


def page_with(main: str, *, head: str = "", body: str = "") -> str:
    """A whole page around this content, with everything that live.js expects."""
    return PAGE.format(main=main, head=head, body=body)


def region(channel: str, offset: int, inner: str, *, tag: str = "section", refetch: str = "/region/", epoch: str = EPOCH) -> str:
    """A live region of that channel, valid at that offset."""
    name = channel.replace(":", "-")
    return f'<{tag} id="{name}" data-channel="{channel}" data-position="{epoch}:{offset}" data-refetch="{refetch}">{inner}</{tag}>'


@dataclass
class Talk:
    """One socket of the browser, after its resume."""

    connection: ServerConnection
    resume: dict[str, Any]
    heard: "queue.Queue[dict[str, Any]]" = field(default_factory=queue.Queue)

    def say(self, **message: Any) -> None:
        self.connection.send(json.dumps(message))

    def push(self, channel: str, start: int, end: int, html: str, *, epoch: str = EPOCH) -> None:
        self.connection.send(json.dumps({"channel": channel, "epoch": epoch, "from": start, "to": end, "html": html}))

    def answer(self, *, number: int = 0, recovered: bool = True, **positions: int) -> None:
        """Answer a resume or subscribe: every channel at the position it asked for, or where `dashboard=60` says (by kind)."""
        at = {name: {"position": self._position(name, positions), "recovered": recovered} for name in self.resume["at"]}
        self.say(reply=number, ok=True, at=at)

    def _position(self, name: str, positions: dict[str, int]) -> str:
        kind = name.partition(":")[0]
        return f"{EPOCH}:{positions[kind]}" if kind in positions else str(self.resume["at"][name])

    def hears(self, do: str) -> dict[str, Any]:
        """Wait for a command of that name; pings in between are answered."""
        while True:
            message = self.heard.get(timeout=PATIENCE)
            if message["do"] == do:
                return message

    def drop(self, code: int = 1012) -> None:
        self.connection.close(code)

    def gone(self) -> bool:
        return self.connection.protocol.state.name == "CLOSED"


class FakeLive:
    """See the module."""

    def __init__(self) -> None:
        self.pages: dict[str, str | Callable[[Request], str]] = {}
        self.gates: dict[str, threading.Event] = {}
        self.asked: queue.Queue[Request] = queue.Queue()
        self.talks: queue.Queue[Talk] = queue.Queue()
        self.refuse = threading.Event()  # set: the server is down
        self.statuses: dict[str, int] = {}

    def __enter__(self) -> "FakeLive":
        self.server: Server = serve(self._talk, "127.0.0.1", 0, process_request=self._http, logger=quiet)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.socket.getsockname()[1]}/"
        return self

    def __exit__(self, *_: object) -> None:
        for gate in self.gates.values():
            gate.set()
        self.server.shutdown()

    def socket(self) -> Talk:
        """Wait for the browser to connect and resume."""
        return self.talks.get(timeout=PATIENCE)

    def gate(self, path: str) -> threading.Event:
        """Let answers of this address wait until the event is set."""
        return self.gates.setdefault(path, threading.Event())

    def asks(self, path: str) -> Request:
        """Wait for a request of this address."""
        while True:
            request = self.asked.get(timeout=PATIENCE)
            if request.path.partition("?")[0] == path:
                return request

    def _http(self, connection: ServerConnection, request: Request) -> Response | None:
        path = unquote(request.path.partition("?")[0])
        if path == "/live/ws":
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "") if self.refuse.is_set() else None
        self.asked.put(request)
        body, kind = self._body(path, request)
        if path in self.gates:
            self.gates[path].wait(PATIENCE)
        status = self.statuses.get(path, 200 if body is not None else 404)
        headers = Headers(
            {"Content-Type": kind, "Content-Length": str(len(body or b"")), "Content-Security-Policy": CSP, "Connection": "close"}
        )
        return Response(status, HTTPStatus(status).phrase, headers, body or b"")

    def _body(self, path: str, request: Request) -> tuple[bytes | None, str]:
        for prefix, folder in STATIC.items():
            if path.startswith(prefix):
                return (folder / path.removeprefix(prefix)).read_bytes(), mimetypes.guess_type(path)[0] or "text/plain"
        page = self.pages.get(path)
        text = page(request) if callable(page) else page
        kind = "application/json" if text and text.startswith("{") else "text/html; charset=utf-8"
        return (text.encode() if text is not None else None), kind

    def _talk(self, connection: ServerConnection) -> None:
        try:
            talk = Talk(connection, json.loads(connection.recv()))
            self.talks.put(talk)
            for text in connection:
                message = json.loads(text)
                if message["do"] == "ping":
                    talk.say(signal="pong")
                talk.heard.put(message)
        except ConnectionClosed:
            return
