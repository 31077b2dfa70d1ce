"""The forms in which a connection takes events: HTML frames for pages, JSON events for machines. No I/O.

Connections of the same form that stand at the same cursor share the bytes of a frame.
"""

import logging
import sys
from collections.abc import Sequence
from typing import Protocol

from django.utils import translation

from core.delivery import wire
from core.delivery.channel import ChannelName, Event, Kind
from core.delivery.position import Range

logger = logging.getLogger(__name__)


class Entry:
    """One event in a hub's memory with what has been rendered of it so far."""

    __slots__ = ("broken", "changed_at", "event", "html", "key", "kind", "personal")

    def __init__(self, kind: Kind, key: str, event: Event) -> None:
        self.kind, self.key, self.event = kind, key, event
        self.broken = False  # cannot be rendered: whoever stands before it starts again from a snapshot
        self.html: dict[str, str] = {}  # language -> fragment
        self.changed_at: dict[str, int] = {}  # language -> offset since which the fragment is the same; state channels
        # user -> her fragment, asked of the kind once per event; None: the event is the same for everybody
        self.personal: dict[str, str] | None = {} if kind.is_personal(event) else None

    def fragment(self, language: str) -> str:
        """The fragment for everybody, rendered on first need; empty where that fails, and the entry is broken."""
        html = self.html.get(language)
        if html is None:
            html = self.html[language] = self._rendered(language)
        return html

    def _rendered(self, language: str) -> str:
        try:
            with translation.override(language):
                return self.kind.render(self.event, self.key)
        except Exception:  # noqa: BLE001 (logged by fail)
            self.fail()
            return ""

    def fail(self) -> None:
        """Call while an exception of the kind is handled: it is logged, and keeps nobody else from anything."""
        logger.exception("an event of type %s on %s:%s cannot be shown", self.event.type, self.kind.name, self.key)
        self.broken = True

    def fragment_for(self, user: str, language: str) -> str:
        return self.fragment(language) if self.personal is None else self.personal.get(user, "")

    def is_for(self, user: str) -> bool:
        return self.personal is None or bool(self.personal.get(user))


class Form(Protocol):
    """How a connection wants its events."""

    share: str  # connections with the same `share`, which is interned, get the same bytes, unless an event is personal
    language: str

    def frame(self, channel: ChannelName, span: Range, entries: Sequence[Entry], user: str) -> str:
        """The text of one frame covering `span`; empty when this form says nothing for it."""
        ...

    def says_nothing(self, entries: Sequence[Entry]) -> bool:
        """Whether these events are nothing to show or tell to anybody in this form. One that is personal may be."""
        ...

    def unranged(self, channel: ChannelName, html: str) -> str:
        """The text of a frame without a range: counts, and what is ephemeral."""
        ...

    def resync(self, channels: Sequence[str]) -> str:
        """The text that tells the reader to start again from a snapshot."""
        ...


class HtmlForm:
    """Frames with rendered fragments, as live.js takes them."""

    __slots__ = ("language", "share")

    def __init__(self, language: str) -> None:
        self.language = language
        self.share = sys.intern(f"html {language}")

    def frame(self, channel: ChannelName, span: Range, entries: Sequence[Entry], user: str) -> str:
        return wire.push(str(channel), span, "".join([entry.fragment_for(user, self.language) for entry in entries]))

    def says_nothing(self, entries: Sequence[Entry]) -> bool:
        return not any(entry.personal is not None or entry.fragment(self.language) for entry in entries)

    def unranged(self, channel: ChannelName, html: str) -> str:
        return wire.push_unranged(str(channel), html)

    def resync(self, channels: Sequence[str]) -> str:
        return wire.signal_resync(channels)


class JsonForm:
    """Events as machines take them: a line per event, the offset before its JSON, so that a stream can name its position."""

    __slots__ = ("language", "share")

    def __init__(self) -> None:
        self.language = "en"
        self.share = "json"

    def frame(self, channel: ChannelName, span: Range, entries: Sequence[Entry], user: str) -> str:
        mine = [entry.event for entry in entries if entry.is_for(user)]
        return "\n".join([f"{event.offset} {wire.dump(wire.json_event(str(channel), span.epoch, event))}" for event in mine])

    def says_nothing(self, entries: Sequence[Entry]) -> bool:
        return not entries

    def unranged(self, channel: ChannelName, html: str) -> str:
        return ""  # counts are drawn, not told

    def resync(self, channels: Sequence[str]) -> str:
        return wire.signal_resync(channels)
