"""What boards keep about a person, for her export and her erasure: docs/personal-data.md."""

from typing import Any

from core.persons import Kept, Part, Removed, rows, words_without
from dashboard.models import AlertRule, Dashboard, Favourite, Role, ShareLink


def _export(user: Any) -> dict[str, Kept]:
    return {
        "boards": rows(Dashboard.objects.filter(owner=user), "slug", "title", "created_at"),
        "roles": rows(Role.objects.filter(user=user), "dashboard__slug", "level"),
        "favourites": rows(Favourite.objects.filter(user=user), "dashboard__slug"),
        "share_links": rows(ShareLink.objects.filter(created_by=user), "dashboard__slug", "hint", "created_at", "expires_at", "revoked_at"),
        "acknowledged": rows(AlertRule.objects.filter(acknowledged_by=user), "name", "acknowledged_at"),
        "alerts": [rule.name for rule in _naming(user)],
    }


def _naming(user: Any) -> list[AlertRule]:
    """The rules that tell her by name."""
    rules = AlertRule.objects.only("name", "audience").order_by("pk")
    return [rule for rule in rules if len(words_without(rule.audience, user)) < len(rule.audience)]


def _erase(user: Any, removed: Removed) -> None:
    # Boards, and links that others use, are the team's: they stay, and a superuser gives them to somebody.
    for rule in _naming(user):
        AlertRule.objects.filter(pk=rule.pk).update(audience=words_without(rule.audience, user))


PART = Part(
    "boards",
    _export,
    _erase,
    covers=tuple(
        f"signalbox_dashboard.{field}"
        for field in (
            "Dashboard.owner", "Role.user", "Favourite.user", "ShareLink.created_by", "AlertRule.acknowledged_by", "AlertRule.audience",
        )
    ),
)  # fmt: skip
