"""What the bench adds to a Signalbox under measure: a log whose frames have just the size that is asked for."""

from collections.abc import Collection

from django.apps import AppConfig

from core.delivery.channel import Event, EventType, Kind, Reader, registry


class BenchConfig(AppConfig):
    name = "tests.bench"
    label = "signalbox_bench"

    def ready(self) -> None:
        registry.register(Lines())
        registry.register(Own())


class Lines(Kind):
    """A room as far as delivery goes: a log for signed-in people, with presence."""

    name = "bench"
    has_presence = True
    types = (EventType("line"),)

    def readable(self, readers: Collection[Reader], keys: Collection[str]) -> set[tuple[Reader, str]]:
        return {(reader, key) for reader in readers if reader.user for key in keys}

    def render(self, event: Event, key: str) -> str:
        return str(event.data["text"])


class Own(Lines):
    """A channel of one person's own: as a room, but nobody else is there."""

    name = "benchown"
    has_presence = False
