"""Channel names, and the kinds of channel with their registry. Pure: an app gives a kind its behaviour by subclassing `Kind`."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, ClassVar

# fullmatch with ASCII: Channels' own check lets a trailing newline and foreign digits pass.
_NAME = re.compile(r"([a-z][a-z0-9_]{0,15}):([A-Za-z0-9._-]{1,64})", re.ASCII)
_INTERNAL = frozenset({"system", "presence"})


class BadChannel(ValueError):
    """The text is not a channel name; a name is written `kind:key`, as in `dashboard:7`."""


class UnknownKind(BadChannel):
    """The name is well formed, but no app registered its kind."""


@dataclass(frozen=True, slots=True)
class ChannelName:
    """The address of one channel."""

    kind: str
    key: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.key}"

    @property
    def group(self) -> str:
        """The channel's group on the channel layer."""
        return f"{self.kind}.{self.key}"

    @property
    def internal(self) -> bool:
        """Whether this channel is refused at every edge."""
        return self.kind in _INTERNAL

    @classmethod
    def parse(cls, text: object) -> "ChannelName":
        """Read a channel name. Raises BadChannel."""
        match = _NAME.fullmatch(text) if isinstance(text, str) and len(text) <= 81 else None
        if not match:
            raise BadChannel("A channel is written kind:key, for example dashboard:7.")
        return cls(match[1], match[2])


class Keeps(Enum):
    """What a kind keeps: every event of a window, or the latest version of every key."""

    LOG, STATE = range(2)


@dataclass(frozen=True, slots=True)
class EventType:
    """One type of event that a kind carries.

    slot: state channels compare versions only inside a slot.
    removes: a tombstone; deletes every slot of its key and loses only to a later type that `revives`.
    raw: may be published by hand through the API; never for a type that a table stands behind.
    ephemeral: at most once, without offset, nothing stored.
    dirties: whoever this is for gets her counts computed anew.
    """

    name: str
    slot: str = "value"
    removes: bool = False
    revives: bool = False
    raw: bool = False
    ephemeral: bool = False
    dirties: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """One numbered event as it travels. `data` is decoded JSON; `at` is in unix seconds."""

    offset: int
    type: str
    key: str
    data: Any
    at: float


def redacted(event: Event, by: Event) -> Event:
    """An event after a later one of its key has taken back what it said (`Kind.redacts`)."""
    return replace(event, data=by.data if event.type == by.type else {})


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads: a user (primary key as text, with her user name), a guest, or the holder of a share link or token."""

    user: str = ""
    name: str = ""
    session: str = ""  # hash of the session key; never the key
    guest: str = ""
    address: str = ""  # of a guest
    share: str = ""
    language: str = "en"
    scopes: tuple[str, ...] | None = None  # None: not narrowed by a token


@dataclass(frozen=True, slots=True)
class Window:
    """How long a log keeps its events: `seconds`, at most the `newest`, but never less than `least` seconds."""

    seconds: int = 24 * 3600
    newest: int = 1000
    least: int = 600


class Kind:
    """A family of channels with one policy, renderer, retention and pace. Apps subclass and register one instance.

    Methods that read the database run on the delivery executor, never on the event loop, and take many readers or keys at once.
    `render` runs on the event loop: it makes no query and reads no clock, since its bytes go to everybody.
    """

    name: ClassVar[str]
    keeps: ClassVar[Keeps] = Keeps.LOG
    types: ClassVar[tuple[EventType, ...]] = ()
    pace: ClassVar[float] = 0.0  # seconds between two numberings of one state channel
    window: ClassVar[Window] = Window()
    has_presence: ClassVar[bool] = False  # who reads these channels is announced on presence:<kind>.<key>
    panel: ClassVar[str] = ""  # address of a small live region of a channel, {name} in it, for pages of other apps; it checks who asks
    _by_name: ClassVar[dict[str, EventType]] = {}

    def type(self, name: str) -> EventType | None:
        """The event type of that name, or None."""
        return self._by_name.get(name)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._by_name = {type.name: type for type in cls.types}

    def readable(self, readers: Collection[Reader], keys: Collection[str]) -> set[tuple[Reader, str]]:
        """Say which of these readers may read which keys, in a constant number of queries."""
        return set()

    def writable(self, reader: Reader, key: str) -> bool:
        """Say whether this reader may publish raw events or commands to this key."""
        return False

    def resolve(self, name: str) -> str | None:
        """Turn what people write (`ops`, a user name) into the key, or None. Keys resolve to themselves."""
        return name

    def names(self, reader: Reader) -> Sequence[str]:
        """A few names, as people write them, of channels that this reader may read: told to whoever asks for one that is not there."""
        return []

    def render(self, event: Event, key: str) -> str:
        """The HTML fragment for one event, with its targets; the same for every reader. Empty: nothing to show."""
        return ""

    def numbered(self, key: str, events: Sequence[Event]) -> None:
        """Note in rows of the app's own what was numbered; runs inside the transaction that numbers, so keep it short.

        Each event comes once. What compaction dropped for a newer version comes too, with offset 0: it counts as numbered.
        """

    def redacts(self, type: str, data: Mapping[str, Any]) -> bool:
        """Whether such an event of a log takes back what earlier ones said under its key, so that no replay tells it again.

        Earlier events of its type then carry what it carries, those of other types carry {}: `render` must take that.
        """
        return False

    def render_presence(self, who: str, key: str, *, here: bool) -> str:
        """The fragment that shows that a person came to a channel or left it; core.delivery.presence.face is the usual one."""
        return ""

    def is_personal(self, event: Event) -> bool:
        """Whether this event needs one answer per person (`personalise`) instead of `render`."""
        return False

    def personalise(self, event: Event, key: str, users: Collection[str]) -> Mapping[str, str]:
        """The fragment of each of these users that the event is for; those left out see nothing of it."""
        return {}

    def dirtied(self, event: Event, key: str, users: Collection[str]) -> Iterable[str]:
        """Which of these users' counts an event of a type that `dirties` may have changed."""
        return users

    def on_signal(self, reader: Reader, key: str, what: str, items: Sequence[str]) -> None:
        """Take what a subscribed reader's page says about itself: `typing`, or `seen` with items. On the event loop: hand work on."""

    def counts(self, users: Collection[str]) -> Mapping[str, str]:
        """The counts fragment of each of these users, in one query. Asked of the kind `user` only."""
        return {}

    def snapshot(self, key: str) -> Sequence[Mapping[str, Any]]:
        """The current state of the channel's subject as JSON-form events: `{"type", "key", "data", "at"}`."""
        return []


@dataclass(slots=True)
class Registry:
    """The kinds of this installation by name."""

    kinds: dict[str, Kind] = field(default_factory=dict)

    def register(self, kind: Kind) -> None:
        """Add a kind. Raises ValueError when another class has taken its name."""
        known = self.kinds.get(kind.name)
        if known is not None and type(known) is not type(kind):
            raise ValueError(f"The kind {kind.name!r} is registered twice.")
        self.kinds[kind.name] = kind

    def of(self, name: ChannelName | str) -> Kind:
        """The kind of a channel. Raises BadChannel or UnknownKind."""
        parsed = ChannelName.parse(name) if isinstance(name, str) else name
        return self._called(parsed.kind)

    def known(self, channel: str) -> Kind:
        """The kind of a channel whose name was checked before: of one that stands in the table. Raises UnknownKind."""
        return self._called(channel.partition(":")[0])

    def _called(self, kind: str) -> Kind:
        try:
            return self.kinds[kind]
        except KeyError:
            raise UnknownKind(f"There is no channel kind {kind!r}; there is {', '.join(sorted(self.kinds))}.") from None


registry = Registry()
