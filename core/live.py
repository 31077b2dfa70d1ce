"""Where a page's live regions start from: positions, read before the data that they are valid for."""

from collections.abc import Iterable

from django.http import HttpRequest

from core.delivery import history


class PositionTooLate(RuntimeError):
    """A template asks for a channel that its view did not name before it read the data."""


class LivePositions:
    """The positions of one page. `read()` comes first in a view, before any query of the page's own."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self._known: dict[str, str] = {}
        self._shell_read = False

    def read(self, *channels: str) -> None:
        """Note where these channels stand now. Call it before reading what the page shows of them."""
        wanted = [name for name in (*self.shell_channels(), *channels) if name not in self._known]
        self._known |= {name: str(position) for name, position in history.positions(wanted).items()}

    def shell_channels(self) -> Iterable[str]:
        """The channels that every page of a signed-in person shows something of: hers, and her audiences."""
        user = getattr(self._request, "user", None)
        if user is None or not user.is_authenticated:
            return []
        return [f"user:{user.pk}", "audience:all", *(["audience:staff"] if user.is_staff else [])]

    def position(self, channel: str) -> str:
        """The position noted for a channel. Raises PositionTooLate when nobody noted it."""
        try:
            return self._known[channel]
        except KeyError:
            raise PositionTooLate(f"request.live.read({channel!r}) must come first in the view.") from None
