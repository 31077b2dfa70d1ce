"""What a sender can get wrong. Each says in words what would have been right; `allowed` names it where it can be named."""

from collections.abc import Iterable

from core import errors
from core.errors import Code, Problem


class BadNotification(ValueError):
    """The notification cannot be sent as it is. Nothing was stored."""

    code = Code.INVALID

    def __init__(self, detail: str, *, field: str, allowed: Iterable[str] = ()) -> None:
        super().__init__(detail)
        self.field, self.allowed = field, list(allowed)


class TooLarge(BadNotification):
    """More people than one notify() takes."""


class UnknownAudience(BadNotification):
    """A word that names nobody; `allowed` holds names that come near."""

    code = Code.NOT_FOUND


class AmbiguousAudience(BadNotification):
    """A word that is both a user's and a group's name; `allowed` holds the two spellings."""

    code = Code.AMBIGUOUS


class NotAllowed(BadNotification):
    """The sender may not do this."""

    code = Code.FORBIDDEN


class UnknownKey(BadNotification):
    """This sender has nothing under this key."""

    code = Code.NOT_FOUND


class WrongState(BadNotification):
    """A broadcast that stands where this cannot be done; `allowed` names where it could."""

    code = Code.CONFLICT


def _problem(error: Exception) -> Problem:
    assert isinstance(error, BadNotification)
    return Problem(error.code, str(error), field=error.field, allowed=error.allowed)


def make_known() -> None:
    """Let the API answer these as problems. Called once, in AppConfig.ready."""
    errors.translate(BadNotification, _problem)
