"""What `needed` has to know of many deliveries, in a constant number of queries."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from core.models import Profile
from notifications import categories
from notifications.deliveries.needed import Facts
from notifications.models import InboxItem, Mute, Preference, Priority, QuietHours
from notifications.quiet import quiet_until

MENTION = "mention"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What some people have set up."""

    said: Mapping[tuple[Any, str, str], bool]  # (user, category, transport)
    mutes: Mapping[tuple[Any, str], str]  # (user, channel) -> level
    quiet: Mapping[Any, QuietHours]
    zones: Mapping[Any, tzinfo]

    def muted(self, user: Any, channel: str, category: str) -> bool:
        """Whether she wants to hear nothing of this: her level may let mentions pass."""
        level = self.mutes.get((user, channel)) if channel else None
        return level == "nothing" or (level == "mentions" and category != MENTION)

    def quiet_until(self, user: Any, now: datetime) -> datetime | None:
        hours = self.quiet.get(user)
        return quiet_until(now, start=hours.start, end=hours.end, zone=self.zones.get(user, ZoneInfo("UTC"))) if hours else None


def wishes(users: Collection[Any]) -> Wishes:
    """What these people (primary keys) have set up: four queries."""
    said = Preference.objects.filter(user__in=users).values_list("user_id", "category", "transport", "enabled")
    mutes = Mute.objects.filter(user__in=users).values_list("user_id", "channel", "level")
    zones = Profile.objects.filter(user__in=users).values_list("user_id", "time_zone")
    return Wishes(
        said={(user, category, transport): enabled for user, category, transport, enabled in said},
        mutes={(user, channel): level for user, channel, level in mutes},
        quiet={hours.user_id: hours for hours in QuietHours.objects.filter(user__in=users)},
        zones={user: _zone(name) for user, name in zones},
    )


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        return ZoneInfo("UTC")


def facts(item: InboxItem, transport: str, known: Wishes, *, now: datetime) -> Facts:
    """The facts of one delivery; the item comes with its user and notification."""
    notification, category = item.notification, categories.of(item.notification.category)
    return Facts(
        active=item.user.is_active,
        seen_at=item.seen_at,
        read_at=item.read_at,
        archived_at=item.archived_at,
        snoozed_until=item.snoozed_until,
        expires_at=notification.expires_at,
        withdrawn_at=notification.withdrawn_at,
        low=notification.priority == Priority.LOW,
        critical=notification.priority == Priority.CRITICAL,
        always=category.is_sent_always(transport),
        wanted=category.wanted(transport, known.said.get((item.user_id, category.name, transport))),
        muted=known.muted(item.user_id, notification.channel, notification.category),
        quiet_until=known.quiet_until(item.user_id, now),
    )
