"""What one app has to say to apps that it does not know: it tells a sink, and whoever wants to know has connected to it.

sinks.alerts.connect(take)             # in AppConfig.ready of the app that takes
sinks.alerts.tell(Alert(...))          # in the transaction of the app that says it; nobody connected: nothing happens
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


class Sink(Generic[T]):
    """Hands what it is told to everybody who connected, in the order in which they did."""

    def __init__(self) -> None:
        self._takers: list[Callable[[T], None]] = []

    def connect(self, take: Callable[[T], None]) -> None:
        """Let a function take what is told from now on; the same function only once."""
        if take not in self._takers:
            self._takers.append(take)

    def disconnect(self, take: Callable[[T], None]) -> None:
        """Let it take no more. Raises ValueError when it never did."""
        self._takers.remove(take)

    def tell(self, said: T) -> None:
        """Hand it on, in the caller's thread and transaction; what a taker raises reaches the caller, whose work it may undo."""
        for take in list(self._takers):
            take(said)


@dataclass(frozen=True, slots=True)
class Alert:
    """Something began to be wrong, goes on, or is right again. All that is said under one `key` is one matter, shown as one item.

    people: primary keys of users, as text. priority: 1 low, 2 normal, 3 high, 4 critical; with 1 what was said before changes quietly.
    channel: what it is about; whoever has muted that is not disturbed.
    """

    key: str
    people: tuple[str, ...]
    title: str
    body: str = ""
    url: str = ""
    priority: int = 2
    channel: str = ""


alerts: Sink[Alert] = Sink()
