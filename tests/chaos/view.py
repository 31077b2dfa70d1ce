"""A page's side of the live socket, by the rules of live.js and channel.js, without a browser: decisions only, no I/O.

The owner sends what `Ask` says, fetches what `Fetch` names and hands the answer to `fetched`. What is to be shown goes to the screen.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from core.delivery.position import Position, Range, Verdict

KEEP = 256 * 1024  # characters of waiting frames


class Screen(Protocol):
    """Where frames and regions become visible."""

    def show(self, channel: str, text: str, after: int) -> None:
        """Swap a frame in. What it carries up to the offset `after` stands there already, and is replaced by its id."""
        ...

    def replace(self, channel: str, region: Any, at: int) -> None:
        """Swap a region in that is valid at offset `at`; it was read after that, and may show more."""
        ...

    def refuse(self, channel: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Ask:
    """Send `subscribe` for these channels, from where they stand."""

    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fetch:
    """Fetch this channel's region, and hand it to `fetched`."""

    channel: str


Effect = Ask | Fetch


@dataclass(slots=True)
class Channel:
    """One channel as a page follows it."""

    name: str
    position: Position
    holds: set[str] = field(default_factory=set)  # "asked", "refetch"
    kept: list[Mapping[str, Any]] = field(default_factory=list)
    size: int = 0
    reach: int = 0  # what the server takes for shown, though it never came: a refetch must get at least here
    stale: bool = False  # frames were thrown away: only a refetch makes the region right
    again: bool = False  # the region on its way is too old already

    def keep(self, frame: Mapping[str, Any]) -> None:
        self.kept.append(frame)
        self.size += len(frame["html"])
        if self.size > KEEP or self.stale:
            self.reach = max(self.reach, *(frame.get("to", 0) for frame in self.kept))
            self.stale = True
            self.empty()

    def empty(self) -> None:
        self.kept, self.size = [], 0

    def release(self, why: str) -> list[Mapping[str, Any]]:
        self.holds.discard(why)
        if self.holds:
            return []
        frames, self.kept, self.size = self.kept, [], 0
        return frames


@dataclass(slots=True)
class View:
    """All channels of one page. `checks` off: a page that does not look for duplicates, for the checker's own test."""

    screen: Screen
    channels: dict[str, Channel] = field(default_factory=dict)
    checks: bool = True
    caught_up: int = 0  # answers that brought what was missed
    gaps: int = 0
    refetches: int = 0

    def opened(self) -> dict[str, Any]:
        """A new socket: what it said last has been applied or will be said again. Returns the resume frame."""
        for channel in self.channels.values():
            channel.empty()
            channel.holds.add("asked")
        return {"do": "resume", "at": self.standing(self.channels)}

    def standing(self, names: Iterable[str]) -> dict[str, str]:
        return {name: str(self.channels[name].position) for name in names}

    def receive(self, said: Mapping[str, Any]) -> list[Effect]:
        """Take whatever the server says."""
        if "reply" in said:
            return self._answered(said)
        if said.get("signal") == "resync":
            return [effect for name in said["channels"] if name in self.channels for effect in self._refetch(self.channels[name])]
        channel = self.channels.get(said.get("channel", ""))
        return self._pushed(channel, said) if channel is not None else []

    def fetched(self, name: str, position: Position | None, region: Any) -> list[Effect]:
        """The region that `Fetch` asked for is here. Without a position: it is not for this client any more."""
        channel = self.channels.get(name)
        if channel is None:
            return []
        if position is None:
            return self._refuse(name)
        if channel.again:
            channel.again = False
            return [Fetch(name)]
        self.screen.replace(name, region, position.offset)
        channel.position, channel.stale = position, False
        return self._judge_again(channel, "refetch")

    def _answered(self, said: Mapping[str, Any]) -> list[Effect]:
        effects: list[Effect] = []
        for name, at in said.get("at", {}).items():
            channel = self.channels.get(name)
            if channel is not None and "asked" in channel.holds:
                effects += self._resumed(channel, Position.parse(at["position"]), recovered=at["recovered"])
        for name in said.get("refused", {}):
            effects += self._refuse(name)
        return effects

    def _resumed(self, channel: Channel, position: Position, *, recovered: bool) -> list[Effect]:
        if recovered:
            self.caught_up += position.offset > channel.position.offset
            return self._judge_again(channel, "asked")
        channel.reach = position.offset
        effects = self._refetch(channel)
        channel.release("asked")
        return effects

    def _refuse(self, name: str) -> list[Effect]:
        if self.channels.pop(name, None) is not None:
            self.screen.refuse(name)
        return []

    def _pushed(self, channel: Channel, frame: Mapping[str, Any]) -> list[Effect]:
        if channel.holds:
            channel.keep(frame)
            return []
        if "to" not in frame:
            self.screen.show(channel.name, frame["html"], 0)
            return []
        match channel.position.judge(Range(frame["epoch"], frame["from"], frame["to"])):
            case Verdict.DUPLICATE if self.checks:
                return []
            case Verdict.APPLY | Verdict.DUPLICATE:
                self._apply(channel, frame)
                return []
            case Verdict.GAP:
                self.gaps += 1
                channel.holds.add("asked")
                channel.keep(frame)
                return [Ask((channel.name,))]
            case _:
                effects = self._refetch(channel)
                channel.keep(frame)
                return effects

    def _apply(self, channel: Channel, frame: Mapping[str, Any]) -> None:
        self.screen.show(channel.name, frame["html"], channel.position.offset if self.checks else 0)
        channel.position = Position(channel.position.epoch, max(frame["to"], channel.position.offset))

    def _refetch(self, channel: Channel) -> list[Effect]:
        if "refetch" in channel.holds:
            channel.again = True
            return []
        self.refetches += 1
        channel.holds.add("refetch")
        channel.again = False
        return [Fetch(channel.name)]

    def _judge_again(self, channel: Channel, why: str) -> list[Effect]:
        """End a hold and judge what waited. What then is still missing is asked for."""
        frames = channel.release(why)
        if channel.holds:
            return []
        if channel.stale:
            return self._refetch(channel)
        effects: list[Effect] = []
        for frame in frames:
            # After an answer the server sends everything from where we stand: what lies beyond comes again.
            # A fetched region is of the newest epoch: a frame of another one would only be fetched for again, for ever.
            idle = {"asked": Verdict.GAP, "refetch": Verdict.UNRECOVERABLE}[why]
            if "to" not in frame or self._judged(channel, frame) is not idle:
                effects += self._pushed(channel, frame)
        if not channel.holds and channel.position.offset < channel.reach:
            channel.holds.add("asked")
            effects.append(Ask((channel.name,)))
        channel.reach = 0
        return effects

    @staticmethod
    def _judged(channel: Channel, frame: Mapping[str, Any]) -> Verdict:
        return channel.position.judge(Range(frame["epoch"], frame["from"], frame["to"]))
