"""Why a delivery was not made, waits, or was made: kept on the row in a short form and told in words. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime

# code: (to the person herself, to staff), each before the time; None where no time belongs to it.
_WORDS = {
    "seen": ("you saw it on a page at", "seen on a page at"),
    "read": ("you read it at", "read at"),
    "archived": ("you archived it at", "archived at"),
    "snoozed": ("you put it off until", "put off until"),
    "expired": ("it had expired at", "expired at"),
    "withdrawn": ("it was withdrawn at", "withdrawn at"),
    "preference": ("switched off in your preferences", "switched off in the preferences"),
    "muted": ("you muted where it comes from", "muted where it comes from"),
    "quiet": ("your quiet hours last until", "quiet hours until"),
    "inactive": ("your account is not active", "the account is not active"),
    "low": ("it is of low priority, for the inbox only", "low priority: inbox only"),
    "unset": ("not set up on this site", "not set up on this site"),
    "early": ("sent before this way was open to you", "sent before this way was open"),
}


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason: a code of `_WORDS` with the time that belongs to it, or other words as they are."""

    code: str
    at: datetime | None = None

    @property
    def is_known(self) -> bool:
        """Whether it is one of our own, and not somebody's words."""
        return self.code in _WORDS

    def stored(self) -> str:
        """As it is kept in `Delivery.reason`."""
        return f"{self.code} {self.at.astimezone(UTC).isoformat(timespec='seconds')}" if self.at else self.code[:200]

    @classmethod
    def of(cls, text: str) -> "Reason":
        """Read what `stored` wrote."""
        code, _, moment = text.partition(" ")
        if code not in _WORDS:
            return cls(text)
        try:
            return cls(code, datetime.fromisoformat(moment) if moment else None)
        except ValueError:
            return cls(text)

    def words(self, *, own: bool = True) -> str:
        """What to say before the time, to the person herself or to somebody else."""
        return _WORDS[self.code][0 if own else 1] if self.code in _WORDS else self.code
