"""A room's events as lines of the plain chat protocol, and the outlet that sends them one frame each."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from core.delivery.channel import ChannelName
from core.delivery.forms import Entry
from core.delivery.outlet import Outlet
from core.delivery.position import Position, Range
from notifications.rooms import plain


class LineForm:
    """A room's messages as `chat.message` lines; the hub shares them between all plain sockets of the room."""

    __slots__ = ("language", "room", "share")

    def __init__(self, room: str) -> None:
        self.language = "en"
        self.room = room
        self.share: Any = ("lines", room)

    def frame(self, channel: ChannelName, span: Range, entries: Sequence[Entry], user: str) -> str:
        lines = [self._line(entry, span.epoch) for entry in entries if _is_new_message(entry)]
        return "\n".join(lines)

    def _line(self, entry: Entry, epoch: str) -> str:
        return plain.chat(room=self.room, data=entry.event.data, position=str(Position(epoch, entry.event.offset)))

    def says_nothing(self, entries: Sequence[Entry]) -> bool:
        return not any(map(_is_new_message, entries))

    def unranged(self, channel: ChannelName, html: str) -> str:
        return ""

    def resync(self, channels: Sequence[str]) -> str:
        return plain.refusal("resync", "Something was missed that cannot be told here. Come back, with ?since= if you have a position.")


def _is_new_message(entry: Entry) -> bool:
    """Not what changes an older one: that carries its place. Nor one that was deleted since: it says nothing."""
    event = entry.event
    return event.type == "message.put" and bool(event.data) and event.data.get("offset", event.offset) == event.offset


class LineOutlet(Outlet):
    """Sends each line as a frame of its own. Answers and hints that the core has for pages are not for plain clients and stay here."""

    def __init__(self, send: Any, *, credit: int) -> None:
        super().__init__(send, credit=credit)
        self._lines: deque[str] = deque()

    @property
    def has_credit(self) -> bool:
        return not self._lines and super().has_credit

    def send_line(self, line: str) -> None:
        """Send one line of our own."""
        self._lines.append(line)
        self._pump()

    def send_frame(self, text: str, channel: str, epoch: str, end: int) -> None:
        # At most one frame of the hub's waits here while the server makes us wait: it asks for credit first.
        self._lines.extend(text.split("\n"))
        self._pump()

    def send_answer(self, number: int, at: Mapping[str, tuple[str, bool]], refused: Mapping[str, str]) -> None:
        if not all(recovered for _, recovered in at.values()):
            self._give_up()

    def send_resync(self, text: str, channel: str, epoch: str, head: int) -> None:
        self.send_text(text)

    def send_text(self, text: str) -> None:
        """The core sends text of its own only where this client must start again: rather no socket than a silent hole."""
        self.send_line(text)
        self._give_up()

    def close(self, code: int, *, retry_ms: int | None = None) -> None:
        super().close(code)

    def _give_up(self) -> None:
        self.send_close(1013)
        self.failed = True

    def _pump(self) -> None:
        while self._lines and self._suspended is None and not self.failed:
            self.send({"type": "websocket.send", "text": self._lines.popleft()})

    async def _finish(self, coroutine: Any, awaited: Any) -> None:
        await super()._finish(coroutine, awaited)
        self._pump()
