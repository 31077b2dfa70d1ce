"""Daphne's part of HTTP, with a limit: Twisted writes a body to the disk as long as somebody sends one, before any of us is asked.

Import it after the reactor is there: this brings Twisted.
"""

from typing import Any

from daphne.http_protocol import HTTPFactory, WebRequest

from core.http import MAX_BODY

PATIENCE = 64 * 1024 * 1024  # of what is thrown away
_REFUSAL = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class LimitedRequest(WebRequest):  # type: ignore[misc]
    """A request whose body is refused as soon as it is, or says that it will be, over MAX_BODY. The rest of it is thrown away.

    A connection that was closed at once would take the answer with it: most clients read none before they have sent all.
    """

    _held = 0
    _refused = False

    def gotLength(self, length: int | None) -> None:
        super().gotLength(length)
        if length is not None and length > MAX_BODY:
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:
        self._held += len(data)
        if self._held > PATIENCE:
            self.channel.loseConnection()
        elif self._held > MAX_BODY:
            self._refuse()
        if not self._refused:
            super().handleContentChunk(data)

    def process(self) -> None:
        if self._refused:
            self.channel.loseConnection()
        else:
            super().process()

    def _refuse(self) -> None:
        if not self._refused:
            self._refused = True
            self.channel.transport.write(_REFUSAL)


class Factory(HTTPFactory):  # type: ignore[misc]
    def buildProtocol(self, addr: Any) -> Any:
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = LimitedRequest
        return protocol
