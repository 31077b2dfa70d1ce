"""A name server on loopback that answers every question with the addresses that it was told: Docker's, as nginx asks it.

with name_server(["127.0.0.1"]) as names:
    names.addresses = ["127.0.0.3", "127.0.0.1"]
"""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

A, IN, TTL = 1, 1, 0
ANSWERED = 0x8180  # a reply, to a recursive question, without an error


class NameServer:
    def __init__(self, addresses: list[str]) -> None:
        self.addresses = addresses
        self.asked: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                question, whom = self._socket.recvfrom(512)
                self._socket.sendto(self._answer(question), whom)
            except OSError:
                return

    def _answer(self, question: bytes) -> bytes:
        end = question.index(b"\0", 12) + 5
        kind = struct.unpack("!H", question[end - 4 : end - 2])[0]
        self.asked.append(_name(question[12 : end - 5]))
        addresses = self.addresses if kind == A else []
        head = question[:2] + struct.pack("!HHHHH", ANSWERED, 1, len(addresses), 0, 0)
        # 0xc00c: the name in the question.
        found = [struct.pack("!HHHIH", 0xC00C, A, IN, TTL, 4) + socket.inet_aton(address) for address in addresses]
        return head + question[12:end] + b"".join(found)


def _name(labels: bytes) -> str:
    words, at = [], 0
    while at < len(labels):
        words.append(labels[at + 1 : at + 1 + labels[at]].decode())
        at += 1 + labels[at]
    return ".".join(words)


@contextmanager
def name_server(addresses: list[str]) -> Iterator[NameServer]:
    made = NameServer(addresses)
    try:
        yield made
    finally:
        made.close()
