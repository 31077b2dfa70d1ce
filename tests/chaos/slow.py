"""Clients that do not read as they should: raw sockets that speak just enough WebSocket to be let in."""

import base64
import json
import os
import socket
import struct
import threading
from contextlib import suppress
from urllib.parse import urlsplit

MANNERS = ("never", "byte", "talks")  # never reads; a byte a second; never reads but talks


class Slow(threading.Thread):
    """One such client, on one channel."""

    def __init__(self, url: str, channel: str, manner: str) -> None:
        super().__init__(name=f"slow-{manner}", daemon=True)
        self.manner = manner
        self._end = threading.Event()
        self._socket = socket.socket()
        # Small buffers: what the kernel takes for us is not the server's, and would only be waited for.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.settimeout(10)
        address = urlsplit(url)
        self._socket.connect((address.hostname or "", address.port or 80))
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET /live/ws HTTP/1.1\r\nHost: {address.netloc}\r\nOrigin: {url}\r\nUpgrade: websocket\r\nConnection: Upgrade"]
        lines += [f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"]
        self._socket.sendall("\r\n".join(lines).encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._socket.recv(1)
        assert b" 101 " in answer, answer
        self._say({"do": "resume", "at": {channel: None}})

    def run(self) -> None:
        with suppress(OSError):  # gone, and we were told
            while not self._end.wait(1.0):
                if self.manner == "byte":
                    self._socket.recv(1)
                elif self.manner == "talks":
                    self._say({"do": "ping"})

    def _say(self, frame: object) -> None:
        text = json.dumps(frame).encode()
        length = struct.pack("!B", 0x80 | len(text)) if len(text) < 126 else struct.pack("!BH", 0x80 | 126, len(text))
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(text))
        self._socket.sendall(b"\x81" + length + mask + masked)

    def end(self) -> None:
        self._end.set()
        self._socket.close()
