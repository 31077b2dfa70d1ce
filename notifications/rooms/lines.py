"""A room's events as lines of the plain chat protocol, and the outlet that sends them one frame each."""

from collections import deque
from collections.abc import Sequence
from typing import Any

from core.delivery.channel import ChannelName
from core.delivery.forms import Entry
from core.delivery.outlet import Outlet
from core.delivery.position import Position, Range
from notifications.rooms import plain

# What a LineForm writes begins with this. JSON never does.
_OURS = "\x1e"
_LOST = "\x1e\x1e"


class LineForm:
    """A room's messages as `chat.message` lines; the hub shares them between all plain sockets of the room."""

    __slots__ = ("language", "room", "share")

    def __init__(self, room: str) -> None:
        self.language = "en"
        self.room = room
        self.share: Any = ("lines", room)

    def frame(self, channel: ChannelName, span: Range, entries: Sequence[Entry], user: str) -> str:
        lines = [self._line(entry, span.epoch) for entry in entries if _is_new_message(entry)]
        return _OURS + "\n".join(lines) if lines else ""

    def _line(self, entry: Entry, epoch: str) -> str:
        return plain.chat(room=self.room, data=entry.event.data, position=str(Position(epoch, entry.event.offset)))

    def unranged(self, channel: ChannelName, html: str) -> str:
        return ""

    def resync(self, channels: Sequence[str]) -> str:
        return _LOST


def _is_new_message(entry: Entry) -> bool:
    """Not what changes an older one: that carries its place."""
    return entry.event.type == "message.put" and "offset" not in entry.event.data


class LineOutlet(Outlet):
    """Sends each line as a frame of its own. What the core says to pages of its own accord is not for plain clients and stays here."""

    def __init__(self, send: Any, *, credit: int) -> None:
        super().__init__(send, credit=credit)
        self._lines: deque[str] = deque()

    @property
    def has_credit(self) -> bool:
        return not self._lines and super().has_credit

    def send_text(self, text: str) -> None:
        """Take what the hub has for this client: at most one frame of the hub's waits here while the server makes us wait."""
        if text == _LOST:
            # A hole that cannot be filled: come back with ?since=, or for the newest fifty.
            self.send({"type": "websocket.close", "code": 1013})
            self.failed = True
        elif text.startswith(_OURS):
            self._lines.extend(text[1:].split("\n"))
            self._pump()

    def send_line(self, line: str) -> None:
        """Send one line of our own."""
        self._lines.append(line)
        self._pump()

    def _pump(self) -> None:
        while self._lines and self._suspended is None and not self.failed:
            self.send({"type": "websocket.send", "text": self._lines.popleft()})

    async def _finish(self, coroutine: Any, awaited: Any) -> None:
        await super()._finish(coroutine, awaited)
        self._pump()
