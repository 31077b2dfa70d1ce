"""One live connection: who it is, what it is subscribed to, and what to do with each frame it sends. Decisions, no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from core.delivery import wire
from core.delivery.channel import BadChannel, ChannelName, Reader
from core.delivery.position import BadPosition, Position

if TYPE_CHECKING:
    from core.delivery.forms import Form
    from core.delivery.identity import Credential
    from core.delivery.outlet import Outlet
    from core.delivery.topic import Subscription

BAD_FRAMES = 5  # then 4400


@dataclass(frozen=True, slots=True)
class Join:
    """Subscribe to these channels at these positions (None: from now on). `number` is the command's id; 0 is `resume`."""

    number: int
    at: Mapping[ChannelName, Position | None]
    refused: Mapping[str, str]
    share: str = ""


@dataclass(frozen=True, slots=True)
class Leave:
    number: int
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Say:
    """Send this text."""

    text: str


@dataclass(frozen=True, slots=True)
class Signal:
    """Pass on what the client says about itself on a channel: it is typing, it has seen these items."""

    number: int | None
    what: str
    channel: ChannelName
    items: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Close:
    code: int
    text: str = ""


Effect = Join | Leave | Say | Signal | Close


class Rate:
    """A token bucket on the caller's clock: `per_second` on average, `burst` at once. 0 per second: no limit."""

    def __init__(self, per_second: float, burst: int) -> None:
        self._per_second, self._burst = per_second, burst
        self._left, self._at = float(burst), 0.0

    def takes(self, now: float) -> bool:
        if not self._per_second:
            return True
        self._left = min(self._burst, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Refusal(ValueError):
    """A command cannot be carried out; becomes an error reply."""

    def __init__(self, code: str, detail: str, *, field: str | None = None, number: int | None = None) -> None:
        super().__init__(detail)
        self.code, self.detail, self.field, self.number = code, detail, field, number


@dataclass(eq=False, slots=True)
class Connection:
    """One client. The consumer hands in what it receives and obeys the effects."""

    outlet: "Outlet"
    form: "Form"
    rate: Rate
    max_frame: int
    max_channels: int
    opened_at: float  # monotonic
    id: str = ""
    address: str = ""
    credential: "Credential" = None  # type: ignore[assignment]  # set before it is admitted
    reader: Reader = field(default_factory=Reader)
    held: bool = False  # being checked again: gets nothing meanwhile
    resumed: bool = False
    admitted: bool = False
    closing: bool = False
    full_since: float | None = None
    uncounted: bool = False  # its counts could not be sent: they are asked for again when it goes on
    subscriptions: dict[str, "Subscription"] = field(default_factory=dict)
    bad_frames: int = 0

    def __post_init__(self) -> None:
        self.outlet.share = self.form.share

    def hold(self, held: bool) -> None:
        """Give it nothing until its rights were asked again; or let it go."""
        self.held = held
        self.outlet.is_barred = held or self.closing

    def leave(self) -> None:
        self.closing = self.outlet.is_barred = True

    def channels(self) -> list[ChannelName]:
        """The channels that it is subscribed to."""
        return [subscription.topic.name for subscription in self.subscriptions.values()]

    def on_frame(self, *, text: str | None, binary: bytes | None, now: float) -> list[Effect]:
        """Say what a frame from the client asks for. A frame that cannot be read gets an error reply, the fifth one closes."""
        try:
            if not self.rate.takes(now):
                raise Refusal("too_many_commands", "Slow down: commands are limited per second.")
            return [self._command(self._decoded(text, binary))]
        except Refusal as refusal:
            return self._refused(refusal)

    def _refused(self, refusal: Refusal) -> list[Effect]:
        self.bad_frames += 1
        effects: list[Effect] = [Say(wire.refusal(refusal.number, code=refusal.code, detail=refusal.detail, field=refusal.field))]
        if self.bad_frames >= BAD_FRAMES:
            effects.append(Close(4400))
        return effects

    def _decoded(self, text: str | None, binary: bytes | None) -> dict[str, Any]:
        if text is None:
            raise Refusal("bad_frame", "Frames are text: one JSON object each, not binary.")
        if self.max_frame and len(text) > self.max_frame:
            raise Refusal("too_large", f"A frame is at most {self.max_frame} bytes.")
        try:
            value = wire.load(text)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise Refusal("bad_frame", 'A frame is one JSON object, for example {"do": "ping"}.') from error
        if not isinstance(value, dict):
            raise Refusal("bad_frame", 'A frame is one JSON object, for example {"do": "ping"}.')
        return value

    def _command(self, frame: dict[str, Any]) -> Effect:
        name = frame.get("do")
        number = frame.get("id", 0)
        if type(number) is not int or not 0 <= number < 2**53:
            raise Refusal("bad_id", "A command's id is a whole number.", field="id")
        if name == "ping":
            return Say(wire.PONG)
        if not self.resumed and name != "resume":
            raise Refusal("resume_first", "The first frame is resume, with the positions of the page.", number=number)
        if name == "resume":
            return self._resume(frame)
        if name == "subscribe":
            return self._join(number, frame)
        if name == "unsubscribe":
            return Leave(number, tuple(str(channel) for channel in _texts(frame, "channels", number)))
        if name == "typing":
            return Signal(number or None, "typing", _channel(frame, number))
        if name == "seen":
            return Signal(number or None, "seen", _channel(frame, number), tuple(_texts(frame, "items", number)[:100]))
        raise Refusal("unknown_command", "There is resume, subscribe, unsubscribe, ping, typing and seen.", field="do", number=number)

    def _resume(self, frame: dict[str, Any]) -> Effect:
        if self.resumed:
            raise Refusal("resumed_already", "This socket has resumed; subscribe adds channels.", number=0)
        join = self._join(0, frame)
        self.resumed = True
        return join

    def _join(self, number: int, frame: dict[str, Any]) -> Join:
        asked = frame.get("at", {})
        if not isinstance(asked, dict):
            raise Refusal("bad_at", '"at" is an object of channels with their positions.', field="at", number=number)
        if self.max_channels and len(asked.keys() | self.subscriptions.keys()) > self.max_channels:
            raise Refusal("too_many_channels", f"A connection has at most {self.max_channels} channels.", field="at", number=number)
        at: dict[ChannelName, Position | None] = {}
        refused: dict[str, str] = {}
        for name, position in asked.items():
            try:
                at[ChannelName.parse(name)] = None if position is None else Position.parse(position)
            except BadChannel:
                refused[str(name)[:81]] = "bad_channel"
            except BadPosition:
                refused[str(name)[:81]] = "bad_position"
        share = frame.get("share", "")
        return Join(number, at, refused, share if isinstance(share, str) and len(share) <= 512 else "")


def _texts(frame: dict[str, Any], name: str, number: int) -> list[str]:
    values = frame.get(name)
    if not isinstance(values, list) or not all(isinstance(value, str | int) for value in values):
        raise Refusal("bad_list", f'"{name}" is a list.', field=name, number=number)
    return [str(value) for value in values]


def _channel(frame: dict[str, Any], number: int) -> ChannelName:
    try:
        return ChannelName.parse(frame.get("channel"))
    except BadChannel as error:
        raise Refusal("bad_channel", str(error), field="channel", number=number) from None
