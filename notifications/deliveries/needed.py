"""Whether a delivery that is due is still needed. Pure: facts in, verdict out."""

from dataclasses import dataclass
from datetime import datetime

from notifications.deliveries.reasons import Reason


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one delivery at the moment before it is sent."""

    active: bool = True
    seen_at: datetime | None = None
    read_at: datetime | None = None
    archived_at: datetime | None = None
    snoozed_until: datetime | None = None
    expires_at: datetime | None = None
    withdrawn_at: datetime | None = None
    low: bool = False
    critical: bool = False
    always: bool = False  # nothing that was done on a page, nor the hour, holds it back
    wanted: bool = True  # her preferences for this category and way
    muted: bool = False  # where it comes from
    quiet_until: datetime | None = None  # the end of the quiet hours that she is in


@dataclass(frozen=True, slots=True)
class Verdict:
    """Send it now (no reason), never (a reason), or look again at a time (`until`)."""

    reason: Reason | None = None
    until: datetime | None = None

    @property
    def needed(self) -> bool:
        return self.reason is None


def still_needed(facts: Facts, *, now: datetime) -> Verdict:
    """Whether to send it, and if not why; what she did herself comes before what she set up, so that the answer is the one she expects."""
    if facts.withdrawn_at:
        expired = facts.expires_at is not None and facts.withdrawn_at >= facts.expires_at
        return Verdict(Reason("expired", facts.expires_at) if expired else Reason("withdrawn", facts.withdrawn_at))
    if facts.expires_at and facts.expires_at <= now:
        return Verdict(Reason("expired", facts.expires_at))
    if not facts.active:
        return Verdict(Reason("inactive"))
    if facts.always:
        return Verdict()
    if facts.read_at:
        return Verdict(Reason("read", facts.read_at))
    if facts.archived_at:
        return Verdict(Reason("archived", facts.archived_at))
    if facts.snoozed_until and facts.snoozed_until > now:
        return Verdict(Reason("snoozed", facts.snoozed_until))
    if facts.seen_at:
        return Verdict(Reason("seen", facts.seen_at))
    if facts.low:
        return Verdict(Reason("low"))
    if not facts.wanted:
        return Verdict(Reason("preference"))
    if facts.muted:
        return Verdict(Reason("muted"))
    if facts.quiet_until and facts.quiet_until > now and not facts.critical:
        return Verdict(Reason("quiet", facts.quiet_until), until=facts.quiet_until)
    return Verdict()
